"""Nothing that an agent sends holds the loop for long: the CPU time of the worst single turn, with five times the room."""

from __future__ import annotations

import time
from contextlib import suppress

import hyperframe.frame as frames
import pytest
from wire.clients import Streams
from wire.gateway import AGENT
from wire.test_flood import FLOODS, https_at

from outgate.inspect.examine import examine
from outgate.intake.reading import read
from outgate.intake.request import Request, Tunnel, WholeBody
from outgate.mitm.handler import Handler
from outgate.mitm.heads import body_size, parse_head
from outgate.mitm.translate import raw_request
from outgate.stores.catalog_files import load_catalog
from outgate.worker.pool import SMALL

LONG = 0.05
ROOM = 5


@pytest.fixture
def turns(monkeypatch):
    """The CPU seconds of each turn of a connection: an event, and all that follows from it at once."""
    took, feed = [], Handler.feed

    def timed(self, event):
        began = time.process_time()
        feed(self, event)
        took.append(time.process_time() - began)

    monkeypatch.setattr(Handler, "feed", timed)
    return took


async def _big_heads(gateway, port):
    wire = await https_at(gateway, port)
    await wire.send("GET /forbidden HTTP/1.1\r\nHost: api.test\r\n" + "a: b\r\n" * 10_000 + "\r\n")
    assert (await wire.answer()).status in {400, 431}
    wire.writer.transport.abort()


async def _chunk_extensions(gateway, port):
    wire = await https_at(gateway, port)
    await wire.send("POST /forbidden HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    with suppress(ConnectionError):
        await wire.send(b"1;" + b"a" * 60_000 + b"\r\na\r\n" * 1)
        await wire.send((b"1;" + b"a=b;" * 15_000 + b"\r\na\r\n") * 20)
    wire.writer.transport.abort()


async def _byte_by_byte(gateway, port):
    wire = await https_at(gateway, port)
    for byte in b"GET /forbidden HTTP/1.1\r\nHost: api.test\r\nX: " + b"a" * 2000 + b"\r\n\r\n":
        wire.writer.write(bytes([byte]))
        await wire.writer.drain()
    assert (await wire.answer()).status == 403
    wire.writer.transport.abort()


async def _empty_frames(gateway, port):
    wire = await https_at(gateway, port, "h2")
    async with Streams(wire) as client:
        stream = await client.request("POST", "/forbidden", "api.test", end=False)
        with suppress(ConnectionError):
            await wire.send(frames.DataFrame(stream, b"").serialize() * 20_000)
        await client.until(lambda: stream in client.answers)
    wire.writer.transport.abort()


HEAVY = [*FLOODS, _big_heads, _chunk_extensions, _byte_by_byte, _empty_frames]


@pytest.mark.parametrize("flood", HEAVY, ids=lambda flood: flood.__name__.strip("_"))
async def test_no_turn_of_a_flood_takes_long(gateway, turns, flood):
    await gateway.upstream(alpn=("h2", "http/1.1"))
    await flood(gateway, await gateway.listen(AGENT))
    await gateway.stop()
    assert turns
    assert max(turns) < LONG * ROOM, f"{max(turns):.3f} s"


def head(target: bytes = b"/a", *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: api.test", *fields, b"", b""])


HEADS = {
    "a head of many small headers": head(b"/a", *[b"a: b"] * 10_000),
    "a head of many names": head(b"/a", *[b"a%d:" % i for i in range(7000)]),
    "names in Connection": head(
        b"/a", b"connection: " + b",".join(b"a%d" % i for i in range(8000)), *[b"a%d:" % i for i in range(90)]
    ),
    "escapes": head(b"/" + b"%41" * 5400),
    "escaped escapes": head(b"/" + b"%2525" * 3200),
    "slashes": head(b"/" * 16_000),
    "dots": head(b"/" + b"a/." * 5000),
    "a long query": head(b"/?" + b"a=1&" * 4000),
    "cookies": head(b"/a", b"cookie: " + b"a=b; " * 12_000),
}
CATALOG = load_catalog()
HOSTS = {
    "api.test": "/a",
    "api.github.com": "/graphql",
    "api.openai.com": "/v1/chat/completions",
    "api.stripe.com": "/v1/charges",
}
BODIES = {
    "objects": b"[" + b'{"a":1},' * 4000 + b"1]",
    "numbers": b"[" + b"1," * 16_000 + b"1]",
    "depth": b"[" + (b'{"a":' * 60 + b"1" + b"}" * 60 + b",") * 80 + b"1]",
    "names": b"{" + b",".join(b'"%d":1' % i for i in range(3000)) + b"}",
    "calls": b"[" + b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}},' * 450 + b"1]",
    "fields": b'{"query":"{' + b" ".join(b"a%d:b" % i for i in range(3000)) + b'}"}',
    "fragments": b'{"query":"{...f0}'
    + b"".join(b"fragment f%d on Q{...f%d ...f%d}" % (i, i + 1, i + 1) for i in range(40))
    + b'"}',
    "what looks like a key": b'{"a":"' + b"sk_AAAA aA0aA0aA0aA0aA0 " * 1300 + b'"}',
    "what looks like a token": b'{"a":"' + b"eyJaaaaaaaa." * 2600 + b'"}',
    "what looks like a password": b'{"a":"' + b"password= " * 3200 + b'"}',
    "escapes": b'{"a":"' + b"%41%42%43%44" * 2600 + b'"}',
}


@pytest.mark.parametrize("said", HEADS.values(), ids=HEADS)
def test_no_head_takes_long_to_read(said):
    began = time.process_time()
    asked = parse_head(said)
    body_size(asked)
    read(raw_request(asked, Tunnel(host=b"api.test", port=443, sni=b"api.test")))
    assert time.process_time() - began < LONG * ROOM


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("host", HOSTS)
def test_no_body_that_is_read_in_the_loop_takes_long(host, body):
    assert len(body) <= SMALL
    request = Request(
        method="POST",
        scheme="https",
        host=host,
        port=443,
        path=HOSTS[host],
        query=None,
        headers=(("content-type", "application/json"),),
        body=WholeBody(body),
    )
    began = time.process_time()
    examine(request, CATALOG, data=True)
    assert time.process_time() - began < LONG * ROOM


RULES = """
    outgate: policy/v1alpha
    policy: many
    mode: enforce
    otherwise: {{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {{read: allow, other: allow}}}}
    rules:
{rules}
"""


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ('{{id: r{n}, match: {{resource: "*a*a*a*a*a*b{n}"}}, effect: block}}', "/" + "a" * 4000),
        ("{{id: r{n}, when: 'request.path.matches(\"^(a+)+{n}$\")', effect: block}}", "/" + "a" * 4000),
        ("{{id: r{n}, when: 'request.path.matches(\"(x+x+)+y{n}\")', effect: block}}", "/" + "x" * 4000),
    ],
)
async def test_no_pattern_of_a_rule_takes_longer_than_its_text(make, turns, rule, path):
    rules = "\n".join(f"      - {rule.format(n=n)}" for n in range(20))
    gateway = await make(policy_text=RULES.format(rules=rules))
    await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        await client.request("GET", f"http://api.test{path}", "api.test")
        assert (await client.answer()).status == 200
    assert max(turns) < LONG * ROOM, f"{max(turns):.3f} s"


async def test_a_thousand_rules_are_decided_on_in_one_short_turn(make, turns):
    rules = "\n".join(f'      - {{id: r{n}, match: {{resource: "*/secret{n}/*"}}, effect: block}}' for n in range(1000))
    gateway = await make(policy_text=RULES.format(rules=rules))
    await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        for _ in range(3):
            await client.request("GET", "http://api.test/a/b?" + "a=1&" * 2000, "api.test")
            assert (await client.answer()).status == 200
    assert max(turns) < LONG * ROOM, f"{max(turns):.3f} s"
