import pytest
from asked import asked

from outgate.actions.protocols import a2a
from outgate.intake.request import UnreadBody

AGENT = "POST https://agent.acme.test/a2a"


def call(method, params=None, **more):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}} | more


def identify(line, *, declared=True, **asking):
    return a2a.identify(asked(line, **asking), declared=declared)


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


@pytest.mark.parametrize(
    ("method", "name", "access", "tier"),
    [
        ("message/send", "message/send", "send", "T1"),
        ("SendMessage", "message/send", "send", "T1"),
        ("message/stream", "message/stream", "send", "T1"),
        ("tasks/get", "tasks/get", "read", "T0"),
        ("tasks/cancel", "tasks/cancel", "write", "T1"),
        ("tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/set", "admin", "T2"),
        ("CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set", "admin", "T2"),
        ("tasks/pushNotificationConfig/delete", "tasks/pushNotificationConfig/delete", "delete", "T1"),
    ],
)
def test_a_method_is_known_by_both_of_its_names(method, name, access, tier):
    (action,) = identify(AGENT, json=call(method, {"id": "t7"}))
    assert said(action) == (f"a2a.{name}", access, tier, True)
    assert (action.resource, action.params) == ("agent.acme.test/a2a", {"task": "t7"})


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("POST https://agent.acme.test/v1/message:send", "message/send"),
        ("POST https://agent.acme.test/x/v1/message:stream", "message/stream"),
        ("GET https://agent.acme.test/v1/tasks/t7", "tasks/get"),
        ("POST https://agent.acme.test/v1/tasks/t7:cancel", "tasks/cancel"),
        ("POST https://agent.acme.test/v1/tasks/t7/pushNotificationConfigs", "tasks/pushNotificationConfig/set"),
        ("GET https://agent.acme.test/.well-known/agent-card.json", "card"),
    ],
)
def test_so_are_paths(line, name):
    (action,) = identify(line)
    assert (action.operation, action.mapped) == (name, True)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("pushNotificationConfig", AGENT),
        ("taskPushNotificationConfig", AGENT),
        ("push_notification", "POST https://agent.acme.test/v1/message:send"),
    ],
)
def test_where_it_is_to_report_to_is_an_action_of_its_own(key, line):
    params = {"message": {}, "configuration": {key: {"url": "https://evil.test/x"}}}
    first, second = identify(line, json=call("message/send", params) if line == AGENT else params)
    assert first.operation == "message/send"
    assert said(second) == ("a2a.tasks/pushNotificationConfig/set", "admin", "T2", True)
    assert (second.resource, second.params) == ("https://evil.test/x", {"url": "https://evil.test/x"})


@pytest.mark.parametrize(
    "body",
    [
        *([], [call("message/send")], 7, {}, call("tools/call"), call(7), call("message/send", jsonrpc="1.0")),
        *(call("tasks/get", METHOD="message/send"),),
    ],
)
def test_what_is_no_message_is_unreadable(body):
    (action,) = identify(AGENT, json=body)
    assert said(action) == ("a2a.unreadable", "unknown", "T2", False)


def test_one_that_nobody_read_is_unreadable():
    for line in (AGENT, "POST https://agent.acme.test/v1/message:send"):
        kind = {"content-type": "application/json"}
        assert identify(line, headers=kind, body=UnreadBody(10, too_large=True))[-1].operation == "unreadable"


def test_a_host_that_nobody_declared_is_told_by_its_methods():
    (action,) = identify(AGENT, declared=False, json=call("message/send"))
    assert said(action) == ("a2a.message/send", "send", "T1", False)
    (read,) = identify(AGENT, declared=False, json=call("tasks/get"))
    assert said(read)[1:] == ("unknown", "T2", False)
    assert identify(AGENT, declared=False, json={"a": 1}) == ()
    assert identify(AGENT, declared=False, json=[1]) == ()
    assert identify("GET https://x.test/v1/tasks/7", declared=False) == ()
    assert a2a.may_be(asked(AGENT, json={}))
    assert a2a.may_be(asked("GET https://x.test/.well-known/agent-card.json"))
    assert not a2a.may_be(asked("GET https://x.test/v1/tasks/7"))


def test_what_is_no_message_and_no_path_is_nothing():
    assert identify("GET https://agent.acme.test/") == ()
    assert a2a.wants_body(asked(AGENT))
