"""The sandbox, whole: what a mock saw, what the agent got back, and that the real service saw nothing, not even a look-up."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest
from wire.upstreams import Upstream

from outgate.app.clock import SystemClock
from outgate.app.mocks import Sandbox, read_written
from outgate.gate import Ground
from outgate.intake.agents import Agent
from outgate.intake.destinations import Destinations
from outgate.net.lookup import Lookup
from outgate.policy.load import load
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
PROTOCOLS = ("http", "https", "h2")
POLICY = """
    outgate: policy/v1alpha
    policy: wire
    mode: enforce
    otherwise: {{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {{read: allow, other: allow}}}}
    mocks: {mocks}
    rules:
      - {{id: play, match: {{method: [POST, PUT, PATCH, DELETE, GET, HEAD]}}, unless: 'request.path.startsWith("/real")', effect: sandbox}}
"""
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
JSON = {"Content_Type": "application/json"}

# Put together here, so that no scanner takes this file for a leak.
SECRET = "sk" + "_live_" + "Ab3" * 8


@pytest.fixture
def asked_names(monkeypatch):
    """Every name that is looked up; none has an address."""
    names: list[str] = []

    def look_up(name):
        names.append(name)
        return ()

    monkeypatch.setattr("outgate.net.lookup.system_addresses", look_up)
    return names


@pytest.fixture
async def sandboxed(make, asked_names):
    """Make a gate whose policy has these mocks, with the sandbox that every gate has."""
    sandboxes = []

    async def one(mocks: str = "{default: {answers: canned}}", folder=None, **said):
        text = POLICY.format(mocks=mocks)
        policy = load([(f"{folder}/wire.yaml", text.replace("\n    ", "\n"))], CATALOG)
        gateway = await make(policy_text=text, catalog=CATALOG, mocks=Late(), **said)
        sandbox = Sandbox(
            destinations=Destinations(),
            written=read_written(policy),
            lookup=Lookup(monotonic=time.monotonic),
            own=gateway.resolver._own,
            clock=SystemClock(),
            alarm=gateway.alarm,
            key="k" * 64,
        )
        sandboxes.append(sandbox)
        gateway.mocks.sandbox = sandbox
        gateway.gate.adopt(gateway.ground(text) if folder is None else _with(gateway, policy))
        return gateway

    yield one
    for sandbox in sandboxes:
        sandbox.close()


class Late:
    """The sandbox, which needs to know where the gate itself is."""

    sandbox: Sandbox

    async def way(self, service, mock):
        return await self.sandbox.way(service, mock)


def _with(gateway, policy):
    return Ground(policy=policy, catalog=CATALOG, people=gateway.people)


@asynccontextmanager
async def mock_of(**said):
    upstream = await Upstream(certificate=None, **said).start()
    yield upstream
    await upstream.stop()


async def ask(gateway, protocol, method, url, body=b"", port=0, **headers):
    host, _, path = url.partition("/")
    path = f"/{path}"
    if protocol == "http":
        async with await gateway.plain(port) as client:
            await client.request(method, f"http://{host}{path}", host, body, **headers)
            return await client.answer(head=method == "HEAD")
    if protocol == "https":
        async with await gateway.https(host) as client:
            await client.request(method, path, host, body, **headers)
            return await client.answer(head=method == "HEAD")
    async with await gateway.h2(host) as client, client.wire:
        named = [(name.lower().replace("_", "-"), value) for name, value in headers.items()]
        return await client.answer(await client.request(method, path, host, body=body, headers=named))


# the built-in one


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_is_created_is_read_back_listed_changed_and_deleted_and_nobody_real_is_asked(sandboxed, asked_names, protocol):
    gateway = await sandboxed()
    made = await ask(
        gateway, protocol, "POST", "api.stripe.com/v1/customers", b"name=ann", Authorization=f"Bearer {SECRET}", **FORM
    )
    assert (made.status, made.header("outgate-decision")) == (200, "sandbox")
    key = json.loads(made.body)["id"]
    one = f"api.stripe.com/v1/customers/{key}"
    assert json.loads((await ask(gateway, protocol, "GET", one)).body)["name"] == "ann"
    assert json.loads((await ask(gateway, protocol, "POST", one, b"name=bob", **FORM)).body)["name"] == "bob"
    listed = json.loads((await ask(gateway, protocol, "GET", "api.stripe.com/v1/customers")).body)
    assert [item["id"] for item in listed["data"]] == [key]
    assert (await ask(gateway, protocol, "DELETE", one)).status == 200
    assert (await ask(gateway, protocol, "GET", one)).status == 404
    assert asked_names == []
    assert {outcome["result"] for outcome in await _outcomes(gateway)} == {"mocked"}
    assert {decision["mock"]["service"] for decision in gateway.decisions()} == {"stripe"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_model_streams(sandboxed, protocol):
    gateway = await sandboxed()
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [], "stream": True}).encode()
    answer = await ask(gateway, protocol, "POST", "api.anthropic.com/v1/messages", body, **JSON)
    assert answer.header("content-type").startswith("text/event-stream")
    events = [line.removeprefix(b"event: ") for line in answer.body.split(b"\n") if line.startswith(b"event: ")]
    assert events[0] == b"message_start"
    assert events[-1] == b"message_stop"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_body_that_is_more_than_the_sandbox_keeps_is_told(sandboxed, protocol):
    gateway = await sandboxed()
    answer = await ask(gateway, protocol, "POST", "files.example.test/upload", b"x" * (9 * 2**20))
    assert answer.status == 413
    assert b"more than the sandbox keeps" in answer.body


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_head_and_what_has_no_body_end_where_they_should(sandboxed, protocol):
    gateway = await sandboxed()
    assert (await ask(gateway, protocol, "PUT", "things.example.test/a/1", b'{"x":1}', **JSON)).status == 201
    head = await ask(gateway, protocol, "HEAD", "things.example.test/a/1")
    assert (head.status, head.body) == (200, b"")
    gone = await ask(gateway, protocol, "DELETE", "things.example.test/a/1")
    assert (gone.status, gone.body) == (204, b"")


async def test_two_agents_do_not_see_each_others(sandboxed):
    gateway = await sandboxed()
    other = await gateway.listen(Agent(id="mailer"))
    made = await ask(gateway, "http", "POST", "things.example.test/a", b"{}", **JSON)
    one = f"things.example.test/a/{json.loads(made.body)['id']}"
    assert (await ask(gateway, "http", "GET", one)).status == 200
    assert (await ask(gateway, "http", "GET", one, port=other)).status == 404
    assert (await ask(gateway, "http", "GET", one, port=other, Outgate_Agent="coder")).status == 404


async def test_no_agent_reaches_the_built_in_one_but_by_a_decision(sandboxed):
    gateway = await sandboxed()
    await ask(gateway, "http", "POST", "things.example.test/a", b"{}", **JSON)
    ((_, port),) = gateway.resolver._own
    for host in ("127.0.0.1", "[::ffff:127.0.0.1]"):
        refused = await ask(gateway, "http", "GET", f"{host}:{port}/real", Outgate_Mock_Key="k" * 64)
        assert refused.status == 403, host
    assert gateway.mocks.sandbox._server.strangers == 0


async def test_a_document_answers(sandboxed, tmp_path):
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.1.0\npaths: {/v1/refunds: {post: {responses: {'201': {content: {application/json: {example: {id: re_9}}}}}}}}"
    )
    gateway = await sandboxed("{stripe: {openapi: ./api.yaml}}", folder=tmp_path)
    answer = await ask(gateway, "https", "POST", "api.stripe.com/v1/refunds", b"charge=ch_1", **FORM)
    assert (answer.status, json.loads(answer.body)) == (201, {"id": "re_9"})


async def test_many_at_once_each_get_their_own(sandboxed):
    gateway = await sandboxed()
    made = await asyncio.gather(
        *(ask(gateway, "http", "POST", "things.example.test/a", json.dumps({"n": n}).encode(), **JSON) for n in range(40))
    )
    assert [json.loads(one.body)["n"] for one in made] == list(range(40))
    assert len({json.loads(one.body)["id"] for one in made}) == 40


# an address of the operator's


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_mock_sees_the_whole_request_without_credentials_and_where_it_comes_from(sandboxed, asked_names, protocol):
    async with mock_of() as mock:
        gateway = await sandboxed(f"{{stripe: {{url: 'http://127.0.0.1:{mock.port}/base'}}}}")
        path = "/v1/charges?a=1&access_token=t&b=2"
        spoofed = {"Outgate_Agent": "root", "Outgate_Mocked": "https://bank.test", "Outgate_Action": "x", "Outgate_Mock_Key": "k"}
        credentials = {"Authorization": f"Bearer {SECRET}", "Cookie": "session=1", "X_Api_Key": "k", "X_Note": SECRET}
        answer = await ask(
            gateway, protocol, "POST", f"api.stripe.com{path}", b"amount=5", Idempotency_Key="i", **FORM, **spoofed, **credentials
        )
        assert (answer.status, answer.body) == (200, b"ok")
        (seen,) = mock.seen
    assert (seen.method, seen.target, bytes(seen.body)) == ("POST", "/base/v1/charges?a=1&b=2", b"amount=5")
    assert seen.header("idempotency-key") == "i"
    assert {name: value for name, value in seen.headers if name.startswith("outgate-")} == {
        "outgate-mocked": f"{'http' if protocol == 'http' else 'https'}://api.stripe.com",
        "outgate-agent": "coder",
        "outgate-action": "stripe.PostCharges",
    }
    assert seen.header("host") == f"127.0.0.1:{mock.port}"
    names = {name for name, _ in seen.headers}
    assert names.isdisjoint({"authorization", "cookie", "x-api-key", "x-note", "proxy-authorization"})
    assert asked_names == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_large_upload_streams_to_the_mock(sandboxed, protocol):
    async with mock_of() as mock:
        gateway = await sandboxed(f"{{default: {{url: 'http://127.0.0.1:{mock.port}'}}}}")
        body = bytes(range(256)) * (24 * 4096)
        assert (await ask(gateway, protocol, "PUT", "files.example.test/big", body)).status == 200
        assert bytes(mock.seen[0].body) == body


async def test_a_stream_of_the_mocks_comes_as_it_is_sent(sandboxed):
    async with mock_of() as mock:
        gateway = await sandboxed(f"{{default: {{url: 'http://127.0.0.1:{mock.port}'}}}}")
        acknowledged = asyncio.Event()

        async def events(turn):
            await turn.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
            await turn.send(b"data: 1\n\n")
            await acknowledged.wait()
            await turn.send(b"data: 2\n\n")
            await turn.end()

        mock.answers["/events"] = events
        async with await gateway.https("live.example.test") as client:
            await client.request("GET", "/events", "live.example.test")
            await client.head()
            assert await client.chunk() == b"data: 1\n\n"
            acknowledged.set()
            assert await client.chunk() == b"data: 2\n\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_mock_that_is_down_is_a_refusal_with_nothing_let_out(sandboxed, asked_names, protocol):
    async with mock_of() as mock:
        port = mock.port
    gateway = await sandboxed(f"{{default: {{url: 'http://127.0.0.1:{port}'}}}}")
    answer = await ask(gateway, protocol, "POST", "api.stripe.com/v1/charges", b"amount=5", **FORM)
    assert answer.status in {403, 502}
    assert answer.header("x-should-retry") == "false"
    assert await _outcomes(gateway) == []
    assert asked_names == []


async def test_what_is_not_for_the_sandbox_is_looked_up(sandboxed, asked_names):
    gateway = await sandboxed()
    assert (await ask(gateway, "https", "GET", "api.stripe.com/real")).status == 502
    assert asked_names == ["api.stripe.com"]


async def test_a_service_without_a_mock_is_blocked(sandboxed, asked_names):
    gateway = await sandboxed("{github: {answers: canned}}")
    answer = await ask(gateway, "https", "POST", "api.stripe.com/v1/charges", b"amount=5", **FORM)
    assert (answer.status, answer.header("outgate-decision")) == (403, "block")
    assert asked_names == []


async def _outcomes(gateway):
    await gateway.stop()
    return gateway.outcomes()
