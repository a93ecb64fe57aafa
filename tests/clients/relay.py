"""A plain CONNECT relay to the look-alikes: the control. What fails through it as well is not the gate's fault."""

from __future__ import annotations

import socket
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Relay(ThreadingTCPServer):
    """Connects every CONNECT to one address, whatever it asks for. Use as a context manager."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, to: str) -> None:
        super().__init__(("127.0.0.1", 0), _Connect)
        host, port = to.split(":")
        self.to = (host, int(port))

    def environment(self, ca_file: Path) -> dict[str, str]:
        """What a person would set by hand."""
        here = f"http://127.0.0.1:{self.server_address[1]}"
        trust = (
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "GIT_SSL_CAINFO",
            "PIP_CERT",
            "NODE_EXTRA_CA_CERTS",
            "npm_config_cafile",
        )
        return {"https_proxy": here, "HTTPS_PROXY": here, "NODE_USE_ENV_PROXY": "1"} | dict.fromkeys(trust, str(ca_file))

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connect(StreamRequestHandler):
    server: Relay

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(self.server.to) as upstream:
            self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(_read(upstream), self.connection), daemon=True)
            back.start()
            _copy(iter(lambda: self.rfile.read1(65536), b""), upstream)
            back.join()


def _read(source: socket.socket) -> Iterator[bytes]:
    return iter(lambda: source.recv(65536), b"")


def _copy(pieces: Iterator[bytes], target: socket.socket) -> None:
    try:
        for piece in pieces:
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # the other side left
        target.close()
