import pytest

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.mcp_servers import Server, Tool, judge_tool, server_at
from outgate.actions.router import Router
from outgate.actions.service import Auth, Service


def judged(name, tool=None, *, trusted=False):
    server = None if tool is None else Server(hosts=("tools.acme.test",), tools={name: tool}, trusted=trusted)
    access, tier, *_ = judge_tool(name, server)
    return access.value, tier.name


def test_without_a_word_the_name_counts():
    assert judged("delete_file") == ("delete", "T2")
    assert judged("delete_file", Tool()) == ("delete", "T2")
    assert judged("frobnicate") == ("unknown", "T2")


@pytest.mark.parametrize("trusted", [True, False])
def test_a_server_may_make_its_tool_worse(trusted):
    assert judged("get_report", Tool(read_only=False), trusted=trusted) == ("write", "T1")
    assert judged("get_report", Tool(destructive=True), trusted=trusted) == ("write", "T2")
    assert judged("create_issue", Tool(read_only=False, destructive=True), trusted=trusted) == ("write", "T2")
    assert judged("get_secret", Tool(read_only=False), trusted=trusted) == ("write", "T1")


def test_milder_only_one_that_is_trusted():
    assert judged("delete_file", Tool(read_only=True)) == ("delete", "T2")
    assert judged("resolve_thing", Tool(read_only=True), trusted=True) == ("read", "T0")


def test_one_that_says_both_is_not_believed():
    assert judged("delete_file", Tool(read_only=True, destructive=True), trusted=True) == ("delete", "T2")


def test_that_it_is_not_destructive_makes_nothing_milder():
    assert judged("delete_file", Tool(destructive=False), trusted=True) == ("delete", "T2")


def test_the_operator_has_the_last_word():
    tool = Tool(access=Access.READ, tier=Tier.T0, why="it only looks", read_only=False, destructive=True)
    assert judge_tool("purge", Server(hosts=(), tools={"purge": tool})) == (
        Access.READ,
        Tier.T0,
        "it only looks",
        ("services/mcp",),
    )
    assert judged("get_weather", Tool(tier=Tier.T3)) == ("read", "T3")


def test_a_tool_that_nobody_named_is_judged_by_its_name_at_a_trusted_server_too():
    assert judge_tool("drop_table", Server(hosts=(), trusted=True))[0] is Access.DELETE


def test_what_is_said_is_said_of_the_hosts_of_its_file():
    ours, theirs = Server(hosts=("*.acme.test", "tools.test:8443")), Server(hosts=("b.test",), trusted=True)
    mcp = Service(
        name="mcp", speaks="mcp", hosts=(), operations=(), auth=Auth(), routes=Router(), otherwise={}, servers=(ours, theirs)
    )
    assert server_at(mcp, "a.acme.test") is ours
    assert server_at(mcp, "tools.test:8443") is ours
    assert server_at(mcp, "b.test") is theirs
    assert server_at(mcp, "tools.test") is None
    assert server_at(None, "b.test") is None
