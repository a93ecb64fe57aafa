"""Whatever raises, wherever: the upstream sees nothing that was not let out, and the client gets nothing that was not whole."""

from __future__ import annotations

import inspect

import pytest
from wire.gateway import AGENT, Gateway

from outgate.errors import UnavailableError
from outgate.mitm import canary
from outgate.mitm.addon import Addon
from outgate.mitm.engine import Engine
from outgate.mitm.exchange import Exchange
from outgate.mitm.handler import Handler
from outgate.mitm.http1 import UpstreamHttp1
from outgate.mitm.http1_agent import AgentHttp1
from outgate.mitm.layers import Http
from outgate.mitm.outward import Upstreams
from outgate.mitm.streams import Download, Upload
from outgate.mitm.tls import AgentTls, UpstreamTls
from outgate.mitm.transparent import TransparentGate
from outgate.mitm.tunnel import TunnelGate


class BoomError(Exception):
    pass


def boom(*_, **__):
    raise BoomError


BEFORE = (
    *("client_connected", "identify", "http_connect", "tls_clienthello", "alpn", "requestheaders", "request", "server_connect"),
    *("server_connected", "tls_start_server", "tls_established_server", "request_leaves"),
)
AFTER = ("responseheaders", "response")
ELSEWHERE = {
    "gathering": "only where bodies are read: below",
    "unreadable": "test_many_agents",
    "tunnel_refused": "test_tunnels",
    "malformed": "tests/vectors",
    "bounded": "test_time",
    "bounded_unasked": "test_time",
    "overdue": "test_time",
    "turned_off": "test_flood",
    "tls_failed_client": "test_tunnels",
    "tls_refused_alpn": "below",
    "proxy_credentials": "below",
    "server_connect_error": "below",
    "error": "below",
    "review": "test_response_side",
    "halted": "test_halt",
    "client_left": "below",
    "client_disconnected": "below",
    "websocket_start": "test_websocket",
    "websocket_message": "test_websocket",
    "websocket_end": "test_websocket",
    "entry_refused": "test_socks",
    "introduced": "test_socks",
    "certified": "test_https_listener",
    **dict.fromkeys(("unread", "unnamed", "named", "opaque", "may_pass_unread", "opaque_over_bound"), "test_opaque"),
    **dict.fromkeys(("identify_by_place", "transparent_refused", "called"), "test_transparent"),
    **dict.fromkeys(("conversation", "message_refused"), "test_grpc"),
}


def test_every_point_of_the_addon_is_tried():
    points = {name for name, _ in inspect.getmembers(Addon, inspect.isfunction) if not name.startswith("_")}
    assert points == {*BEFORE, *AFTER, *ELSEWHERE}


WHO = {"socks5": "introduced", "transparent": "identify_by_place"}
"""What tells who comes in, where it is not `identify`."""


async def ask(gateway: Gateway, path: str = "/secret", *, h2: bool = False, body: bytes = b"") -> bytes:
    """Ask over TLS, and give everything that came back."""
    try:
        if h2:
            async with await gateway.h2() as client:
                stream = await client.request("POST", path, "api.test", body=body)
                await client.until(lambda: stream in client.ended or stream in client.reset)
                return client.answers[stream].body if stream in client.answers else b""
        async with await gateway.https() as client:
            await client.request("POST", path, "api.test", body, Connection="close")
            return await client.rest()
    except (ConnectionError, EOFError, OSError):
        return b""


def nothing_left(gateway: Gateway) -> None:
    assert [upstream.seen for upstream in gateway.upstreams] == [[] for _ in gateway.upstreams]
    assert [upstream.received for upstream in gateway.upstreams] == [b"" for _ in gateway.upstreams]


@pytest.mark.parametrize("h2", [False, True])
@pytest.mark.parametrize("point", BEFORE)
async def test_a_raise_before_sending_lets_nothing_out(make, monkeypatch, point, h2):
    gateway = await make(expects_alarms=True)
    await gateway.upstream(alpn=("h2", "http/1.1"))
    monkeypatch.setattr(gateway.addon, WHO.get(gateway.way, point) if point == "identify" else point, boom)
    assert await ask(gateway, h2=h2, body=b"SECRET") == b""
    nothing_left(gateway)
    assert any(isinstance(error, BoomError) for error, _ in gateway.alarm.told), "somebody is told"


@pytest.mark.parametrize("h2", [False, True])
@pytest.mark.parametrize("point", AFTER)
async def test_a_raise_after_sending_gives_the_client_nothing(make, monkeypatch, point, h2):
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    monkeypatch.setattr(gateway.addon, point, boom)
    assert b"ok" not in await ask(gateway, h2=h2)
    assert len(upstream.seen) == 1
    await gateway.stop()
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["unknown"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_raise_in_the_upload_stops_the_upload(make, monkeypatch, framing):
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        said = {"Content_Length": "12"} if framing == "length" else {"Transfer_Encoding": "chunked"}
        await client.request("POST", "http://api.test/up", "api.test", **said)
        await upstream.until(lambda u: u.seen)
        monkeypatch.setattr(Upload, "__call__", boom)
        await client.send("SECRETSECRET" if framing == "length" else "c\r\nSECRETSECRET\r\n0\r\n\r\n")
        assert await client.rest() == b""
    await upstream.until(lambda u: u.closed)
    assert b"SECRET" not in upstream.received
    assert not upstream.seen[0].whole


async def test_a_raise_in_a_read_body_lets_nothing_out(make, monkeypatch):
    for point in ("gathering", "request"):
        gateway = await make(expects_alarms=True, reads_bodies=True)
        await gateway.upstream()
        monkeypatch.setattr(gateway.addon, point, boom)
        assert await ask(gateway, body=b"SECRET") == b""
        nothing_left(gateway)


async def test_a_raise_in_the_download_gives_the_client_nothing_of_it(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    await gateway.upstream()
    monkeypatch.setattr(Download, "__call__", boom)
    assert b"ok" not in await ask(gateway)


@pytest.mark.parametrize(
    ("layer", "method"),
    [
        (Exchange, "_head"),
        (Exchange, "_decide"),
        (Exchange, "_send"),
        (Exchange, "_send_kept"),
        (Http, "get_connection"),
        (Http, "make_stream"),
        (AgentHttp1, "read_headers"),
        (UpstreamHttp1, "send"),
        (AgentTls, "receive_data"),
        (UpstreamTls, "start_handshake"),
        (TunnelGate, "_handle_event"),
        (Upstreams, "_connect"),
    ],
)
async def test_a_raise_in_a_layer_before_sending_lets_nothing_out(make, monkeypatch, layer, method):
    gateway = await make(expects_alarms=True)
    await gateway.upstream()
    if layer is TunnelGate and gateway.way == "transparent":
        layer = TransparentGate
    monkeypatch.setattr(layer, method, boom)
    assert await ask(gateway) == b""
    nothing_left(gateway)


@pytest.mark.parametrize(
    ("layer", "method"), [(Exchange, "_answer_head"), (Exchange, "_answer_body"), (UpstreamHttp1, "read_headers")]
)
async def test_a_raise_in_a_layer_after_sending_gives_the_client_nothing(make, monkeypatch, layer, method):
    gateway = await make(expects_alarms=True)
    await gateway.upstream()
    monkeypatch.setattr(layer, method, boom)
    assert b"ok" not in await ask(gateway)


async def test_a_raise_where_a_failed_connection_is_answered_leaves_one_outcome(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    gateway.leads("api.test", 1)
    monkeypatch.setattr(gateway.addon, "server_connect_error", boom)
    assert await ask(gateway) == b""
    await gateway.stop()
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["abandoned"]


@pytest.mark.parametrize("point", ["error", "client_left", "client_disconnected"])
async def test_a_raise_where_ends_are_recorded_harms_nobody_else(make, monkeypatch, point):
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream()

    async def hang_up(turn):
        turn.seen.whole = True

    upstream.answers["/secret"] = hang_up
    with monkeypatch.context() as patched:
        patched.setattr(gateway.addon, point, boom)
        await ask(gateway)
    assert b"ok" in await ask(gateway, "/other")
    for call in [call for call in _calls(gateway) if not call.concluded]:
        gateway.addon.client_left(call)


def _calls(gateway: Gateway):
    return gateway.kept


@pytest.fixture(autouse=True)
def _keep_calls(monkeypatch):
    """Remember every call, so that a test which broke their recording can settle them."""
    Gateway.kept = []
    original = Addon.requestheaders

    def keeping(self, *args, **said):
        call = original(self, *args, **said)
        Gateway.kept.append(call)
        return call

    monkeypatch.setattr(Addon, "requestheaders", keeping)


@pytest.mark.parametrize("reads_bodies", [False, True])
async def test_a_log_that_fails_lets_nothing_out(make, monkeypatch, reads_bodies):
    gateway = await make(expects_alarms=True, reads_bodies=reads_bodies)
    await gateway.upstream()

    def full(_body):
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(gateway.journal, "append", full)
    answer = await ask_once(gateway)
    assert answer.status == 503
    nothing_left(gateway)


async def test_a_log_that_fails_later_lets_nothing_out(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    await gateway.upstream()
    append = gateway.journal.append

    def broken(body):
        import asyncio

        append({**body, "type": "decision", "answer": "block"})
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(UnavailableError("the disk broke"))
        return failed

    monkeypatch.setattr(gateway.journal, "append", broken)
    assert (await ask_once(gateway)).status == 503
    nothing_left(gateway)


async def test_a_resolver_that_raises_lets_nothing_out(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    await gateway.upstream()
    monkeypatch.setattr(gateway.resolver, "pin", boom)
    assert (await ask_once(gateway)).status == 503
    nothing_left(gateway)


async def test_a_ledger_that_is_lost_lets_nothing_out(make):
    text = """
    outgate: policy/v1alpha
    policy: wire
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    rules:
      - {id: newcomers, match: {service: http}, when: agent.age < days(7), effect: block}
    """
    gateway = await make(expects_alarms=True, policy_text=text)
    gateway.engine._handlers.clear()
    await gateway.upstream()
    gateway.ledger.fail("the ledger is gone")
    from outgate.intake.agents import Agent

    gateway.port = await gateway.listen(Agent(id="newcomer"))
    assert (await ask_once(gateway)).status == 503
    nothing_left(gateway)


async def test_an_observer_that_raises_lets_nothing_out(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    await gateway.upstream()
    monkeypatch.setattr(gateway.observer, "decided", boom)
    assert (await ask_once(gateway)).status == 503
    nothing_left(gateway)
    await gateway.stop()
    assert [decision["answer"] for decision in gateway.decisions()] == ["allow"]
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["refused"], "decided, and not handed out"


async def test_an_alarm_that_raises_lets_nothing_out(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    await gateway.upstream()
    monkeypatch.setattr(gateway.addon, "request", boom)
    monkeypatch.setattr(gateway.alarm, "raise_for", boom)
    assert await ask(gateway) == b""
    nothing_left(gateway)


async def ask_once(gateway: Gateway):
    async with await gateway.https() as client:
        await client.request("POST", "/secret", "api.test", b"SECRET")
        return await client.answer()


async def test_the_engine_refuses_to_listen_before_it_was_tested(make, tmp_path):
    gateway = await make()
    untested = Engine(gate=gateway.gate, authority=gateway.authority, outside=gateway.addon._outside, alarm=gateway.alarm)
    with pytest.raises(UnavailableError, match="not started"):
        await untested.listen("127.0.0.1", 0, AGENT)


async def test_the_engine_refuses_to_start_if_something_gets_out_of_a_broken_one(make, monkeypatch):
    gateway = await make()
    monkeypatch.setattr(Handler, "fail", lambda *_: None)  # as mitmproxy's own handler does: it goes on
    monkeypatch.setattr(canary, "_PATIENCE", 0.5)
    untested = Engine(gate=gateway.gate, authority=gateway.authority, outside=gateway.addon._outside, alarm=gateway.alarm)
    with pytest.raises(UnavailableError, match="not starting"):
        await untested.start()


@pytest.mark.parametrize("point", canary._BREAKS)
async def test_the_canary_notices_each_break_that_is_not_one(make, monkeypatch, point):
    """A plane in which a hook's exception is lost, as in mitmproxy's own dispatcher, does not start."""
    gateway = await make()
    original = getattr(Addon, point)

    def forgiving(addon, name, value):
        object.__setattr__(addon, name, original.__get__(addon) if value is canary._break and name == point else value)

    monkeypatch.setattr(Addon, "__setattr__", forgiving, raising=False)
    untested = Engine(gate=gateway.gate, authority=gateway.authority, outside=gateway.addon._outside, alarm=gateway.alarm)
    with pytest.raises(UnavailableError, match=point):
        await untested.start()
