import pytest
from asked import asked
from spoken import envelope

from outgate.actions.action import Access, Confidence, Tier
from outgate.actions.operation import Told
from outgate.actions.protocols.sql import operations, params_of, read
from outgate.actions.protocols.sql_statement import Statement
from outgate.actions.written import source_of

HOME = "POST https://db.acme.example/sql"
STATEMENT = Told(language="sql", source=source_of("json", "q"), options={"dialect": "postgres"})


def done(body, told=STATEMENT, **said):
    return read(envelope(asked(HOME, json=body), told=told, **said))


def names(actions):
    return [action.operation for action in actions]


def test_a_statement_is_an_action_in_place_of_what_carries_it():
    (action,) = done({"q": "delete from users"}, instance="database:acme", params={"database": "d"})
    assert (action.name, action.access, action.tier) == ("acme.sql.delete", Access.DELETE, Tier.T3)
    assert action.params == {
        "database": "d",
        "tables": ("users",),
        "columns": (),
        "where": False,
        "statement": "delete from users",
    }
    assert (action.resource, action.instance, action.confidence) == ("users", "database:acme", Confidence.PROTOCOL)
    assert action.why == "all rows: nothing says which"


def test_statements_stand_in_several_places():
    told = Told(language="sql", source=source_of("json", "q"), options={"also": "json.more.*.q json.last", "dialect": "postgres"})
    assert names(done({"q": "select 1", "more": [{"q": "drop table t"}], "last": "vacuum"}, told)) == [
        "sql.select",
        "sql.drop",
        "sql.vacuum",
    ]
    assert names(done({"q": ["select 1", "truncate t"]}, told)) == ["sql.select", "sql.truncate"]


def test_what_goes_on_elsewhere_is_one_statement():
    told = Told(language="sql", source=source_of("query", "q"), options={"joined": "text.body", "dialect": "postgres"})
    request = asked("POST https://db.acme.example/?q=delete%20from%20t", text="where id = 5")
    (action,) = read(envelope(request, told=told))
    assert (action.operation, action.tier) == ("sql.delete", Tier.T2)
    assert action.params["statement"] == "delete from t\nwhere id = 5"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"q": ""},
        {"q": 7},
        {"q": ["select 1", 7]},
        {"q": "selec"},
        {"q": "select 1", "Q": "drop table t"},
        {"q": "select 1", "id": 7},
    ],
)
def test_what_cannot_be_read_stays_what_carries_it_and_is_unreadable(body):
    told = Told(language="sql", source=source_of("json", "q"), options={"unless": "json.id", "dialect": "postgres"})
    carrier, unreadable = done(body, told)
    assert carrier.operation == "carrier"
    assert (unreadable.operation, unreadable.access, unreadable.tier) == ("unreadable", Access.UNKNOWN, Tier.T2)


def test_a_body_that_is_no_json_is_unreadable():
    request = asked(HOME, headers={"content-type": "application/json"}, text="{")
    assert names(read(envelope(request, told=STATEMENT))) == ["carrier", "unreadable"]


def test_a_dialect_that_nobody_knows_is_any():
    told = Told(language="sql", source=source_of("json", "q"), options={"dialect": "klingon"})
    assert names(done({"q": "select 1"}, told)) == ["sql.select"]


def test_rules_read_what_a_statement_says():
    bare = Statement(kind="call", access=Access.EXECUTE, tier=Tier.T2, why="", functions=("f",), limit=3)
    assert params_of(bare, "x" * 5000) == {"names": ("f",), "limit": 3}


def test_it_lists_what_a_service_may_be_told():
    listed = {operation.name: operation for operation in operations("acme")}
    assert listed["acme.sql.delete"].access is Access.DELETE
    assert listed["acme.sql.select"].params["tables"] == "list"
