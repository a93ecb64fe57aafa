import gzip
import json

import pytest
from asked import asked, with_body
from spoken import envelope, service

from outgate.actions.action import Access, Confidence, Tier
from outgate.actions.mined import Mined, Part
from outgate.actions.operation import Override
from outgate.actions.protocols.graphql import HEAVY, MOST, guess, heavy, may_be, operations, read, spoken, wants_body
from outgate.actions.protocols.graphql_document import operations_of
from outgate.intake.request import UnreadBody

HOME = "POST https://api.acme.example/graphql"


def mined(*facts):
    said = {"outgate": "mined/v1", "service": "acme", "part": "", "operations": list(facts), "paths": {}, "meta": {}}
    return Mined(parts=(Part("acme", "", gzip.compress(json.dumps(said).encode())),))


def found(document, variables=None, *, of=None, instance=""):
    request = asked(HOME, json={"query": document, "variables": variables})
    return read(envelope(request, of=of, instance=instance))


def names(actions):
    return [action.operation for action in actions]


def test_a_query_and_a_mutation_are_two_actions():
    first, second = read(
        envelope(asked(HOME, json=[{"query": "{viewer{login}}"}, {"query": 'mutation{deleteRef(refId:"R"){id}}'}]))
    )
    assert (first.name, first.access, first.tier) == ("acme.graphql.query.viewer", Access.READ, Tier.T0)
    assert (second.name, second.access, second.tier) == ("acme.graphql.mutation.deleteRef", Access.DELETE, Tier.T2)
    assert second.params == {"refId": "R"}
    assert second.resource == "R"
    assert second.mapped


def test_aliases_are_counted_and_what_they_are_done_to_is_told_apart():
    document = 'mutation{a:star(id:"1"){x} b:star(id:"1"){x} c:star(id:"2"){x} c:star(id:"2"){x}}'
    assert [(action.params["id"], action.count) for action in found(document)] == [("1", 2), ("2", 1)]


def test_arguments_are_read_from_the_document_and_from_variables():
    literal = found('mutation{issueDelete(id:"I1"){success}}')
    variable = found("mutation($i:String!){issueDelete(id:$i){success}}", {"i": "I1"})
    default = found('mutation($i:String="I1"){issueDelete(id:$i){success}}')
    assert literal == variable == default
    assert literal[0].access is Access.DELETE


def test_a_mutation_is_never_a_read():
    (action,) = found("mutation{getEverything{id}}")
    assert (action.access, action.tier) == (Access.WRITE, Tier.T1)


def test_introspection_is_a_read_that_says_so():
    (action,) = found("{__schema{types{name}}}")
    assert action.access is Access.READ
    assert "introspection" in action.evidence


def test_what_was_mined_is_gone_by_and_its_parameters_are_typed():
    of = service(mined=mined(["graphql.mutation.nudge", "d", "i", [], ["ids list args.input.ids", "count int args.count"]]))
    (action,) = found('mutation{nudge(count:3 input:{ids:["a" "b"]} other:1)}', of=of)
    assert (action.access, action.tier, action.confidence) == (Access.DELETE, Tier.T3, Confidence.CATALOG)
    assert action.params == {"ids": ("a", "b"), "count": 3}
    unclear = found('mutation{nudge(count:"x")}', of=of)
    assert names(unclear) == ["graphql.mutation.nudge", "unreadable"]


def test_what_people_say_of_a_field_counts_most():
    of = service(overrides={"graphql.mutation.star": Override(access=Access.PUBLISH, tier=Tier.T3, why="everybody sees it")})
    (action,) = found("mutation{star}", of=of)
    assert (action.access, action.tier, action.why) == (Access.PUBLISH, Tier.T3, "everybody sees it")
    found("mutation{unheardOf}", of=of)
    assert [key[2] for key in of.at_hand] == ["star"]


def test_a_mutation_by_get_is_unreadable_besides():
    request = asked("GET https://a.example/graphql?query=mutation%7BdeleteRef%7D")
    assert names(read(envelope(request))) == ["graphql.mutation.deleteRef", "unreadable"]
    request = asked("GET https://a.example/graphql?query=%7Ba%7D")
    assert names(read(envelope(request))) == ["graphql.query.a"]
    request = asked("PUT https://a.example/graphql", json={"query": "{a}"})
    assert names(read(envelope(request))) == ["unreadable"]


@pytest.mark.parametrize("name", [None, "C"])
def test_without_saying_which_operation_all_of_them_and_unreadable(name):
    body = {"query": "query A{a} mutation B{deleteAll}"} | ({"operationName": name} if name else {})
    actions = read(envelope(asked(HOME, json=body)))
    assert names(actions) == ["graphql.query.a", "graphql.mutation.deleteAll", "unreadable"]


def test_the_operation_that_is_named_is_the_one_that_counts():
    body = {"query": "query A{a} mutation B{deleteAll}", "operationName": "A"}
    assert names(read(envelope(asked(HOME, json=body)))) == ["graphql.query.a"]


def test_an_argument_that_is_said_twice_makes_it_unreadable():
    assert names(found('mutation{star(id:"1" id:"2")}')) == ["graphql.mutation.star", "unreadable"]


@pytest.mark.parametrize("document", ["{", "", "{a} type X{a:Int}", "{" * 5000, "\ud800", "{a(x:1)"])
def test_a_malformed_document_is_unreadable_and_no_read(document):
    (action,) = found(document)
    assert (action.operation, action.access, action.tier) == ("unreadable", Access.UNKNOWN, Tier.T2)
    assert action.confidence is Confidence.UNKNOWN
    assert action.why


def test_a_body_that_nobody_read_is_unreadable():
    assert names(read(envelope(with_body(asked(HOME), UnreadBody(length=9))))) == ["unreadable"]


def test_a_stored_document_is_unknown():
    (action,) = read(envelope(asked(HOME, json={"doc_id": "77"})))
    assert (action.operation, action.access, action.tier) == ("graphql.stored", Access.UNKNOWN, Tier.T2)
    assert not action.mapped


def test_of_too_many_things_each_field_is_one_action():
    many = " ".join(f'a{n}:star(id:"{n}")' for n in range(MOST + 1))
    (action,) = found(f"mutation{{{many}}}")
    assert (action.count, action.params) == (MOST + 1, {})
    wide = " ".join(f"f{n}" for n in range(MOST)) + " deleteAll"
    actions = found(f"mutation{{{wide}}}")
    assert len(actions) == MOST + 1
    assert "graphql.mutation.deleteAll" in names(actions)
    assert actions[-1].operation == "unreadable"


def test_whose_it_is_comes_from_the_request_that_carries_it():
    (action,) = found("{a}", instance="shop:acme")
    assert action.instance == "shop:acme"
    assert action.resource == "graphql"


def test_it_lists_what_a_service_may_be_told():
    assert {operation.name for operation in operations("acme")} >= {"acme.graphql.mutation.*", "acme.graphql.stored"}


# At hosts that nobody declared.


def test_a_guess_is_no_read_and_unmapped():
    (action,) = guess(asked("POST https://x.example/graphql", json={"query": "{viewer}"}))
    assert (action.name, action.access, action.tier) == ("graphql.query.viewer", Access.UNKNOWN, Tier.T2)
    assert action.confidence is Confidence.HEURISTIC
    (action,) = guess(asked("POST https://x.example/api", json={"query": "mutation{deleteUser(id:1)}"}))
    assert (action.name, action.access, action.tier) == ("graphql.mutation.deleteUser", Access.DELETE, Tier.T2)
    (action,) = guess(asked("GET https://x.example/graphql?query=%7Bviewer%7D"))
    assert (action.access, action.confidence) == (Access.READ, Confidence.HEURISTIC)


def test_what_does_not_read_as_graphql_is_none_unless_it_stands_where_graphql_does():
    assert guess(asked("POST https://x.example/search", json={"query": "shoes"})) == ()
    assert guess(asked("POST https://x.example/search", json={"q": 1})) == ()
    assert names(guess(asked("POST https://x.example/graphql", json={"query": "shoes"}))) == ["unreadable"]


def test_a_host_that_is_declared_to_speak_it_is_no_guess():
    of = service("graphql")
    (action,) = spoken(asked("POST https://x.example/graphql", json={"query": "{viewer}"}), of)
    assert (action.name, action.access, action.tier) == ("graphql.query.viewer", Access.READ, Tier.T0)
    assert action.mapped
    assert spoken(asked("POST https://x.example/other", json={"a": 1}), of) == ()


def test_what_takes_long_to_parse_is_heavy():
    operations_of("{a}")
    assert not heavy(asked("POST https://x.example/a", json={"query": "{a}"}))
    assert heavy(asked("POST https://x.example/a", json={"query": "{a}" + " " * HEAVY}))
    assert not heavy(asked("POST https://x.example/a", json={"other": " " * HEAVY}))
    assert not heavy(asked("GET https://x.example/graphql?query=x"))
    assert wants_body(asked("POST https://x.example/a", json={}))
    assert not wants_body(asked("GET https://x.example/graphql?query=x"))


def test_what_could_be_graphql_is_told_from_the_head():
    assert may_be(asked("POST https://x.example/a", json={}))
    assert may_be(asked("GET https://x.example/graphql?query=x"))
    assert not may_be(asked("GET https://x.example/graphql"))
    assert not may_be(asked("POST https://x.example/a", form="a=1"))
