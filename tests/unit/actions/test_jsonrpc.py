import pytest
from asked import asked

from outgate.actions.action import Access, Tier
from outgate.actions.identify import identify, wants_body
from outgate.actions.protocols import jsonrpc
from outgate.actions.protocols.mcp_servers import Server, Tool
from outgate.intake.request import UnreadBody
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
DECLARED, UNKNOWN = "POST https://mcp.linear.app/mcp", "POST https://tools.unknown.test/mcp"
TAKES_BOTH = {"accept": "application/json, text/event-stream"}


def call(method, given=None, **more):
    return {"jsonrpc": "2.0", "id": 1, "method": method} | ({"params": given} if given is not None else {}) | more


def tool(name, **arguments):
    return call("tools/call", {"name": name, "arguments": arguments})


def one(line, message, **asking):
    (action,) = identify(asked(line, json=message, **asking), CATALOG)
    return action


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


def test_a_tool_call_is_named_after_its_tool():
    action = one(
        DECLARED, tool("delete_file", path="/tmp/x", force=True, lines=[1], names=["a", "b"], deep={"a": 1}, size=3, half=0.5)
    )
    assert said(action) == ("mcp.tools/call:delete_file", "delete", "T2", True)
    assert action.resource == "mcp.linear.app/mcp"
    assert action.params == {"path": "/tmp/x", "force": True, "names": ("a", "b"), "size": 3}


def test_a_method_of_mcp_is_known():
    assert said(one(DECLARED, call("tools/list"))) == ("mcp.tools/list", "list", "T0", True)
    assert said(one(DECLARED, call("initialize", {}))) == ("mcp.initialize", "read", "T0", True)


def test_a_resource_is_a_parameter():
    action = one(DECLARED, call("resources/read", {"uri": "file:///etc/passwd"}))
    assert (action.name, action.params) == ("mcp.resources/read", {"uri": "file:///etc/passwd"})


def test_a_prompt_is_named():
    assert one(DECLARED, call("prompts/get", {"name": "review"})).name == "mcp.prompts/get:review"


def test_another_method_is_judged_by_its_name_and_stays_a_guess():
    assert said(one(DECLARED, call("admin/deleteUser"))) == ("mcp.other:admin/deleteUser", "delete", "T2", False)


def test_an_answer_to_the_server_is_an_action():
    assert one(DECLARED, {"jsonrpc": "2.0", "id": 7, "result": {"content": "x"}}).name == "mcp.answer"


def test_a_batch_is_as_many_actions():
    actions = identify(asked(DECLARED, json=[call("tools/list"), tool("create_x"), tool("drop_x")]), CATALOG)
    assert [action.name for action in actions] == ["mcp.tools/list", "mcp.tools/call:create_x", "mcp.tools/call:drop_x"]


@pytest.mark.parametrize(
    "message",
    [
        *([], {}, [{}], 7, None, "x", [call("tools/list"), 7], [[call("tools/list")]], [call("ping")] * 101),
        *({"jsonrpc": "1.0", "id": 1, "method": "ping"}, {"jsonrpc": 2.0, "id": 1, "method": "ping"}),
        *({"jsonrpc": "2.0", "id": 1}, {"jsonrpc": "2.0", "id": 1, "result": 1, "error": {}}),
        *(call(7), call(""), call("a b"), call("é"), call("tools/list", 7), call("tools/list", "x")),
        *(call("tools/call"), call("tools/call", {}), call("tools/call", {"name": 7}), call("tools/call", {"name": "a b"})),
        *(call("tools/call", {"name": "d\u0435lete"}), call("tools/call", ["delete"]), call("resources/read", {"uri": "a\nb"})),
        *(call("tools/list") | {"Method": "tools/call"}, call("tools/list") | {"PARAMS": {}}),
    ],
)  # fmt: skip
def test_what_is_no_single_message_is_unreadable(message):
    actions = identify(asked(DECLARED, json=message), CATALOG)
    assert any(said(action) == ("mcp.unreadable", "unknown", "T2", False) for action in actions)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"jsonrpc":"2.0","method":"ping","method":"tools/call"}',
        '{"jsonrpc":"2.0","id":1,"method":"ping"}{}',
        "\ufeff{}",
        "[" * 99,
    ],
)
def test_bad_json_at_a_server_is_unreadable(text):
    (action,) = identify(asked(DECLARED, text=text, headers={"content-type": "application/json"}), CATALOG)
    assert said(action) == ("mcp.unreadable", "unknown", "T2", False)


def test_json_under_another_name_is_unreadable():
    (action,) = identify(
        asked(DECLARED, text='{"jsonrpc":"2.0","id":1,"method":"ping"}', headers={"content-type": "text/plain"}), CATALOG
    )
    assert action.name == "mcp.unreadable"


def test_a_message_too_large_to_be_read_is_unreadable():
    (action,) = identify(
        asked(DECLARED, body=UnreadBody(10**7, too_large=True), headers={"content-type": "application/json"}), CATALOG
    )
    assert action.name == "mcp.unreadable"


@pytest.mark.parametrize(
    ("headers", "message", "name"),
    [
        ({"mcp-method": "tools/list"}, call("tools/list"), "mcp.tools/list"),
        ({"mcp-method": "tools/call", "mcp-name": "list_x"}, tool("list_x"), "mcp.tools/call:list_x"),
        ({"mcp-method": "tools/list"}, tool("list_x"), "mcp.unreadable"),
        ({"mcp-method": "tools/call", "mcp-name": "list_x"}, tool("delete_x"), "mcp.unreadable"),
        ({"mcp-name": "list_x"}, call("tools/list"), "mcp.unreadable"),
        ({"mcp-method": "TOOLS/LIST"}, call("tools/list"), "mcp.unreadable"),
    ],
)
def test_headers_say_the_same_as_the_message(headers, message, name):
    assert one(DECLARED, message, headers=headers).name == name


def test_headers_can_not_speak_for_a_batch():
    (action,) = identify(asked(DECLARED, json=[call("ping"), tool("delete_x")], headers={"mcp-method": "ping"}), CATALOG)
    assert action.name == "mcp.unreadable"


def test_at_a_host_that_nobody_declared_nothing_is_a_read_and_all_is_a_guess():
    assert said(one(UNKNOWN, call("tools/list"))) == ("mcp.tools/list", "unknown", "T1", False)
    assert said(one(UNKNOWN, tool("get_weather"))) == ("mcp.tools/call:get_weather", "unknown", "T1", False)
    assert said(one(UNKNOWN, tool("delete_file"))) == ("mcp.tools/call:delete_file", "delete", "T2", False)


def test_json_at_a_host_that_nobody_declared_is_http():
    assert said(one(UNKNOWN, {"a": 1})) == ("http.POST", "unknown", "T2", False)
    assert said(one(UNKNOWN, call("eth_sendRawTransaction", ["0x"]))) == ("http.POST", "unknown", "T2", False)


def test_what_bears_marks_of_mcp_and_is_none_is_unreadable():
    assert one(UNKNOWN, {"a": 1}, headers=TAKES_BOTH).name == "mcp.unreadable"
    assert one(UNKNOWN, {"a": 1}, headers={"mcp-session-id": "s"}).name == "mcp.unreadable"
    (action,) = identify(asked(UNKNOWN, text='{"jsonrpc": "2.0", oops', headers={"content-type": "application/json"}), CATALOG)
    assert action.name == "mcp.unreadable"


def test_a_session_is_listened_to_and_closed():
    assert said(identify(asked("GET https://mcp.linear.app/mcp"), CATALOG)[0]) == ("mcp.listen", "read", "T0", True)
    assert said(identify(asked("DELETE https://mcp.linear.app/mcp"), CATALOG)[0]) == ("mcp.close", "write", "T1", True)
    assert (
        identify(asked("DELETE https://tools.unknown.test/mcp", headers={"mcp-session-id": "s"}), CATALOG)[0].name
        == "http.DELETE"
    )
    assert identify(asked("PUT https://mcp.linear.app/mcp", json=call("ping")), CATALOG)[0].name == "http.PUT"


def test_the_body_is_wanted_where_it_may_be_a_message():
    assert wants_body(asked(DECLARED), CATALOG)
    assert wants_body(asked(UNKNOWN, headers={"content-type": "application/json"}), CATALOG)
    assert wants_body(asked(UNKNOWN, headers={"mcp-session-id": "s"}), CATALOG)
    assert not wants_body(asked(UNKNOWN, headers={"content-type": "application/octet-stream"}), CATALOG)
    assert not wants_body(asked("GET https://mcp.linear.app/mcp"), CATALOG)


def test_a_version_of_mcp_that_has_no_batches_gets_none():
    batch = [call("tools/list"), tool("create_x")]
    for version, name in (("2025-03-26", "mcp.tools/list"), ("2025-06-18", "mcp.unreadable"), ("2026-07-28", "mcp.unreadable")):
        actions = identify(asked(DECLARED, json=batch, headers={"mcp-protocol-version": version}), CATALOG)
        assert actions[0].name == name
    assert one(DECLARED, tool("create_x"), headers={"mcp-protocol-version": "2025-06-18"}).name == "mcp.tools/call:create_x"


def test_what_is_said_of_a_servers_tools_counts():
    known = Server(hosts=(), tools={"frobnicate": Tool(access=Access.READ, tier=Tier.T0, why="only looks")})
    (action,) = jsonrpc.identify(asked(DECLARED, json=tool("frobnicate")), declared=True, known=known)
    assert (said(action), action.why, action.evidence) == (
        ("mcp.tools/call:frobnicate", "read", "T0", True),
        "only looks",
        ("mcp", "services/mcp"),
    )


def test_a_task_is_asked_for_in_mcp_where_that_is_declared_and_in_a2a_elsewhere():
    assert said(one(DECLARED, call("tasks/get", {"taskId": "7"}))) == ("mcp.tasks/get", "read", "T0", True)
    assert one(UNKNOWN, call("tasks/get", {"id": "7"})).name == "a2a.tasks/get"
    assert one(UNKNOWN, call("tasks/get", {"taskId": "7"}), headers=TAKES_BOTH).name == "mcp.tasks/get"
