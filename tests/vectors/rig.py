"""What a case says, done to a whole gate: bytes go in, and the answers, the upstreams and the log are held against it."""

from __future__ import annotations

import gzip
import itertools
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from wire.clients import Streams, Wire
from wire.gateway import AGENT

from outgate.mitm.original import Original

if TYPE_CHECKING:
    from wire.gateway import Gateway
    from wire.upstreams import Turn, Upstream

CASES = Path(__file__).parent / "cases"
REFUSED = {400, 414, 421, 431}
_SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n"
_KEYS = {
    *("id", "says", "by", "to", "sni", "offers", "lines", "body", "raw", "after", "streams", "answers", "upstream", "record"),
    *("policy", "upstream_says", "client_sees", "never", "resolver", "noted", "upstream_lacks", "tls"),
}


@dataclass(kw_only=True)
class Case:
    """One vector, as a file says it. README.md tells what each key means."""

    id: str
    says: str
    by: str = "tunnel"
    to: str = ""
    sni: str | None = None
    offers: str = "http/1.1"
    tls: bool | None = None
    lines: list[Any] = field(default_factory=list)
    body: Any = ""
    raw: Any = None
    after: Any = _SMUGGLED
    streams: list[dict[str, Any]] = field(default_factory=list)
    answers: Any = 400
    upstream: list[Any] = field(default_factory=list)
    record: list[str] | None = None
    policy: str = ""
    upstream_says: Any = None
    client_sees: Any = None
    never: list[Any] = field(default_factory=list)
    upstream_lacks: list[str] = field(default_factory=list)
    resolver: dict[str, Any] = field(default_factory=dict)
    noted: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.id}: {self.says}{', in HTTP/2' if self.by == 'h2' else ''}"

    @property
    def expected(self) -> list[Any]:
        return self.answers if isinstance(self.answers, list) else [self.answers]

    @property
    def expected_record(self) -> list[str]:
        if self.record is not None:
            return self.record
        return [_RECORDS[status] for status in self.expected if status in _RECORDS]


_RECORDS = {200: "allow policy", 403: "block policy", **dict.fromkeys(REFUSED, "block unreadable")}


def cases() -> list[Case]:
    """Every case of every file."""
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        for said in yaml.safe_load(path.read_text())["cases"]:
            assert said.keys() <= _KEYS, f"{path.name}: {said.keys() - _KEYS}"
            found.append(Case(**said))
    return found


def bytes_of(part: Any) -> bytes:
    """Text is Latin-1, one character a byte; a list is its parts; the rest has a name."""
    match part:
        case str():
            return part.encode("latin-1")
        case list():
            return b"".join(map(bytes_of, part))
        case {"repeat": what, "times": times}:
            return bytes_of(what) * times
        case {"utf8": text}:
            return text.encode()
        case {"utf16": text}:
            return text.encode("utf-16-le")
        case {"chunk": what}:
            return b"%x\r\n%s\r\n" % (len(data := bytes_of(what)), data)
        case {"gzip": what}:
            return gzip.compress(bytes_of(what), mtime=0)
        case _:
            raise AssertionError(f"no such part: {part}")


def request_bytes(case: Case) -> bytes:
    if case.raw is not None:
        return bytes_of(case.raw)
    return b"\r\n".join([*map(bytes_of, case.lines), b"", b""]) + bytes_of(case.body)


async def run(case: Case, gateway: Gateway) -> None:
    """Do it, then look at everybody."""
    tls = case.by in {"tunnel", "h2", "turned"} if case.tls is None else case.tls
    alpn = ("h2",) if case.by == "h2" and case.offers == "h2" else ("http/1.1",)
    upstream, evil = await gateway.upstream(tls=tls, alpn=alpn), await gateway.upstream("evil.test", tls=tls)
    if case.upstream_says is not None:
        upstream.answers["/a"] = _saying(bytes_of(case.upstream_says))
    asked = _watched(case, gateway)
    ways = {"h2": _h2, "socks": _socks}
    got = await ways.get(case.by, _h1)(case, gateway)
    await gateway.stop()
    assert evil.accepted == 0, "somebody else was contacted"
    _look_at_upstream(case, upstream)
    _look_at_record(case, gateway, got)
    if not case.upstream and not case.resolver and case.upstream_says is None and "block destination" not in case.expected_record:
        assert asked == [], "a name was looked up"


def _watched(case: Case, gateway: Gateway) -> list[Any]:
    """Keep every question to the resolver; and have it judge as a case wants it to."""
    asked, resolver = [], gateway.resolver
    pin = resolver.pin

    async def watched(host: str, port: int) -> Any:
        asked.append((host, port))
        return await pin(host, port)

    gateway.resolver.pin = watched
    resolver._served = case.resolver.get("served", False)
    resolver._own = {("127.0.0.1", gateway.port)}
    for name, addresses in case.resolver.get("names", {}).items():
        resolver._lookup._ask = lambda _name, found=addresses: tuple(map(ip_address, found))
        gateway.destinations.pop(name, None)
    return asked


def _saying(data: bytes):
    async def answer(turn: Turn) -> None:
        assert turn.raw is not None
        await turn.raw(data)

    return answer


async def _h1(case: Case, gateway: Gateway) -> list[bytes]:
    """One connection, all the bytes at once, and every answer until it ends."""
    client = await _connected(case, gateway)
    bodies = []
    async with client:
        sent = request_bytes(case)
        closes = case.expected[-1] in {400, 414, 431, "closed"}
        await client.send(sent.replace(b"{port}", str(gateway.port).encode()) + (bytes_of(case.after) if closes else b""))
        for status in case.expected:
            if status == "closed":
                continue
            answer = await client.answer(head=sent.startswith(b"HEAD "))
            assert answer.status == status, f"{answer.status}, not {status}: {answer.body!r}"
            bodies.append(answer.body)
            if case.client_sees is not None and status == case.expected[-1]:
                _look_at_answer(case, answer)
        if closes:
            assert await client.rest() == b"", "more was answered than was asked"
    return bodies


async def _socks(case: Case, gateway: Gateway) -> list[bytes]:
    """All the bytes at once, to a SOCKS listener of the agent's own: exactly these come back, and it is over."""
    gateway.port = await gateway.engine.listen("127.0.0.1", 0, AGENT, "socks5")
    async with await Wire.to(gateway.port) as client:
        await client.send(request_bytes(case) + bytes_of(case.after))
        said = await client.rest()
    assert said == bytes_of((case.client_sees or {}).get("body", ""))
    return []


async def _connected(case: Case, gateway: Gateway) -> Wire:
    to = case.to.replace("{port}", str(gateway.port)) or {"inside": "api.test:80"}.get(case.by, "api.test:443")
    host, _, port = to.rpartition(":")
    match case.by:
        case "clear":
            return await gateway.plain()
        case "tunnel":
            return await gateway.https(host, port=int(port), sni=case.sni)
        case "inside" | "after":
            wire = await gateway.plain()
            assert (await wire.tunnel(host, int(port))).status == 200
            return wire
        case "turned" | "turned-clear":
            gateway.engine._original = lambda _socket: Original(host, int(port))
            wire = await Wire.to(await gateway.engine.listen("127.0.0.1", 0, AGENT, "transparent"))
            if case.by == "turned":
                await wire.tls(gateway.context("http/1.1"), case.sni or "api.test")
            return wire
        case _:
            raise AssertionError(f"no such way: {case.by}")


async def _h2(case: Case, gateway: Gateway) -> list[bytes]:
    wire = await gateway.https("api.test", "h2", sni=case.sni)
    bodies = []
    async with wire, Streams(wire) as client:
        for said, status in zip(case.streams, case.expected, strict=True):
            first = {":method": "GET", ":scheme": "https", ":authority": "api.test", ":path": "/a", **said.get("pseudo", {})}
            pseudo = [(name, str(value)) for name, value in first.items() if value is not None]
            pseudo += [tuple(pair) for pair in said.get("again", [])]
            headers = [(name, _text(value)) for name, value in said.get("headers", []) for _ in range(said.get("times", 1))]
            body, trailers = bytes_of(said.get("body", "")), [tuple(pair) for pair in said.get("trailers", [])]
            open_end = bool(trailers) or bool(body)
            stream = await client.request("", "", "", pseudo=pseudo, headers=headers, end=not open_end)
            if body:
                await client.data(stream, body, end=not trailers)
            if trailers:
                client.conn.send_headers(stream, trailers, end_stream=True)
                await client.flush()
            await client.until(lambda stream=stream: stream in client.ended or stream in client.reset)
            bodies.append(_ended_as(client, stream, status))
    return bodies


def _text(value: Any) -> str:
    return bytes_of(value).decode("latin-1")


def _ended_as(client: Streams, stream: int, expected: Any) -> bytes:
    if stream in client.ended:
        answer = client.answers[stream]
        assert answer.status == expected, f"{answer.status}, not {expected}: {answer.body!r}"
        return answer.body
    got = "reset" if stream in client.reset else "gone"
    assert got == expected, f"the stream is {got}"
    return b""


def _look_at_answer(case: Case, answer: Any) -> None:
    for name, value in case.client_sees.items():
        assert (answer.body if name == "body" else answer.header(name)) == (bytes_of(value) if name == "body" else value), name


def _look_at_upstream(case: Case, upstream: Upstream) -> None:
    """Nothing, or exactly these bytes."""
    if case.by == "h2":
        assert [f"{seen.method} {seen.target}" for seen in upstream.seen] == case.upstream
    else:
        expected = b"".join(map(_sent, case.upstream))
        assert upstream.received == expected
        if not expected:
            assert upstream.accepted == 0, "it was contacted"
    for what in case.upstream_lacks:
        everything = upstream.received + b"".join(f"{n}: {v}\r\n".encode("latin-1") for s in upstream.seen for n, v in s.headers)
        assert bytes_of(what).lower() not in everything.lower(), what


def _sent(lines: list[Any]) -> bytes:
    """A head ends in an empty line. After one in the middle come a length's bytes as they are, or chunks line by line."""
    raw = "" in lines and not any(str(line).endswith("chunked") for line in lines)
    return b"\r\n".join([*map(bytes_of, lines), *([] if raw else [b"", b""])])


def _look_at_record(case: Case, gateway: Gateway, bodies: list[bytes]) -> None:
    """One decision a request, each with its reason, in words where something was refused; and what a client was told."""
    decisions = gateway.decisions()
    assert [f"{decision['answer']} {decision['reason']}" for decision in decisions] == case.expected_record
    for decision in decisions:
        if decision["answer"] != "allow":
            assert decision["tell"], "refused, and no word why"
            assert any(decision["tell"].encode()[:20] in body or not body for body in bodies) or not bodies
    for what, detail in case.noted.items():
        assert detail in [event.get("detail") for event in gateway.events(what)], gateway.receipts
    log = b"".join(path.read_bytes() for path in gateway.journal.folder.rglob("*") if path.is_file())
    assert all(bytes_of(what) not in log for what in case.never), "the log has what must not be in it"


def by_id(found: list[Case]) -> dict[str, int]:
    """How many cases an id has."""
    return {key: len(list(group)) for key, group in itertools.groupby(sorted(case.id for case in found))}
