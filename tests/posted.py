"""A place that takes POSTs, on loopback, in plain or with TLS: it keeps what came and answers as it was told."""

from __future__ import annotations

import queue
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Came:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Taker:
    """`answers` are statuses, in turn; then 200."""

    url: str
    answers: list[int] = field(default_factory=list)
    came: queue.Queue[Came] = field(default_factory=queue.Queue)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def next(self) -> Came:
        return self.came.get(timeout=20)


@contextmanager
def taking(*answers: int, tls: bool = False) -> Iterator[Taker]:
    taker = Taker(url="", answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = taker.answers.pop(0) if taker.answers else 200
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            taker.came.put(Came(self.path, {name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        taker.tls = ssl.create_default_context()
        authority.configure_trust(taker.tls)
    taker.url = f"http{'s' if tls else ''}://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield taker
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
