"""The same look-alikes over HTTP/2 (RFC 9113): one thread reads a connection, each request is answered by its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import h2.exceptions

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from clients.lookalikes import Answer

type Request = tuple[list[tuple[str, str]], bytes]


class Http2:
    """One connection. `answer` is called with a request's fields, pseudo-header fields first, and its whole body."""

    def __init__(self, connection: ssl.SSLSocket, answer: Callable[[list[tuple[str, str]], bytes], Answer]) -> None:
        self._socket = connection
        self._answer = answer
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        self._room = threading.Condition()  # also the lock of `_h2` and of what is sent
        self._heads: dict[int, list[tuple[str, str]]] = {}
        self._bodies: dict[int, bytearray] = {}
        self._over = False

    def serve(self) -> None:
        """Until the client leaves."""
        with self._room:
            self._h2.initiate_connection()
            self._flush()
        try:
            while data := self._socket.recv(65536):
                with self._room:
                    for event in self._h2.receive_data(data):
                        self._happened(event)
                    self._flush()
                    self._room.notify_all()
        finally:
            with self._room:
                self._over = True
                self._room.notify_all()

    def _happened(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self._heads[event.stream_id] = event.headers
                self._bodies[event.stream_id] = bytearray()
            case h2.events.DataReceived():
                self._bodies[event.stream_id] += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                threading.Thread(target=self._serve_stream, args=(event.stream_id,), daemon=True).start()

    def _serve_stream(self, stream: int) -> None:
        answer = self._answer(self._heads.pop(stream), bytes(self._bodies.pop(stream)))
        fields = [(":status", str(answer.status)), ("content-type", answer.kind)]
        fields += [(name.lower(), value) for name, value in answer.headers]
        pieces = [answer.body] if isinstance(answer.body, bytes) else answer.body
        try:
            with self._room:
                self._h2.send_headers(stream, fields)
                self._flush()
            self._send(stream, pieces)
        except (OSError, h2.exceptions.ProtocolError):
            pass  # the client gave this one up, as it may

    def _send(self, stream: int, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            rest = piece
            while rest:
                with self._room:
                    while not (room := self._h2.local_flow_control_window(stream)) and not self._over:
                        self._room.wait()
                    size = min(room, len(rest), self._h2.max_outbound_frame_size)
                    if self._over:
                        return
                    self._h2.send_data(stream, rest[:size])
                    self._flush()
                rest = rest[size:]
        with self._room:
            self._h2.end_stream(stream)
            self._flush()

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._socket.sendall(data)
