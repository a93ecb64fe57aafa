import pytest
from policies import CATALOG, NOON, policy

from outgate.intake.agents import Agent
from outgate.intake.request import Unreadable, UnreadBody, WholeBody
from outgate.policy.call import Call, call, rehearse
from outgate.policy.effect import Effect


def came(line, rules="", **more):
    of = call(line, **more)
    return rehearse(of, Agent(id="coder", since=NOON), NOON, policy(rules), CATALOG)


@pytest.mark.parametrize(
    ("line", "method", "scheme", "host", "port", "target"),
    [
        ("GET https://api.test/a/b?c=d", "GET", "https", "api.test", 443, "/a/b?c=d"),
        ("https://api.test", "GET", "https", "api.test", 443, "/"),
        ("DELETE http://api.test:8080/x", "DELETE", "http", "api.test", 8080, "/x"),
        ("GET https://[::1]:8443/x?", "GET", "https", "::1", 8443, "/x?"),
    ],
)
def test_a_line_becomes_the_request_that_a_plane_would_see(line, method, scheme, host, port, target):
    request = came(line).request
    assert (request.method, request.scheme, request.host, request.port, request.target) == (method, scheme, host, port, target)


@pytest.mark.parametrize(
    "line", ["", "GET", "GET /x", "GET ftp://a.test/", "GET https://", "GET https://u:p@a.test/", "GET https://a.test:99999/"]
)
def test_what_is_no_call_says_so(line):
    with pytest.raises(ValueError):
        call(line)


def test_a_body_is_sent_whole_and_its_method_is_post():
    request = came("https://api.test/x", content=b"{}").request
    assert (request.method, request.body) == ("POST", WholeBody(b"{}"))
    assert request.header("content-length") == "2"


def test_a_request_with_two_readings_is_refused_as_by_a_gate():
    assert isinstance(came("GET https://api.test/../x"), Unreadable)


def test_a_rehearsal_decides_as_the_gate_would():
    assert came("POST https://api.test/x").decision.answer is Effect.BLOCK
    assert came("GET https://api.test/x").decision.answer is Effect.ESCALATE


def test_a_body_that_nobody_read_is_missing_where_a_rule_asks_for_it():
    head = call("POST https://api.test/x", content=b"x")
    of = Call(raw=head.raw, body=UnreadBody())
    decided = rehearse(of, Agent(id="coder"), NOON, policy("- {id: a, match: {data: secret}, effect: block}"), CATALOG)
    assert decided.facts.unread
    assert decided.decision.verdicts[0].matches[0].error == "missing:data"
