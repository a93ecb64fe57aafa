"""Vectors that take several steps: handshakes, look-ups, frames. Each names its ids, which the catalogue's check reads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from ipaddress import ip_address

import h2.errors
import hpack
import hyperframe.frame as frames
import pytest
from OpenSSL import SSL
from wire.greeting import Greeter, available, grease_ech

from outgate.mitm.link import Limits


def vector(*ids: str):
    """Say of which vectors a test is."""

    def mark(test):
        test.vectors = ids
        return test

    return mark


async def handshake(gateway, name: bytes | None) -> tuple[str, bytes]:
    """Greet in a tunnel to api.test with any name at all, ask for /a, give the leaf's names and what came back."""
    wire = await gateway.plain()
    assert (await wire.tunnel("api.test", 443)).status == 200
    tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
    if name is not None:
        tls.set_tlsext_host_name(name)
    tls.set_connect_state()
    got, asked = b"", False
    async with wire:
        while True:
            try:
                if asked:
                    got += tls.recv(65536)
                else:
                    tls.do_handshake()
                    tls.sendall(b"GET /a HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n")
                    asked = True
            except SSL.WantReadError:
                await _exchange(tls, wire)
            except SSL.Error:
                break
    leaf = tls.get_peer_certificate()
    return (leaf.to_cryptography().extensions[0].value if leaf else ""), got


async def _exchange(tls, wire) -> None:
    with contextlib.suppress(SSL.WantReadError):
        await wire.send(tls.bio_read(65536))
    if data := await asyncio.wait_for(wire.reader.read(65536), 10):
        tls.bio_write(data)
    else:
        tls.bio_shutdown()


@pytest.mark.parametrize("name", [None, b"API.test", b"api.test."])
@vector("D-38")
async def test_a_greeting_without_a_name_or_with_ours_in_another_spelling_is_for_the_tunnels_host(gateway, name):
    upstream = await gateway.upstream()
    _, got = await handshake(gateway, name)
    assert got.startswith(b"HTTP/1.1 200 "), got
    assert upstream.client_names == ["api.test"]


@pytest.mark.parametrize(
    "name", [b"127.0.0.1", b"evil.test", b"api.test..", b"xn--a", b"a" * 64 + b".test", b"api_test", b"*.test"]
)
@vector("D-38", "D-33", "R-10")
async def test_a_greeting_with_any_other_name_is_answered_and_goes_nowhere(gateway, name):
    upstream, evil = await gateway.upstream(), await gateway.upstream("evil.test")
    _, got = await handshake(gateway, name)
    await gateway.stop()
    assert b" 200 " not in got.partition(b"\r\n")[0]
    assert upstream.accepted == evil.accepted == 0
    assert all(decision["answer"] == "block" for decision in gateway.decisions())
    assert gateway.decisions() or gateway.events("tunnel-refused") or gateway.events("trust-failed")


@pytest.mark.skipif(available() is None, reason="the system has no libssl")
@vector("D-38")
async def test_an_encrypted_greeting_that_is_none_is_passed_over(gateway):
    upstream = await gateway.upstream()
    wire = await gateway.plain()
    assert (await wire.tunnel("api.test", 443)).status == 200
    greeter = Greeter(wire, "api.test", ech := grease_ech())
    got = await greeter.ask(b"GET /a HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n")
    wire.writer.close()
    assert got.startswith(b"HTTP/1.1 200 "), got
    assert b"\xfe\x0d" + len(ech).to_bytes(2) + ech in greeter.sent
    assert upstream.client_names == ["api.test"]


@pytest.mark.skipif(available() is None, reason="the system has no libssl")
@vector("D-38")
async def test_of_an_encrypted_greeting_the_outer_name_counts(gateway):
    upstream, evil = await gateway.upstream(), await gateway.upstream("evil.test")
    wire = await gateway.plain()
    assert (await wire.tunnel("api.test", 443)).status == 200
    got = await Greeter(wire, "evil.test", grease_ech()).ask(b"GET /a HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n")
    wire.writer.close()
    assert got.startswith(b"HTTP/1.1 421 "), got
    assert upstream.accepted == evil.accepted == 0


def says(gateway, answers):
    """Answer look-ups in turn, and keep the questions."""
    questions = []

    def ask(name):
        questions.append(name)
        found = answers[min(len(questions), len(answers)) - 1]
        if isinstance(found, OSError):
            raise found
        return tuple(map(ip_address, found))

    gateway.resolver._lookup._ask = ask
    return questions


async def listener(address: str, port: int = 0):
    """Count who comes to an address of loopback."""
    came = []

    async def serve(reader, writer):
        came.append(address)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(serve, address, port)
    return server, server.sockets[0].getsockname()[1], came


async def ask_for(gateway, url: str) -> int:
    host = url.split("/")[2]
    async with await gateway.plain() as client:
        await client.send(f"GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n")
        return (await client.answer()).status


@vector("D-39", "D-42", "T-1")
async def test_a_name_that_changes_its_mind_is_gone_to_where_it_was_judged(make):
    gateway = await make(unseen_ok={"rebind.test"})
    good, port, came = await listener("127.0.1.1")
    bad, _, evil = await listener("127.0.2.2", port)
    questions = says(gateway, [["127.0.1.1"], ["127.0.2.2"]])
    gateway.check = lambda: None  # its own listeners stand outside of the oracle
    for _ in range(3):
        assert await ask_for(gateway, f"http://rebind.test:{port}/a") == 200
    assert (questions, came, evil) == (["rebind.test"], ["127.0.1.1"] * 3, [])
    assert {decision["pin"]["address"] for decision in gateway.decisions()} == {"127.0.1.1"}
    good.close()
    bad.close()


@pytest.mark.parametrize(
    "found",
    [socket.gaierror(socket.EAI_NONAME, "no"), socket.gaierror(socket.EAI_AGAIN, "later"), OSError("broken"), []],
    ids=["no such name", "not now", "broken", "no address"],
)
@vector("D-43", "D-41")
async def test_a_name_without_an_answer_is_refused_with_a_reason(gateway, found):
    says(gateway, [found])
    assert await ask_for(gateway, "http://gone.test/a") in {502, 503}
    (decision,) = gateway.decisions()
    assert (decision["answer"], decision["reason"]) == ("block", "upstream")
    assert "gone.test" in decision["tell"]


@vector("D-43")
async def test_a_name_with_a_thousand_addresses_is_cut_and_every_kept_one_judged(gateway):
    gateway.resolver._served = True
    says(gateway, [["93.184.216.34"] * 20 + ["127.0.0.1"] * 980])
    assert await ask_for(gateway, "http://many.test/a") == 403
    assert gateway.decisions()[0]["reason"] == "destination"


@vector("D-44", "E-17", "D-2")
async def test_a_refused_name_asks_no_nameserver(make):
    policy = "outgate: policy/v1alpha\npolicy: none\nmode: enforce\notherwise: {T0: block, T1: block, T2: block, T3: block, unmapped: block}\n"
    gateway = await make(policy_text=policy)
    questions = says(gateway, [["93.184.216.34"]])
    async with await gateway.plain() as client:
        for number in range(50):
            await client.request("GET", f"http://x{number:x}.evil.test/a", f"x{number:x}.evil.test")
            assert (await client.answer()).status == 403
    assert questions == []
    assert len(gateway.decisions()) == 50


@vector("D-48")
async def test_a_proxy_of_the_environment_is_not_gone_through(gateway, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        assert (await client.answer()).body == b"ok"


@vector("E-22")
async def test_no_connection_is_used_for_two_hosts(gateway):
    first, second = await gateway.upstream(tls=False), await gateway.upstream("other.test", tls=False)
    async with await gateway.plain() as client:
        for host in ("api.test", "other.test", "api.test"):
            await client.request("GET", f"http://{host}/a", host)
            assert (await client.answer()).body == b"ok"
    assert ([seen.header("host") for seen in first.seen], first.accepted) == (["api.test"] * 2, 1)
    assert ([seen.header("host") for seen in second.seen], second.accepted) == (["other.test"], 1)


async def h2_raw(gateway, *pieces: bytes):
    """A connection of HTTP/2 on which any frame may be sent; what came back until it ended, or one was answered."""
    wire = await gateway.https("api.test", "h2")
    settings = frames.SettingsFrame(0).serialize()
    await wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + b"".join(pieces))
    return wire


def head(stream: int = 1, *more: tuple[str, str], path: str = "/a", end: bool = True) -> frames.HeadersFrame:
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", "api.test"), (":path", path), *more]
    frame = frames.HeadersFrame(stream, hpack.Encoder().encode(fields), flags=["END_HEADERS"])
    if end:
        frame.flags.add("END_STREAM")
    return frame


async def still_serves(gateway) -> bool:
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test")
        return (await client.answer()).body == b"ok"


@vector("E-13")
async def test_frames_that_carry_words_of_their_own_carry_them_no_further(gateway):
    upstream = await gateway.upstream(alpn=("http/1.1",))
    ping = frames.PingFrame(0, opaque_data=b"smuggled").serialize()
    unknown = b"\x00\x00\x08\xbb\x00\x00\x00\x00\x00smuggled"
    priority = frames.PriorityFrame(1, depends_on=0, stream_weight=77).serialize()
    wire = await h2_raw(gateway, ping, unknown, head().serialize(), priority)
    await upstream.until(lambda it: len(it.seen) == 1 and it.seen[0].whole)
    wire.writer.close()
    assert upstream.received == b"GET /a HTTP/1.1\r\nhost: api.test\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [head().serialize()[:-3]],
        [b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(200_000)],
        [frames.DataFrame(1, b"x").serialize()],
        [frames.WindowUpdateFrame(0, window_increment=2**31 - 1).serialize()] * 2,
        [frames.ContinuationFrame(1, b"x").serialize()],
        [frames.PushPromiseFrame(1, promised_stream_id=2, data=b"", flags=["END_HEADERS"]).serialize()],
        [head(2).serialize()],
        [frames.SettingsFrame(0, settings={4: 2**31}).serialize()],
    ],
    ids=[
        "half a frame",
        "a frame too large",
        "data before headers",
        "too much window",
        "a continuation of nothing",
        "a promise",
        "a stream of the server",
        "a window past its bound",
    ],
)
@vector("P-47", "X-5")
async def test_frames_that_break_the_protocol_end_their_connection_and_no_other(gateway, pieces):
    upstream = await gateway.upstream()
    wire = await h2_raw(gateway, *pieces)
    wire.writer.write_eof() if wire.writer.can_write_eof() else None
    if pieces[0] != head().serialize()[:-3]:
        await wire.rest()
    wire.writer.close()
    assert upstream.accepted == 0
    assert await still_serves(gateway)


@vector("X-5")
async def test_a_head_in_pieces_without_end_ends_its_connection(gateway):
    upstream = await gateway.upstream()
    first = head(end=False)
    first.flags.discard("END_HEADERS")
    more = [frames.ContinuationFrame(1, bytes(16000)).serialize() for _ in range(100)]
    wire = await h2_raw(gateway, first.serialize(), *more)
    await wire.rest()
    assert upstream.accepted == 0
    assert await still_serves(gateway)


@vector("X-5")
async def test_streams_reset_as_fast_as_they_are_opened_hurt_nobody_else(gateway):
    await gateway.upstream()
    reset = [
        head(stream, path="/forbidden").serialize()
        + frames.RstStreamFrame(stream, error_code=h2.errors.ErrorCodes.CANCEL).serialize()
        for stream in range(1, 2001, 2)
    ]
    await h2_raw(gateway, *reset)
    assert await still_serves(gateway)


@vector("X-6")
async def test_a_small_head_that_unpacks_to_a_large_one_ends_its_connection(gateway):
    upstream = await gateway.upstream()
    encoder = hpack.Encoder()
    encoder.header_table_size = 4096
    fields = [(":method", "GET"), (":scheme", "https"), (":authority", "api.test"), (":path", "/a")]
    packed = encoder.encode([*fields, *[("x", "a" * 3900)] * 3000])
    pieces = [packed[at : at + 16000] for at in range(0, len(packed), 16000)]
    assert len(packed) < 20000
    first = frames.HeadersFrame(1, pieces[0], flags=["END_STREAM", *(["END_HEADERS"] if len(pieces) == 1 else [])])
    rest = [frames.ContinuationFrame(1, piece, flags=["END_HEADERS"] if piece is pieces[-1] else []) for piece in pieces[1:]]
    wire = await h2_raw(gateway, first.serialize(), *[frame.serialize() for frame in rest])
    await wire.rest()
    assert upstream.accepted == 0
    assert await still_serves(gateway)


@vector("E-25", "P-41")
async def test_who_leaves_in_the_middle_of_a_body_leaves_nothing_behind(make):
    gateway = await make(reads_bodies=True)
    upstream = await gateway.upstream()
    client = await gateway.https()
    await client.send("POST /a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 10\r\n\r\nabc")
    client.writer.close()
    assert await still_serves(gateway)
    assert [seen.method for seen in upstream.seen] == ["GET"]


@vector("X-15", "P-42")
async def test_connections_that_broke_off_leave_nothing_open(gateway):
    await gateway.upstream()
    for data in (b"", b"GET", b"GET /a HTTP/1.1\r\nHost: api.test\r\nX: a\r b\r\n\r\n", b"\x16\x03\x01\x02"):
        for _ in range(10):
            wire = await gateway.plain()
            await wire.send(data)
            wire.writer.close()
    async with asyncio.timeout(20):
        while gateway.engine._all():
            await asyncio.sleep(0.01)
    assert await still_serves(gateway)


@vector("S-1", "D-45")
async def test_a_redirect_gives_nobody_else_the_credentials(gateway):
    upstream, evil = await gateway.upstream(), await gateway.upstream("evil.test")

    async def redirect(turn):
        await turn.answer(302, location="https://evil.test/")

    upstream.answers["/a"] = redirect
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test", Authorization="Bearer canary")
        answer = await client.answer()
    assert (answer.status, answer.header("location"), evil.accepted) == (302, "https://evil.test/", 0)


@vector("S-5")
async def test_an_upstream_that_can_not_prove_its_name_gets_no_byte(gateway):
    upstream = await gateway.upstream(certificate_for="evil.test")
    async with await gateway.https() as client:
        await client.request("GET", "/a", "api.test", Authorization="Bearer canary")
        assert (await client.answer()).status == 502
    await gateway.stop()
    assert (upstream.received, upstream.seen) == (b"", [])
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["refused"]


@pytest.mark.parametrize(("size", "status"), [(999, 200), (1000, 200), (1001, 413)])
@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
@vector("B-12", "B-13")
async def test_a_body_is_read_up_to_its_window_and_not_decided_by_a_part(make, size, status, chunked):
    gateway = await make(reads_bodies=True, limits=Limits(body=1000))
    upstream = await gateway.upstream()
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"a" * size) if chunked else b"a" * size
    said = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    async with await gateway.https() as client:
        await client.send(f"POST /a HTTP/1.1\r\nHost: api.test\r\n{said}\r\n\r\n".encode() + framed)
        assert (await client.answer()).status == status
    assert [bytes(seen.body) for seen in upstream.seen] == ([b"a" * size] if status == 200 else [])
