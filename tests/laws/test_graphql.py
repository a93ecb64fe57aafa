"""What graphql-core's own executor ran must be among the actions; no document crashes the reader; no mutation is only a read."""

import json

from asked import asked
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    execute_sync,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from spoken import envelope

from outgate.actions.protocols.graphql import read
from outgate.actions.protocols.graphql_document import operations_of
from outgate.intake.bodies import Undecodable

RAN = []
FIELDS = ("look", "list", "wipe", "send")


def root(kind):
    """A type of the root whose fields write down that they ran, and lead back to it."""

    def field(name):
        def resolve(source, _info, **given):
            if source is None:
                RAN.append((kind, name, given.get("id")))
            return {}

        return GraphQLField(made, args={"id": GraphQLArgument(GraphQLString)}, resolve=resolve)

    made = GraphQLObjectType(kind.capitalize(), lambda: {name: field(name) for name in FIELDS})
    return made


SCHEMA = GraphQLSchema(query=root("query"), mutation=root("mutation"))
NAMES = st.sampled_from(["", "A", "B"])
ARGUMENTS = st.sampled_from(["", "(id:1)", '(id:"1")', "(id:$v)", '(id:"}")', '(id:"""\n"}{""")', "(id:$w)", '(id:"1" id:"2")'])
DIRECTIVES = st.sampled_from(["", " @include(if:true)", " @skip(if:true)", " @include(if:$b)"])
ALIASES = st.sampled_from(["", "", "a:", "b:", "look:"])
INNER = st.sampled_from(["{__typename}", "{look{__typename}}", "{__typename ...F}", ""])
FIELD = st.builds("{}{}{}{}{}".format, ALIASES, st.sampled_from([*FIELDS, "__typename", "nope"]), ARGUMENTS, DIRECTIVES, INNER)
SPREADS = st.sampled_from(["...F", "...G @skip(if:false)", "...on Query", "# {wipe}\n", ",", "\ufeff"])
SELECTIONS = st.recursive(
    FIELD | SPREADS,
    lambda inner: st.builds(
        "{}{{{}}}".format,
        st.sampled_from(["...", "... on Query", "... on Mutation", "... @include(if:true)"]),
        st.lists(inner, min_size=1, max_size=3).map(" ".join),
    ),
    max_leaves=6,
)
SETS = st.lists(SELECTIONS, min_size=1, max_size=4).map(lambda parts: "{" + " ".join(parts) + "}")
KINDS = st.sampled_from(["query", "mutation", "query", "subscription", ""])
VARIABLES = st.sampled_from(["", '($v:String="d" $w:String $b:Boolean=false)'])
DEFINITIONS = st.builds(
    lambda kind, name, variables, body: f"{kind} {name}{variables if kind else ''}{body}", KINDS, NAMES, VARIABLES, SETS
) | st.builds("fragment {} on {}{}".format, st.sampled_from("FG"), st.sampled_from(["Query", "Mutation"]), SETS)
DOCUMENTS = st.lists(DEFINITIONS, min_size=1, max_size=4).map("\n".join)
GIVEN = st.fixed_dictionaries({}, optional={"v": st.text(max_size=2), "b": st.booleans(), "w": st.none() | st.just("x")})


def ran(document, variables, name):
    """What a server runs that does not validate, as the most lenient do."""
    RAN.clear()
    try:
        execute_sync(SCHEMA, parse(document), variable_values=variables, operation_name=name or None)
    except GraphQLError:
        return []
    return list(RAN)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, GIVEN, NAMES)
def test_every_field_that_a_server_runs_is_an_action(document, variables, name):
    body = {"query": document, "variables": variables} | ({"operationName": name} if name else {})
    actions = read(envelope(asked("POST https://a.example/graphql", json=body)))
    told = {(action.operation, action.params.get("id")) for action in actions}
    if actions[-1].operation == "unreadable":
        return  # unknown, and never a read: whatever it runs
    for kind, field, given_id in ran(document, variables, name):
        assert (f"graphql.{kind}.{field}", given_id) in told or (f"graphql.{kind}.{field}", None) in told, (document, told)
        assert kind == "query" or not all(action.access.only_reads for action in actions)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS | st.text(max_size=40) | st.text(st.sampled_from('{}()[]a:$!@.|&="#\n\\u1 '), max_size=40))
def test_no_document_crashes_the_reader(document):
    found = operations_of(document)
    assert isinstance(found, Undecodable) or all(one.roots for one in found)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | DOCUMENTS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["query", "Query", "variables", "operationName", "extensions", "persistedQuery", "sha256Hash", "doc_id", "id"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=8,
    )
)
def test_every_body_is_at_least_one_action_and_none_that_is_unreadable_reads(body):
    request = asked("POST https://a.example/graphql", headers={"content-type": "application/json"}, text=json.dumps(body))
    actions = read(envelope(request))
    assert actions
    assert all(not action.access.only_reads for action in actions if action.operation == "unreadable")
