"""SOCKS 5: who comes in says who it is and where to, once; what comes then is decided as in any tunnel."""

from __future__ import annotations

import asyncio
import socket
import struct
from datetime import timedelta

import pytest
from wire.clients import Wire
from wire.gateway import AGENT

from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Enrolled, new_token, token_digest
from outgate.mitm import doors
from outgate.mitm.link import Limits

NO_LOGIN, WITH_LOGIN, BOTH = b"\x05\x01\x00", b"\x05\x01\x02", b"\x05\x02\x00\x02"
GRANTED = b"\x05\x00\x00\x01" + bytes(6)
TOKENS = {name: new_token(name.encode().ljust(32, b"\x02")) for name in ("mailer", "gone")}
AGENTS = Agents(
    by_name={
        "mailer": Enrolled(agent=Agent(id="mailer"), token=token_digest(TOKENS["mailer"])),
        "gone": Enrolled(agent=Agent(id="gone"), token=token_digest(TOKENS["gone"]), revoked=True),
    }
)


def to_name(host: bytes | str = b"api.test", port: int = 443, *, command: int = 1) -> bytes:
    host = host.encode() if isinstance(host, str) else host
    return bytes([5, command, 0, 3, len(host)]) + host + struct.pack(">H", port)


def to_address(address: str, port: int = 443) -> bytes:
    v6 = ":" in address
    packed = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, address)
    return bytes([5, 1, 0, 4 if v6 else 1]) + packed + struct.pack(">H", port)


def login(name: str | bytes = "mailer", token: str | bytes | None = None) -> bytes:
    name = name.encode() if isinstance(name, str) else name
    token = TOKENS["mailer"] if token is None else token
    token = token.encode() if isinstance(token, str) else token
    return bytes([1, len(name)]) + name + bytes([len(token)]) + token


@pytest.fixture
async def own(gateway):
    """A gate whose SOCKS listener is one agent's."""
    gateway.port = await gateway.engine.listen("127.0.0.1", 0, AGENT, "socks5")
    return gateway


@pytest.fixture
async def shared(make, monkeypatch):
    """A gate whose SOCKS listener is for everybody who proves who it is."""
    monkeypatch.setattr(doors.Slowing, "__init__", _impatient(doors.Slowing.__init__))
    gateway = await make()
    gateway.engine.adopt(AGENTS)
    gateway.port = await gateway.engine.listen("127.0.0.1", 0, None, "socks5")
    return gateway


def _impatient(init):
    def made(self, **said):
        init(self, first=0.001, most=0.002, **said)

    return made


async def asked(gateway, *sent: bytes) -> tuple[Wire, bytes]:
    """Send one message after the other, each when the one before was answered; give the last answer."""
    wire, got = await Wire.to(gateway.port), b""
    for data in sent:
        await wire.send(data)
        got = await asyncio.wait_for(wire.reader.read(64), 20)
    return wire, got


async def get(gateway, wire: Wire, target: str = "/a", host: str = "api.test"):
    await wire.tls(gateway.context("http/1.1"), host)
    await wire.request("GET", target, host)
    return await wire.answer()


async def test_what_comes_through_is_decided_like_in_any_tunnel(own):
    upstream = await own.upstream()
    wire, got = await asked(own, NO_LOGIN, to_name())
    assert got == GRANTED
    assert (await get(own, wire)).status == 200
    await wire.request("GET", "/forbidden", "api.test")
    assert (await wire.answer()).status == 403
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_http_in_the_clear_is_decided_too(own):
    upstream = await own.upstream(tls=False)
    wire, _ = await asked(own, NO_LOGIN, to_name(port=80))
    await wire.request("GET", "/a", "api.test")
    assert (await wire.answer()).status == 200
    await wire.request("GET", "/b", "evil.test")
    assert (await wire.answer()).status == 421
    assert [seen.target for seen in upstream.seen] == ["/a"]


async def test_granted_asks_no_nameserver_and_contacts_nobody(own):
    upstream, pinned = await own.upstream(), []
    pin = own.resolver.pin

    async def watched(host, port):
        pinned.append(host)
        return await pin(host, port)

    own.resolver.pin = watched
    wire, got = await asked(own, NO_LOGIN, to_name())
    assert got == GRANTED
    assert (await get(own, wire, "/forbidden")).status == 403
    assert (pinned, upstream.accepted) == ([], 0)


async def test_all_in_one_packet_is_the_same(own):
    upstream = await own.upstream(tls=False)
    wire = await Wire.to(own.port)
    await wire.send(NO_LOGIN + to_name(port=80) + b"GET /a HTTP/1.1\r\nHost: api.test\r\n\r\n")
    assert await wire.reader.readexactly(12) == b"\x05\x00" + GRANTED
    assert (await wire.answer()).status == 200
    assert len(upstream.seen) == 1


async def test_byte_by_byte_is_the_same(shared):
    upstream = await shared.upstream()
    wire = await Wire.to(shared.port)
    for data, answer in ((BOTH, b"\x05\x02"), (login(), b"\x01\x00"), (to_name(), GRANTED)):
        for byte in data:
            await wire.send(bytes([byte]))
        assert await wire.reader.readexactly(len(answer)) == answer
    assert (await get(shared, wire)).status == 200
    assert shared.decisions()[0]["agent"]["id"] == "mailer"
    assert len(upstream.seen) == 1


async def test_the_name_in_tls_and_in_the_request_are_held_against_the_one_asked_for(own):
    upstream, evil = await own.upstream(), await own.upstream("evil.test")
    wire, _ = await asked(own, NO_LOGIN, to_name())
    await wire.tls(own.context("http/1.1"), "evil.test")
    await wire.request("GET", "/a", "evil.test")
    assert (await wire.answer()).status == 421
    assert (upstream.accepted, evil.accepted) == (0, 0)


HOSTS = [
    *(
        b"evil.test\x00.api.test",
        b"api.test\x00",
        b"\x00",
        b"",
        b".",
        b"..",
        b"api.test..",
        b".api.test",
        b"[api.test]",
        b"[::1]",
    ),
    *(b"::1", b"api.test:443", b"2130706433", b"0x7f.1", b"127.1", b"0", b"api test", b"api.test\n", b"api\xc3\xa9.test"),
    *(b"a" * 64 + b".test", b"a." * 127 + b"a", b"-api.test", b"api_x.test", b"evil.test@api.test", b"api.test/", b"%61pi.test"),
    *(b"\xef\xbd\x81pi.test", b"xn--", b"127.0.0.1%lo"),
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_name_that_is_not_plainly_one_is_not_allowed_and_nobody_is_asked_for_it(own, host):
    upstream, asked_for = await own.upstream(), []
    own.resolver.pin = lambda *said: asked_for.append(said)
    wire, got = await asked(own, NO_LOGIN, to_name(host))
    assert got[:2] == b"\x05\x02"
    assert await wire.rest() == b""
    await own.engine.stop(timedelta())
    assert [event["detail"] for event in own.events("tunnel-refused")] == ["a malformed socks5 host"]
    assert (asked_for, upstream.accepted) == ([], 0)


@pytest.mark.parametrize(
    ("request_", "answer", "detail"),
    [
        (to_name(command=2), 7, "socks5 command 2"),
        (to_name(command=3), 7, "socks5 command 3"),
        (to_name(command=0), 7, "socks5 command 0"),
        (to_name(port=0), 2, "socks5 port 0"),
        (b"\x05\x01\x00\x00\x7f\x00\x00\x01\x01\xbb", 8, "socks5 address type 0"),
        (b"\x05\x01\x00\x02\x7f\x00\x00\x01\x01\xbb", 8, "socks5 address type 2"),
        (b"\x05\x01\x00\xff\x7f\x00\x00\x01\x01\xbb", 8, "socks5 address type 255"),
        (b"\x05\x01\x01\x03\x08api.test\x01\xbb", 1, "a malformed socks5 request"),
        (b"\x04\x01\x01\xbb\x7f\x00\x00\x01\x00\x00", 1, "a malformed socks5 request"),
    ],
)
async def test_only_a_connection_to_a_name_or_address_may_be_asked_for(own, request_, answer, detail):
    upstream = await own.upstream()
    wire, got = await asked(own, NO_LOGIN, request_)
    assert got == bytes([5, answer]) + GRANTED[2:]
    await wire.send(to_name())
    assert await wire.rest() == b""
    await own.engine.stop(timedelta())
    assert [event["detail"] for event in own.events("tunnel-refused")] == [detail]
    assert upstream.accepted == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254", "10.0.0.1"])
async def test_an_address_is_judged_as_one_after_connect_is(own, address):
    own.resolver._served = True
    wire, got = await asked(own, NO_LOGIN, to_address(address, 80))
    assert got == GRANTED
    shown = f"[{address}]" if ":" in address else address
    await wire.request("GET", "/a", shown)
    assert (await wire.answer()).status == 403
    assert [f"{decision['answer']} {decision['reason']}" for decision in own.decisions()] == ["block destination"]


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b"\x04\x01\x01\xbb\x7f\x00\x00\x01\x00", "socks4 instead of socks5"),
        (b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n", "http instead of socks5"),
        (b"CONNECT api.test:443 HTTP/1.1\r\n\r\n", "http instead of socks5"),
        (b"\x16\x03\x01\x00\x05hello", "tls instead of socks5"),
        (b"SSH-2.0-x\r\n", "something instead of socks5"),
    ],
)
async def test_who_speaks_something_else_is_cut_off(own, sent, detail):
    wire = await Wire.to(own.port)
    await wire.send(sent)
    assert await wire.rest() == b""
    await own.engine.stop(timedelta())
    assert [event["detail"] for event in own.events("tunnel-refused")] == [detail]


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"\x00" * 8, b"\x05\x01\x00"])
async def test_what_is_neither_tls_nor_http_goes_nowhere(own, data):
    upstream = await own.upstream()
    wire, _ = await asked(own, NO_LOGIN, to_name())
    await wire.send(data)
    assert await wire.rest() == b""
    assert upstream.accepted == 0


async def test_a_listener_of_ones_own_takes_whatever_login_is_shown(own):
    await own.upstream()
    wire, got = await asked(own, WITH_LOGIN, login("somebody", "else"), to_name())
    assert got == GRANTED
    assert (await get(own, wire)).status == 200
    assert own.decisions()[0]["agent"]["id"] == AGENT.id


async def test_a_listener_of_one_who_may_not_come_in_lets_nobody_in(shared):
    shared.port = await shared.engine.listen("127.0.0.1", 0, "gone", "socks5")
    wire, got = await asked(shared, NO_LOGIN)
    assert got == b"\x05\xff"
    assert await wire.rest() == b""


async def test_who_can_not_say_who_it_is_is_told_that_there_is_no_way(shared):
    wire, got = await asked(shared, NO_LOGIN)
    assert got == b"\x05\xff"
    assert await wire.rest() == b""
    await shared.engine.stop(timedelta())
    assert [event["why"] for event in shared.events("stranger")] == ["no-credentials"]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (login("mailer", TOKENS["gone"]), "wrong-token"),
        (login("mailer", TOKENS["mailer"][:-1]), "wrong-token"),
        (login("Mailer"), "unknown-agent"),
        (login("nobody"), "unknown-agent"),
        (login("mailer\x00"), "malformed"),
        (login("\u0430dmin"), "malformed"),
        (login("mailer "), "malformed"),
        (login(b"", b""), "malformed"),
        (login("gone", TOKENS["gone"]), "revoked"),
    ],
)
async def test_who_does_not_prove_who_it_is_is_turned_away_and_noted(shared, shown, why):
    upstream = await shared.upstream()
    wire = await Wire.to(shared.port)
    await wire.send(BOTH + shown + to_name() + b"\x16\x03\x01")
    assert await wire.rest() == b"\x05\x02\x01\x01"
    await shared.engine.stop(timedelta())
    assert [event["why"] for event in shared.events("stranger")] == [why]
    assert upstream.accepted == 0
    assert not any(TOKENS["mailer"].encode() in path.read_bytes() for path in shared.journal.folder.rglob("*") if path.is_file())


async def test_a_login_of_another_version_is_none(shared):
    wire, got = await asked(shared, BOTH, b"\x05" + login()[1:])
    assert got == b"\x01\x01"
    assert await wire.rest() == b""


async def test_an_agent_has_so_many_connections_by_whatever_way(make):
    gateway = await make(limits=Limits(connections=1))
    gateway.engine.adopt(AGENTS)
    gateway.port = await gateway.engine.listen("127.0.0.1", 0, None, "socks5")
    first, got = await asked(gateway, BOTH, login(), to_name())
    assert got == GRANTED
    _, got = await asked(gateway, BOTH, login())
    assert got == b"\x01\x01"
    assert gateway.engine.connections("mailer") == 1
    first.writer.close()


async def test_a_revoked_agents_tunnel_ends(shared):
    wire, got = await asked(shared, BOTH, login(), to_name())
    assert got == GRANTED
    assert shared.engine.adopt(Agents()) == 1
    assert await wire.rest() == b""


async def test_who_takes_too_long_to_say_where_to_is_dropped(make):
    gateway = await make(limits=Limits(stranger=timedelta(milliseconds=50)))
    gateway.port = await gateway.engine.listen("127.0.0.1", 0, AGENT, "socks5")
    wire = await Wire.to(gateway.port)
    await wire.send(b"\x05")
    assert await wire.rest() == b""
    settled, got = await asked(gateway, NO_LOGIN, to_name())
    assert got == GRANTED
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(settled.reader.read(1), 0.2)
    settled.writer.close()


async def test_a_greeting_with_every_method_is_read_and_nothing_of_it_is_kept(own):
    await own.upstream()
    wire, got = await asked(own, b"\x05\xff" + bytes(range(255)), to_name())
    assert got == GRANTED
    assert (await get(own, wire)).status == 200
