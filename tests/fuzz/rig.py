"""A whole gate, agents that throw bytes at it, and upstreams that keep every byte: what was decided is what others read."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h11
from fuzz.mutation import HOST
from fuzz.strict import MalformedError, Parsed, Strict
from wire.upstreams import Seen

from outgate.admission import Admitted
from outgate.intake.request import NoBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wire.gateway import Gateway

    from outgate.intake.request import Request

SILENT, QUIET = 0.15, 0.03
"""Seconds without a first byte, and without another, after which a client ends its side: too short costs coverage alone."""
PATIENCE = 20.0
FRAMING = {"content-length", "transfer-encoding"}
"""Says where a body ends, and comes last. The parsers judge it; a length that a client declared is compared by itself."""


@dataclass
class Stream:
    """What came in on one connection, and what was wrong with it."""

    strict: Strict = field(default_factory=Strict)
    data: bytes = b""
    wrong: str = ""


@dataclass(kw_only=True)
class Recorder:
    """An upstream that answers what it can read, and keeps all of it."""

    certificate: Any = None
    streams: list[Stream] = field(default_factory=list)
    accepted: int = 0
    port: int = 0
    _server: Any = None

    @property
    def requests(self) -> list[Parsed]:
        return [request for stream in self.streams for request in stream.strict.requests]

    @property
    def seen(self) -> list[Seen]:
        """For the suite's oracle: one to one with what was let out."""
        scheme = "https" if self.certificate else "http"
        return [
            Seen(scheme=scheme, version="HTTP/1.1", method=one.method, target=one.target, headers=one.headers)
            for one in self.requests
        ]

    async def start(self) -> Recorder:
        context = None
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            context.set_alpn_protocols(["http/1.1"])
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.streams.append(stream := Stream())
        answered = 0
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                stream.data += data
                try:
                    stream.strict.feed(data)
                except MalformedError as error:
                    stream.wrong = str(error)
                    break
                for request in stream.strict.requests[answered:]:
                    if request.whole:
                        answered += 1
                        writer.write(
                            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if request.method == "HEAD" else b"ok")
                        )
                await writer.drain()
        writer.close()


@dataclass(kw_only=True)
class Thrower:
    """One agent's client: one input a connection, one after the other, to one host that is its own."""

    gateway: Gateway
    host: str
    way: str
    recorder: Recorder
    admitted: list[Admitted] = field(default_factory=list)

    async def throw(self, data: bytes) -> None:
        """Send it all, read whatever comes, and leave."""
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            wire = await self._wire()
            try:
                await wire.send(data.replace(HOST, self.host.encode()))
                await self._read(wire)
            finally:
                wire.writer.transport.abort()

    async def _wire(self) -> Any:
        match self.way:
            case "clear":
                return await self.gateway.plain()
            case "inside":
                wire = await self.gateway.plain()
                assert (await wire.tunnel(self.host, 80)).status == 200
                return wire
            case _:
                return await self.gateway.https(self.host)

    async def _read(self, wire: Any) -> None:
        patience = SILENT
        while True:
            try:
                if not await asyncio.wait_for(wire.reader.read(65536), patience):
                    return
                patience = patience if patience == PATIENCE else QUIET
            except TimeoutError:
                assert patience < PATIENCE, "the gate neither answered nor hung up"
                if self.way == "tls":  # TLS has no half-closed
                    return
                wire.writer.write_eof()
                patience = PATIENCE


async def throwers(gateway: Gateway, ways: Iterable[str]) -> list[Thrower]:
    """A client and an upstream for each way in. What the gate admits is kept as it was decided."""
    made = {f"ap{number}.test": way for number, way in enumerate(ways)}
    found = {host: await _thrower(gateway, host, way) for host, way in made.items()}
    admit = gateway.gate.admit

    async def kept(opening: Any, body: Any) -> Any:
        admission = await admit(opening, body)
        if isinstance(admission, Admitted) and admission.request.host in found:
            found[admission.request.host].admitted.append(admission)
        return admission

    gateway.gate.admit = kept  # type: ignore[method-assign]
    gateway.resolver._lookup._ask = _nowhere
    return list(found.values())


def _nowhere(name: str) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, name)


async def _thrower(gateway: Gateway, host: str, way: str) -> Thrower:
    certificate = None
    if way == "tls":
        certificate = gateway.folder / f"{host}.pem"
        from datetime import UTC, datetime

        certificate.write_bytes(gateway.pki.ca.leaf(host, datetime.now(UTC)).pem)
    recorder = await Recorder(certificate=certificate).start()
    gateway.upstreams.append(recorder)  # type: ignore[arg-type]  # it has what the oracle asks of one
    gateway.leads(host, recorder.port)
    return Thrower(gateway=gateway, host=host, way=way, recorder=recorder)


def judge(thrower: Thrower, receipts: dict[int, dict[str, Any]], outcomes: dict[int, dict[str, Any]]) -> None:
    """Everything that left is what was decided on, as an independent parser reads it, and as the record has it."""
    for stream in thrower.recorder.streams:
        assert not stream.wrong, f"{thrower.way}: forwarded, and malformed: {stream.wrong}\n{stream.data[:2000]!r}"
        assert _as_h11(stream) == [_plain(one) for one in stream.strict.requests]
    left = list(thrower.admitted)
    for seen in sorted(thrower.recorder.requests, key=lambda one: not one.whole):  # first those that leave no choice
        fit = [one for one in left if _same(one.request, seen) and _on_record(one, receipts, outcomes, seen)]
        assert fit, f"{thrower.way}: forwarded, and never decided like this: {seen}\nwas: {_near(left, seen)}"
        digest = _digest(seen)
        left.remove(next((one for one in fit if outcomes[one.stamp.seq]["body"] == digest), fit[0]))


def _on_record(admitted: Admitted, receipts: dict[int, Any], outcomes: dict[int, Any], seen: Parsed) -> bool:
    receipt, outcome = receipts[admitted.stamp.seq], outcomes[admitted.stamp.seq]
    said = receipt["request"]
    if (receipt["answer"], said["method"], said["host"]) != ("allow", seen.method, admitted.request.host):
        return False
    return not outcome["body"] or not seen.whole or outcome["body"] == _digest(seen)


def _digest(seen: Parsed) -> str:
    """Of a body as receipts have it: empty where there is none."""
    return "sha256:" + hashlib.sha256(seen.body).hexdigest() if seen.body else ""


def _near(left: list[Admitted], seen: Parsed) -> list[Any]:
    found = [one.request for one in left if (one.request.method, one.request.target) == (seen.method, seen.target)]
    return [(request, request.headers, request.body) for request in found][:5]


def _same(request: Request, seen: Parsed) -> bool:
    """Method, target, host, every header in its order, and the body where the policy had it."""
    if (request.method, request.target) != (seen.method, seen.target):
        return False
    if [("host", request.authority), *expected(request)] != [line for line in seen.headers if line[0] not in FRAMING]:
        return False
    declared = request.header("content-length")
    if declared is not None and seen.all("content-length") != [declared]:
        return False
    framed = bool(seen.all("transfer-encoding")) or seen.all("content-length") not in ([], ["0"])
    match request.body:
        case NoBody():
            return not framed
        case WholeBody(content):
            return seen.body == content or (not seen.whole and content.startswith(seen.body))
        case UnreadBody(length=None):
            return bool(seen.all("transfer-encoding"))
        case _:
            return framed


def expected(request: Request) -> list[tuple[str, str]]:
    """The headers that were decided on."""
    shaken = [("connection", "Upgrade"), ("upgrade", "websocket")] if request.websocket else []
    return [*(line for line in request.headers if line[0] not in FRAMING), *shaken]


def _plain(one: Parsed) -> tuple[str, str, list[tuple[str, str]], bytes]:
    return one.method, one.target, one.headers, one.body


def _as_h11(stream: Stream) -> list[tuple[str, str, list[tuple[str, str]], bytes]]:
    """What h11 reads of the same bytes; a request that is not whole as far as it goes."""
    connection, made = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20), []
    connection.receive_data(stream.data)
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            headers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
            made.append((event.method.decode(), event.target.decode("latin-1"), headers, b""))
        elif isinstance(event, h11.Data):
            made[-1] = (*made[-1][:3], made[-1][3] + bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
        elif event is h11.PAUSED and connection.our_state is h11.DONE and connection.their_state is h11.DONE:
            connection.start_next_cycle()
        elif event is h11.PAUSED and connection.their_state is h11.MIGHT_SWITCH_PROTOCOL:
            return made
        else:
            return made


def report(all_of: list[Thrower]) -> Counter[str]:
    """How much was tried: for who reads the test's output."""
    return Counter({one.way: len(one.recorder.requests) for one in all_of})
