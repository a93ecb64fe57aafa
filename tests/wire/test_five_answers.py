"""Five answers over HTTP, HTTPS with HTTP/1.1 and HTTP/2: what the client got, what the upstream saw, and what the mock saw."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from signed import Signer, people

from outgate.stores.catalog_files import load_catalog

if TYPE_CHECKING:
    from wire.clients import Answer
    from wire.gateway import Gateway

PROTOCOLS = ("http", "https", "h2")
ALICE, ANN = Signer("alice"), Signer("ann")
POLICY = """
    outgate: policy/v1alpha
    policy: five
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}, to: ops}
    approvers:
      ops: {need: 1, of: ["group:ops"]}
    mocks:
      default: {url: "http://mock.test"}
    rules:
      - {id: no, match: {resource: "*/no*"}, effect: block, tell: "This stays here."}
      - {id: ask, match: {resource: "*/ask*"}, effect: escalate, to: ops, tell: "People decide on this."}
      - {id: ask-too-often, match: {resource: "*/often*"}, limit: 1/hour, effect: escalate, to: ops, tell: "Once an hour, then ask."}
      - {id: play, match: {resource: "*/play*"}, effect: sandbox, tell: "Try this in a sandbox."}
      - {id: few, match: {resource: "*/few*"}, limit: 1/hour, effect: throttle, tell: "Once an hour."}
      - {id: slow, match: {resource: "*/slow*"}, limit: 5/second, burst: 1, maxDelay: 3s, effect: throttle}
      - {id: rows, phase: response, match: {resource: "*/rows*"}, when: response.rows > 3, effect: block, tell: "Too many rows."}
"""


@pytest.fixture
def start(make):
    """Make a gate with that policy, an upstream for the protocol, and a mock."""

    async def one(protocol: str, rules: str = "", **said):
        gateway = await make(policy_text=POLICY + rules, people=people(ALICE, ANN), **said)
        upstream = await gateway.upstream(tls=protocol != "http", alpn=("h2", "http/1.1") if protocol == "h2" else ("http/1.1",))
        return gateway, upstream, await gateway.stand_in()

    return one


async def ask(gateway: Gateway, protocol: str, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    if protocol == "http":
        async with await gateway.plain() as client:
            await client.request(method, f"http://api.test{path}", "api.test", body, **headers)
            return await client.answer()
    if protocol == "https":
        async with await gateway.https() as client:
            await client.request(method, path, "api.test", body, **headers)
            return await client.answer()
    async with await gateway.h2() as client, client.wire:
        named = [(name.lower().replace("_", "-"), value) for name, value in headers.items()]
        return await client.answer(await client.request(method, path, "api.test", body=body, headers=named))


def answers(gateway: Gateway) -> list[str]:
    return [decision["answer"] for decision in gateway.decisions()]


async def outcomes(gateway: Gateway) -> list[str]:
    await gateway.stop()
    return [outcome["result"] for outcome in gateway.outcomes()]


async def granted(gateway: Gateway, answer: Answer, *signers: Signer, deny: bool = False) -> None:
    """Have people vote on what an answer asks for."""
    approval = await gateway.desk.get(answer.header("outgate-approval"))
    for signer in signers:
        await gateway.desk.vote(approval.id, signer.vote(approval, datetime.now(UTC), deny=deny))


# each answer


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_allow_reaches_the_upstream_and_no_mock(start, protocol):
    gateway, upstream, mock = await start(protocol)
    answer = await ask(gateway, protocol, "POST", "/yes", b"{}")
    assert (answer.status, answer.body, answer.header("outgate-decision")) == (200, b"ok", None)
    assert ([seen.target for seen in upstream.seen], mock.accepted) == (["/yes"], 0)
    assert await outcomes(gateway) == ["executed"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_block_reaches_nobody(start, protocol):
    gateway, upstream, mock = await start(protocol)
    answer = await ask(gateway, protocol, "POST", "/no", b"{}")
    said = json.loads(answer.body)
    assert (answer.status, answer.header("outgate-decision"), answer.header("x-should-retry")) == (403, "block", "false")
    assert said["detail"] == "This stays here."
    assert (upstream.accepted, mock.accepted) == (0, 0)
    assert await outcomes(gateway) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_throttle_lets_as_many_through_as_the_limit_says_and_tells_when_to_come_back(start, protocol):
    gateway, upstream, mock = await start(protocol)
    assert (await ask(gateway, protocol, "POST", "/few", b"{}")).status == 200
    answer = await ask(gateway, protocol, "POST", "/few", b"{}")
    assert (answer.status, answer.header("outgate-decision")) == (429, "throttle")
    assert answer.header("ratelimit-policy") == '"few";q=1;w=3600'
    state = answer.header("ratelimit")
    assert state.startswith('"few";r=0;t=')
    assert 3590 <= int(answer.header("retry-after")) <= 3600
    assert answer.header("x-should-retry") == "false", "no client waits an hour"
    assert json.loads(answer.body)["limits"][0]["name"] == "few"
    assert ([seen.target for seen in upstream.seen], mock.accepted) == (["/few"], 0)
    assert await outcomes(gateway) == ["executed"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_sandbox_reaches_the_mock_alone_and_says_so(start, protocol):
    gateway, upstream, mock = await start(protocol)

    async def pretend(turn):
        await turn.answer(201, b'{"id": 1}', set_cookie="a=b", strict_transport_security="max-age=1", cache_control="public")

    mock.answers["/play/1"] = pretend
    answer = await ask(
        gateway, protocol, "POST", "/play/1?a=b", b'{"x":1}', Authorization="Bearer real", Outgate_Mocked="spoofed"
    )
    assert (answer.status, answer.body) == (201, b'{"id": 1}')
    assert (answer.header("outgate-decision"), answer.header("cache-control")) == ("sandbox", "no-store")
    assert [answer.header(name) for name in ("set-cookie", "strict-transport-security")] == [None, None]
    (decision,) = gateway.decisions()
    assert answer.header("outgate-receipt") == f"wire-{decision['seq']}"
    (seen,) = mock.seen
    assert (seen.method, seen.target, bytes(seen.body)) == ("POST", "/play/1?a=b", b'{"x":1}')
    assert seen.header("outgate-mocked") == ("http" if protocol == "http" else "https") + "://api.test"
    assert seen.header("outgate-agent") == "coder"
    assert "Bearer real" not in str(seen.headers)
    assert upstream.accepted == 0
    assert await outcomes(gateway) == ["mocked"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_escalate_reaches_nobody_until_people_say_yes_and_then_once(start, protocol):
    gateway, upstream, mock = await start(protocol)
    first = await ask(gateway, protocol, "POST", "/ask", b'{"a":1}')
    said = json.loads(first.body)
    assert (first.status, first.header("outgate-decision"), first.header("x-should-retry")) == (403, "escalate", "false")
    assert first.header("outgate-approval") == said["approval_id"]
    assert said["status_url"] == f"http://outgate.internal/approvals/{said['approval_id']}"
    assert said["status_url"] in said["detail"]
    assert upstream.accepted == 0
    again = await ask(gateway, protocol, "POST", "/ask", b'{"a":1}')
    assert json.loads(again.body)["approval_id"] == said["approval_id"], "people are asked once"
    await granted(gateway, first, ALICE)
    assert (await ask(gateway, protocol, "POST", "/ask", b'{"a":2}')).status == 403, "another body is another request"
    assert (await ask(gateway, protocol, "POST", "/ask", b'{"a":1}')).body == b"ok"
    assert (await ask(gateway, protocol, "POST", "/ask", b'{"a":1}')).status == 403, "once"
    assert ([bytes(seen.body) for seen in upstream.seen], mock.accepted) == ([b'{"a":1}'], 0)
    assert await outcomes(gateway) == ["executed"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_persons_no_is_told_as_one(start, protocol):
    gateway, upstream, _ = await start(protocol)
    first = await ask(gateway, protocol, "POST", "/ask", b"{}")
    await granted(gateway, first, ANN, deny=True)
    answer = await ask(gateway, protocol, "POST", "/ask", b"{}")
    assert json.loads(answer.body)["type"].endswith("/approval-denied")
    assert [answer.header(name) for name in ("outgate-approval", "retry-after")] == [None, None]
    assert upstream.accepted == 0


# waiting


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_client_that_waits_gets_its_answer(start, protocol):
    gateway, upstream, _ = await start(protocol, hold=timedelta(seconds=20))
    asked = asyncio.create_task(ask(gateway, protocol, "POST", "/ask", b'{"a":1}'))
    approval = await on_the_desk(gateway)
    assert upstream.accepted == 0
    await gateway.desk.vote(approval.id, ALICE.vote(approval, datetime.now(UTC)))
    assert (await asked).body == b"ok"
    assert await outcomes(gateway) == ["executed"]


async def on_the_desk(gateway: Gateway):
    """Wait until people are asked."""
    async with asyncio.timeout(20):
        while not (asked := gateway.events("approval-asked")):
            await asyncio.sleep(0.01)
    return await gateway.desk.get(asked[-1]["approval"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_client_that_leaves_is_waited_for_no_longer_and_its_request_never_leaves(start, protocol):
    gateway, upstream, _ = await start(protocol, hold=timedelta(seconds=60))
    asked = asyncio.create_task(ask(gateway, protocol, "POST", "/ask", b'{"a":1}'))
    approval = await on_the_desk(gateway)
    asked.cancel()
    async with asyncio.timeout(10):
        while gateway.engine.clients:
            await asyncio.sleep(0.01)
    assert not gateway.gate._waiting._counts["held"], "nothing of it waits on"
    await gateway.desk.vote(approval.id, ALICE.vote(approval, datetime.now(UTC)))
    assert (await ask(gateway, protocol, "POST", "/ask", b'{"a":1}')).body == b"ok", "the grant is still there"
    assert len(upstream.seen) == 1


async def test_a_stream_that_is_reset_is_waited_for_no_longer_and_its_siblings_go_on(start):
    gateway, upstream, _ = await start("h2", hold=timedelta(seconds=60))
    async with await gateway.h2() as client:
        held = [await client.request("POST", "/ask", "api.test", body=b"%d" % number) for number in range(20)]
        async with asyncio.timeout(20):
            while len(gateway.events("approval-asked")) < 20:
                await asyncio.sleep(0.01)
        assert (await client.answer(await client.request("GET", "/yes", "api.test"))).body == b"ok"
        client.conn.ping(b"12345678")
        for stream in held:
            client.conn.reset_stream(stream)
        await client.flush()
        async with asyncio.timeout(10):
            while gateway.gate._waiting._counts["held"]:
                await asyncio.sleep(0.01)
        assert (await client.answer(await client.request("GET", "/yes", "api.test"))).body == b"ok"
        (handler,) = gateway.engine._handlers.values()
        assert len(handler._deciding) == 0
    assert [seen.target for seen in upstream.seen] == ["/yes", "/yes"]


async def test_what_is_held_stays_charged_until_it_is_over(start):
    gateway, _, _ = await start("https", hold=timedelta(seconds=60))
    budget = gateway.addon._budget
    whole = budget.left
    asked = asyncio.create_task(ask(gateway, "https", "POST", "/ask", b"x" * 100_000))
    await on_the_desk(gateway)
    assert whole - budget.left == 100_000
    asked.cancel()
    async with asyncio.timeout(10):
        while gateway.engine.clients:
            await asyncio.sleep(0.01)
    assert budget.left == whole


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_safe_method_is_delayed_and_another_is_not(start, protocol):
    gateway, upstream, _ = await start(protocol)
    got = await asyncio.gather(*(ask(gateway, protocol, "GET", f"/slow/{number}") for number in range(4)))
    assert [answer.status for answer in got] == [200] * 4
    got = await asyncio.gather(*(ask(gateway, protocol, "POST", f"/slow/{number}", b"{}") for number in range(4)))
    assert max(answer.status for answer in got) == 429
    refused = next(answer for answer in got if answer.status == 429)
    assert (refused.header("retry-after"), refused.header("x-should-retry")) == ("1", None)
    assert sum(seen.method == "GET" for seen in upstream.seen) == 4


# several at once


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_strictest_of_several_rules_is_the_answer(start, protocol):
    gateway, upstream, mock = await start(protocol)
    assert (await ask(gateway, protocol, "POST", "/ask/no", b"{}")).header("outgate-decision") == "block"
    assert (await ask(gateway, protocol, "POST", "/ask/play", b"{}")).header("outgate-decision") == "sandbox"
    assert (await ask(gateway, protocol, "POST", "/play/no", b"{}")).header("outgate-decision") == "block"
    assert (upstream.accepted, [seen.target for seen in mock.seen]) == (0, ["/ask/play"])
    assert answers(gateway) == ["block", "sandbox", "block"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_sandboxed_request_is_charged_to_rates_too(start, protocol):
    gateway, upstream, mock = await start(protocol)
    assert (await ask(gateway, protocol, "POST", "/play/few", b"{}")).header("outgate-decision") == "sandbox"
    assert (await ask(gateway, protocol, "POST", "/few", b"{}")).status == 429, "it was used up in the sandbox"
    assert (upstream.accepted, [seen.target for seen in mock.seen]) == (0, ["/play/few"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_grant_lifts_no_limit(start, protocol):
    gateway, upstream, _ = await start(protocol)
    assert (await ask(gateway, protocol, "POST", "/few", b"{}")).status == 200
    first = await ask(gateway, protocol, "POST", "/ask/few", b"{}")
    await granted(gateway, first, ALICE)
    assert (await ask(gateway, protocol, "POST", "/ask/few", b"{}")).status == 429
    assert [seen.target for seen in upstream.seen] == ["/few"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_is_over_a_limit_may_be_approved(start, protocol):
    gateway, upstream, _ = await start(protocol)
    assert (await ask(gateway, protocol, "POST", "/often", b"{}")).status == 200
    over = await ask(gateway, protocol, "POST", "/often", b"{}")
    assert (over.status, over.header("outgate-decision")) == (403, "escalate")
    assert over.header("ratelimit").startswith('"ask-too-often";r=0;t=')
    await granted(gateway, over, ANN)
    assert (await ask(gateway, protocol, "POST", "/often", b"{}")).body == b"ok"
    assert len(upstream.seen) == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_answer_with_too_many_rows_is_withheld_although_it_happened(start, protocol):
    gateway, upstream, _ = await start(protocol)
    upstream.answers["/rows"] = lambda turn: turn.answer(200, b'["secret",2,3,4]', content_type="application/json")
    answer = await ask(gateway, protocol, "POST", "/rows", b"{}")
    said = json.loads(answer.body)
    assert (answer.status, answer.header("x-should-retry")) == (403, "false")
    assert said["type"].endswith("/withheld")
    assert said["detail"] == "Too many rows. This request was carried out and only its answer was withheld: do not send it again."
    assert b"secret" not in answer.body
    assert [seen.target for seen in upstream.seen] == ["/rows"]
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["status"]) == ("withheld", 200)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_several_actions_in_one_request_get_the_strictest_answer_whole(start, protocol):
    rules = """
      - {id: no-deleting, match: {action: "mcp.tools/call:delete*"}, effect: block, tell: "Nothing is deleted."}
      - {id: try-sending, match: {action: "mcp.tools/call:send*"}, effect: sandbox}
"""
    gateway, upstream, mock = await start(protocol, rules, catalog=load_catalog())

    def calls(*names: str) -> bytes:
        batch = [{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": name}} for n, name in enumerate(names)]
        return json.dumps(batch).encode()

    said = {"Content_Type": "application/json"}
    blocked = await ask(gateway, protocol, "POST", "/mcp", calls("get_it", "send_it", "delete_it"), **said)
    errors = json.loads(blocked.body)
    assert [error["id"] for error in errors] == [0, 1, 2]
    assert {error["error"]["message"] for error in errors} == {"Nothing is deleted."}
    tried = await ask(gateway, protocol, "POST", "/mcp", calls("get_it", "send_it"), **said)
    assert tried.header("outgate-decision") == "sandbox"
    assert bytes(mock.seen[0].body) == calls("get_it", "send_it"), "a mock gets it whole"
    assert upstream.accepted == 0
    assert (await ask(gateway, protocol, "POST", "/mcp", calls("get_it"), **said)).body == b"ok"
    assert (len(upstream.seen), len(mock.seen)) == (1, 1)
    assert answers(gateway) == ["block", "sandbox", "allow"]


# mocks that fail


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_without_a_mock_what_may_only_be_tried_is_blocked(start, protocol):
    gateway, upstream, _ = await start(protocol)
    gateway.mocks.ways.clear()
    answer = await ask(gateway, protocol, "POST", "/play", b"{}")
    assert (answer.status in {403, 502}, answer.header("x-should-retry")) == (True, "false")
    assert upstream.accepted == 0
    assert await outcomes(gateway) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_mock_that_is_down_is_a_refusal_and_nothing_real_is_asked(start, protocol):
    gateway, upstream, mock = await start(protocol)
    await mock.stop()
    gateway.stand_ins.clear()
    answer = await ask(gateway, protocol, "POST", "/play", b"{}")
    said = json.loads(answer.body)
    assert (answer.status, said["type"]) == (403, "http://outgate.internal/problems/sandbox-only")
    assert "The real service was not asked." in said["detail"]
    assert upstream.accepted == 0
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["error"]) == ("refused", "no connection: Connection refused") or outcome[
        "result"
    ] == "refused"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_mock_that_hangs_up_is_a_refusal_too(start, protocol):
    gateway, upstream, mock = await start(protocol)

    async def hang_up(turn):
        await turn.raw(b"HTTP/1.1 200 OK\r\nContent-Le")

    mock.answers["/play"] = hang_up
    answer = await ask(gateway, protocol, "POST", "/play", b"{}")
    assert json.loads(answer.body)["type"].endswith("/sandbox-only")
    assert upstream.accepted == 0
    assert await outcomes(gateway) == ["unknown"]


async def test_real_and_mocked_requests_on_one_connection_each_go_where_they_belong(start):
    gateway, upstream, mock = await start("https")
    async with await gateway.https() as client:
        for path in ("/play/1", "/real/1", "/play/2", "/no", "/real/2"):
            await client.request("GET", path, "api.test")
            await client.answer()
    assert [seen.target for seen in mock.seen] == ["/play/1", "/play/2"]
    assert [seen.target for seen in upstream.seen] == ["/real/1", "/real/2"]
    assert (mock.accepted, upstream.accepted) == (1, 1), "both connections are kept"


# what the gate says itself


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_approvals_page_is_the_gates_own(start, protocol):
    gateway, upstream, mock = await start(protocol)
    first = await ask(gateway, protocol, "POST", "/ask", b"{}")
    url = json.loads(first.body)["status_url"]
    async with await gateway.plain() as client:
        await client.request("GET", url, "outgate.internal")
        answer = await client.answer()
    assert answer.status == 200
    assert "pending" in answer.body.decode()
    assert (upstream.accepted, mock.accepted) == (0, 0)
    assert len(gateway.decisions()) == 1
