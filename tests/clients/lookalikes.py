"""Look-alike services on loopback: one TLS server for many names, and an exact memory of what reached it."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

import trustme
from clients.http2_host import Http2

from outgate.digest import sent_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

ACKS = "acks.test"
"""Where a client says that it has read what a stream sent so far: `https://acks.test/<stream>`."""

PATIENCE = 20
"""Seconds that a stream waits for an acknowledgement. Only a failing test waits this long."""

MOST_BODY = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived; `content` is its body, transfer coding undone."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    content: bytes = field(repr=False)

    @property
    def body(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def digest(self) -> str:
        """What a decision's receipt calls `sent`."""
        return sent_digest(method=self.method, scheme=self.scheme, host=self.host, port=self.port, target=self.target)

    @property
    def line(self) -> str:
        """For people and for tests: `GET github.com/acme/site`."""
        return f"{self.method} {self.host}{self.target}"

    @property
    def ask(self) -> Ask:
        path, _, query = self.target.partition("?")
        headers = {name.lower(): value for name, value in self.headers}
        return Ask(method=self.method, host=self.host, path=path, query=query, headers=headers, body=self.content)

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a service answers to."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. A body of bytes has a length; any other is sent chunked, each piece as it comes."""

    status: int = 200
    kind: str = "application/json"
    body: bytes | Iterable[bytes] = b'{"ok": true}'
    headers: tuple[tuple[str, str], ...] = ()
    talk: Callable[[BinaryIO, BinaryIO], None] | None = None
    """What goes on, on the same connection, after a 101."""
    hangs_up: str = ""
    """Close the connection afterwards, without having said so; whoever waits for a stream of this name hears when that is done."""


type Service = Callable[[Ask], Answer]


class NotAcknowledgedError(Exception):
    """Nobody said that what was sent so far had arrived."""


class Acks:
    """Streams that go on only when their reader says so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, threading.Semaphore] = {}
        self.missed: list[str] = []

    def service(self, ask: Ask) -> Answer:
        self.said(ask.path.strip("/"))
        return Answer()

    def said(self, stream: str) -> None:
        """Its reader has acknowledged once more."""
        self._of(stream).release()

    def wait(self, stream: str) -> None:
        """Give back when the reader has acknowledged once more."""
        if not self._of(stream).acquire(timeout=PATIENCE):
            self.missed.append(stream)
            raise NotAcknowledgedError(stream)

    def each(self, stream: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces, each but the first only after the one before was acknowledged."""
        for number, piece in enumerate(pieces):
            if number:
                self.wait(stream)
            yield piece

    def _of(self, stream: str) -> threading.Semaphore:
        with self._lock:
            return self._heard.setdefault(stream, threading.Semaphore(0))


class LookAlikes:
    """Use as a context manager. `services` are by host; a host without one answers `{"ok": true}`.

    `modern` is the one name that speaks HTTP/2 as well.
    """

    def __init__(self, folder: Path, names: Iterable[str], services: Mapping[str, Service], acks: Acks, modern: str) -> None:
        self.names = tuple(names)
        self.acks = acks
        self.ca_file = folder / "look-alikes-ca.pem"
        self.elsewhere: dict[str, str] = {}
        """Hosts that other servers answer for, with certificates of the same CA: where they are."""
        self._services = services
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._connections = 0
        self.malformed: list[str] = []
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        certificate = self._certificate = authority.issue_cert(*self.names)
        context, both = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
        context.set_alpn_protocols(["http/1.1"])
        both.set_alpn_protocols(["h2", "http/1.1"])
        certificate.configure_cert(context)
        certificate.configure_cert(both)
        context.sni_callback = lambda connection, name, _: setattr(connection, "context", both) if name == modern else None
        self._servers = (_Server("https", self, context), _Server("http", self, None))
        self._threads = [threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True) for server in self._servers]

    @property
    def address(self) -> str:
        """host:port of the TLS server."""
        return f"127.0.0.1:{self._servers[0].server_address[1]}"

    @property
    def plain_address(self) -> str:
        """host:port of the server without TLS."""
        return f"127.0.0.1:{self._servers[1].server_address[1]}"

    @property
    def pem(self) -> tuple[bytes, bytes]:
        """Key and certificate for all names."""
        chain = b"".join(blob.bytes() for blob in self._certificate.cert_chain_pems)
        return self._certificate.private_key_pem.bytes(), chain

    @property
    def seen(self) -> tuple[Seen, ...]:
        """Everything since the last `forget`, in order of arrival."""
        with self._lock:
            return tuple(self._seen)

    @property
    def connections(self) -> int:
        """TCP connections accepted since the last `forget`."""
        return self._connections

    def lines(self, *hosts: str) -> list[str]:
        """What reached these hosts, for comparison with what was meant to."""
        return [seen.line for seen in self.seen if not hosts or seen.host in hosts]

    def digests(self) -> Counter[str]:
        return Counter(seen.digest for seen in self.seen)

    def forget(self) -> None:
        """Begin anew; a test owns what is seen from here."""
        with self._lock:
            self._seen.clear()
            self._connections = 0
        self.malformed.clear()
        self.acks.missed.clear()

    def remember(self, seen: Seen) -> None:
        with self._lock:
            self._seen.append(seen)

    def connected(self) -> None:
        with self._lock:
            self._connections += 1

    def answer(self, ask: Ask) -> Answer:
        service = self._services.get(ask.host)
        return service(ask) if service else Answer()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, scheme: str, owner: LookAlikes, context: ssl.SSLContext | None) -> None:
        self.scheme, self.owner, self._context = scheme, owner, context
        self.hanging_up: dict[object, str] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self):
        connection, address = super().get_request()
        self.owner.connected()
        if self._context:  # the handshake is made by the connection's own thread, at its first read
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def shutdown_request(self, request) -> None:
        super().shutdown_request(request)
        if stream := self.hanging_up.pop(request, ""):
            self.owner.acks.said(stream)

    def handle_error(self, request, client_address) -> None:
        """Clients leave in the middle, as they may."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle(self) -> None:
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()
            if self.connection.selected_alpn_protocol() == "h2":
                Http2(self.connection, self._answer_http2).serve()
                return
        super().handle()

    def _answer_http2(self, fields: list[tuple[str, str]], body: bytes) -> Answer:
        said, owner = dict(fields), self.server.owner
        host, port = _host_and_port(said[":authority"], said[":scheme"])
        seen = Seen(
            method=said[":method"],
            scheme=said[":scheme"],
            host=host,
            port=port,
            target=said[":path"],
            version="HTTP/2",
            headers=tuple((name, value) for name, value in fields if not name.startswith(":")),
            content=body,
        )
        owner.remember(seen)
        return owner.answer(seen.ask)

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self._serve()

    def send_error(self, code, message=None, explain=None) -> None:
        self.server.owner.malformed.append(f"{code} {message}: {self.raw_requestline!r}")
        super().send_error(code, message, explain)

    def _serve(self) -> None:
        body = b""
        try:
            body = self._body()
        finally:
            seen = self._seen(body)
            self.server.owner.remember(seen)
        self._send(self.server.owner.answer(seen.ask))

    def _seen(self, body: bytes) -> Seen:
        host, port = _host_and_port(self.headers.get("Host", ""), self.server.scheme)
        return Seen(
            method=self.command,
            scheme=self.server.scheme,
            host=host,
            port=port,
            target=self.path,
            version=self.request_version,
            headers=tuple(self.headers.items()),
            content=body,
        )

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(iter(self._chunk, b""))
        return self._exactly(int(self.headers.get("Content-Length", 0)))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline(1024).split(b";")[0], 16)
        data = self._exactly(size)
        if self.rfile.readline(1024) != b"\r\n":
            raise ConnectionError("a chunk that does not end, or trailers")
        return data

    def _exactly(self, size: int) -> bytes:
        if size > MOST_BODY:
            raise ConnectionError("a body larger than any test sends")
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client left in the middle of a body")
        return data

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.talk:
            self.end_headers()
            self.close_connection = True
            answer.talk(self.rfile, self.wfile)
        elif isinstance(answer.body, bytes):
            if answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer.body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._send_chunks(answer.body)
        if answer.hangs_up:
            self.close_connection = True
            self.server.hanging_up[self.connection] = answer.hangs_up

    def _send_chunks(self, pieces: Iterable[bytes]) -> None:
        self.close_connection = True
        with contextlib.suppress(NotAcknowledgedError):  # it is noted; the client sees a body that breaks off
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            self.close_connection = False

    def log_message(self, format, *args) -> None:  # noqa: A002  # the signature is the base class's
        pass


def _host_and_port(authority: str, scheme: str) -> tuple[str, int]:
    host, _, port = authority.lower().partition(":")
    return host, int(port) if port else 443 if scheme == "https" else 80
