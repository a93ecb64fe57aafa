import time

import pytest

from outgate.actions.protocols.graphql_document import (
    LONGEST,
    MOST_TOKENS,
    Doubtful,
    Variable,
    operations_of,
    resolved,
)
from outgate.intake.bodies import Undecodable


def roots(document):
    found = operations_of(document)
    assert not isinstance(found, Undecodable), found
    return [(one.kind, one.name, [root.name for root in one.roots]) for one in found]


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ("{viewer{login}}", [("query", "", ["viewer"])]),
        ("mutation Q {a:deleteRef(x:1){id} b:deleteRef(x:2){id}}", [("mutation", "Q", ["deleteRef", "deleteRef"])]),
        ("subscription {issueAdded{id}}", [("subscription", "", ["issueAdded"])]),
        ("query A{a} mutation B{b}", [("query", "A", ["a"]), ("mutation", "B", ["b"])]),
        ("{...F} fragment F on Query{a ...G} fragment G on Query{b ...F}", [("query", "", ["a", "b"])]),
        ("mutation{...on Mutation @include(if:false){...{a}} b @skip(if:true)}", [("mutation", "", ["a", "b"])]),
        ('{a(x:"}mutation{b")} # mutation {c}', [("query", "", ["a"])]),
        ('{a(x:"""\n"} mutation{b}\n""")}', [("query", "", ["a"])]),
        ("\ufeff{a,,,b}", [("query", "", ["a", "b"])]),
        ("{a #comment\rb}", [("query", "", ["a", "b"])]),
        ("{a a a}", [("query", "", ["a"])]),
    ],
)
def test_every_field_of_the_root_is_found(document, wanted):
    assert roots(document) == wanted


@pytest.mark.parametrize(
    "document",
    [
        *("", "{", "{}", "}", "{a", "{a(}", "query", "{a}}", '{a(x:"', "{...F}", "type A {a: Int}", "{a} type A {a: Int}"),
        "{...F} fragment F on Q{...F}",
        "{a} {b}",
        "query A{a} query A{b}",
        "query A{a} {b}",
        "{...F} fragment F on A{a} fragment F on A{b}",
        "query($a:Int $a:Int){b}",
        "{a #x\u2028b\n}",
        "{a(x:\x00)}",
        "{" * 5000,
        "{a" * 900 + "}" * 900,
        "{" + "a " * (MOST_TOKENS + 1) + "}",
        "{a(x:" + "[" * 1500 + "]" * 1500 + ")}",
        "{a}" + " " * LONGEST,
        "query Q($x: Int = $y) {a} fragment on on A {b}",
    ],
)
def test_what_is_no_document_or_two_is_undecodable(document):
    assert isinstance(operations_of(document), Undecodable)


def test_a_key_tells_what_is_run_once():
    (asked,) = operations_of("{a b:a a}")
    assert [(root.name, root.key) for root in asked.roots] == [("a", "a"), ("a", "b")]


def test_arguments_and_defaults_are_kept_as_said():
    (asked,) = operations_of('query($i:ID="d" $j:[Int!]){a(x:$i y:{z:[1 2.5 true null RED "t"] w:$j} k:1 k:2)}')
    (root,) = asked.roots
    assert root.arguments == {
        "x": Variable("i"),
        "y": {"z": (1, 2.5, True, None, "RED", "t"), "w": Variable("j")},
        "k": Doubtful(),
    }
    assert asked.defaults == {"i": "d", "j": None}


def test_variables_go_where_they_are_named_and_defaults_where_they_are_not():
    given = {"a": Variable("i"), "b": (Variable("j"),)}
    assert resolved(given, {"i": {"k": 1}}, {"i": None, "j": ("d",)}) == {"a": {"k": 1}, "b": [["d"]]}
    assert resolved(given, {}, {"i": None, "j": None}) == {"a": None, "b": [None]}
    assert resolved(given, {"i": "1"}, {"j": None}) == Doubtful()
    assert resolved({"a": {"b": Doubtful()}}, {}, {}) == Doubtful()
    assert resolved((Doubtful(),), {}, {}) == Doubtful()
    assert resolved(Variable("i"), {}, {"i": Variable("i")}) == Doubtful()


def test_fragments_that_spread_each_other_twice_take_no_longer_than_they_are_long():
    many = 150
    chain = " ".join(f"fragment F{n} on Q{{...F{n + 1} ...F{n + 1}}}" for n in range(many))
    began = time.process_time()
    assert roots(f"{{...F0 ...F0}} {chain} fragment F{many} on Q{{a}}") == [("query", "", ["a"])]
    assert time.process_time() - began < 5
