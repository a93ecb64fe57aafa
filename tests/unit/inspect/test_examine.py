"""A request examined: its actions, with the data in them where somebody asks."""

from asked import asked
from gated import CATALOG

from outgate.inspect.examine import examine

KEY = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"


def test_every_action_has_the_data_of_its_request():
    request = asked("POST https://mcp.test/mcp", json=[_call("a"), _call("b", KEY)])
    found = examine(request, CATALOG, data=True)
    assert [action.data for action in found] == [frozenset({"secret"})] * 2


def test_nobody_looks_for_data_that_nobody_asks_for():
    assert not any(action.data for action in examine(asked("POST https://a.test/", text=KEY), CATALOG, data=False))


def test_where_there_is_none_the_actions_are_as_they_are():
    request = asked("POST https://a.test/", text="nothing")
    assert examine(request, CATALOG, data=True) == examine(request, CATALOG, data=False)


def _call(name, said=""):
    return {"jsonrpc": "2.0", "id": name, "method": "tools/call", "params": {"name": name, "arguments": {"text": said}}}
