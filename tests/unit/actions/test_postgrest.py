import pytest
from asked import asked
from spoken import envelope

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.postgrest import operations, read

HOME = "https://p.supabase.co/rest/v1"


def done(line, *, table="users", function=None, **said):
    method, _, rest = line.partition(" ")
    params = {"function": function} if function else {"table": table}
    (action,) = read(envelope(asked(f"{method} {HOME}/{rest}", **said), params=params))
    return action


@pytest.mark.parametrize(
    ("line", "operation", "access", "tier"),
    [
        ("GET users", "select", Access.READ, Tier.T0),
        ("HEAD users", "select", Access.READ, Tier.T0),
        ("POST users", "insert", Access.WRITE, Tier.T1),
        ("PUT users?id=eq.1", "upsert", Access.WRITE, Tier.T1),
        ("PATCH users?id=eq.1", "update", Access.WRITE, Tier.T1),
        ("PATCH users", "update", Access.WRITE, Tier.T3),
        ("DELETE users?id=eq.1", "delete", Access.DELETE, Tier.T2),
        ("DELETE users", "delete", Access.DELETE, Tier.T3),
    ],
)
def test_the_method_says_what_is_done_to_a_table(line, operation, access, tier):
    action = done(line)
    assert (action.operation, action.access, action.tier) == (f"postgrest.{operation}", access, tier)
    assert action.resource == "users"
    assert action.params["tables"] == ("users",)


@pytest.mark.parametrize(
    ("query", "picks"),
    [
        *((text, True) for text in ("id=eq.1", "id=in.(1,2)", "a=is.null", "a=gt.5", "a=like.x*", "a=ilike.*x*", "id=gt.0&id=eq.1")),
        *((text, True) for text in ("or=(id.eq.1,id.eq.2)", "and=(id.gt.0,a.eq.1)", "a=fts(english).cat", "a=cs.{1}", "a=eq(any).{1,2}")),
        *((text, False) for text in ("select=id", "order=id", "limit=5", "id=not.is.null", "id=neq.0", "id=gt.0", "id=gte.-1", "id=gte.0")),
        *((text, False) for text in ("a=like.*", "a=ilike.%25", "or=(id.eq.1,id.gt.0)", "orders.id=eq.1", "id=not.eq.0", "or=(", "and=()")),
        *((text, False) for text in ("or=(and(id.eq.1),id.eq.2)", "apikey=eq.1", "on_conflict=eq.1", "columns=eq.1")),
    ],
)  # fmt: skip
def test_a_filter_picks_rows_or_leaves_nearly_all(query, picks):
    action = done(f"DELETE users?{query}")
    assert action.params["where"] is picks
    assert action.tier is (Tier.T2 if picks else Tier.T3)


def test_tables_of_a_selection_are_read_too():
    action = done("GET users?select=name,total:amount.sum(),o:orders!inner(id,items(*))&limit=7")
    assert action.params["tables"] == ("users", "orders", "items")
    assert action.params["limit"] == 7


def test_headers_say_schema_range_and_how_conflicts_end():
    read_ = done("GET users", headers={"accept-profile": "hr", "range": "10-19"})
    assert (read_.params["schema"], read_.params["limit"]) == ("hr", 10)
    assert done("POST users", headers={"prefer": "resolution=merge-duplicates"}).operation == "postgrest.upsert"
    assert done("POST users", headers={"prefer": "resolution=ignore-duplicates"}).operation == "postgrest.insert"
    assert done("DELETE users?id=eq.1", headers={"prefer": "tx=rollback"}).params["dry_run"] is True


def test_a_function_is_judged_by_its_name_where_it_may_write():
    assert (done("POST rpc/delete_user", function="delete_user").access, done("GET rpc/x", function="x").tier) == (
        Access.DELETE,
        Tier.T1,
    )
    call = done("POST rpc/my_thing", function="my_thing")
    assert (call.operation, call.access, call.tier, call.params["names"]) == (
        "postgrest.call",
        Access.EXECUTE,
        Tier.T1,
        ("my_thing",),
    )
    assert done("GET rpc/delete_user", function="delete_user").access is Access.EXECUTE


@pytest.mark.parametrize(
    ("line", "table"), [("GET users?limit=1&limit=2", "users"), ("GET x", "a b"), ("GET x", ""), ("GET users?a=%ff", "users")]
)
def test_what_is_read_in_two_ways_is_unreadable(line, table):
    action = done(line, table=table)
    assert (action.operation, action.access, action.tier) == ("unreadable", Access.UNKNOWN, Tier.T2)


def test_it_lists_what_a_service_may_be_told():
    assert {operation.name for operation in operations("acme")} >= {"acme.postgrest.delete", "acme.postgrest.call"}
