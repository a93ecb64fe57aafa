"""A look-alike gRPC service: grpcio's own server, over TLS and HTTP/2, that remembers what reached it as the others do."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import grpc
from clients.lookalikes import PATIENCE, NotAcknowledgedError, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clients.lookalikes import LookAlikes

GRPC = "grpc.test"
SERVICE = "acme.v1.Talk"
TOGETHER = 100
"""Calls that `Together` goes on with when all have come."""
MIB = 1 << 20
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class GrpcHost:
    """https://grpc.test, whose messages are plain bytes. Use as a context manager."""

    def __init__(self, services: LookAlikes) -> None:
        self._services = services
        self._acks = services.acks
        self._together = threading.Barrier(TOGETHER)
        pool = ThreadPoolExecutor(TOGETHER + 16)
        self._server = grpc.server(pool, interceptors=(_Remember(services),), options=_OPTIONS)
        unary, out, into, both = (
            grpc.unary_unary_rpc_method_handler,
            grpc.unary_stream_rpc_method_handler,
            grpc.stream_unary_rpc_method_handler,
            grpc.stream_stream_rpc_method_handler,
        )
        handlers = {
            "Say": unary(self._say),
            "Digest": unary(lambda sent, _: hashlib.sha256(sent).digest()),
            "Ack": unary(self._ack),
            "Fail": unary(self._fail),
            "Hang": unary(self._hang),
            "Freed": unary(self._freed),
            "Count": out(self._count),
            "Large": out(self._large),
            "Forever": out(self._forever),
            "Together": out(self._wait_for_all),
            "Sum": into(lambda numbers, _: b"%d" % sum(map(int, numbers))),
            "Chat": both(lambda heard, _: (b"you said " + one for one in heard)),
            "Enough": both(self._enough),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        key, chain = services.pem
        self._port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(((key, chain),)))
        services.elsewhere[GRPC] = f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    def _say(self, sent: bytes, context: grpc.ServicerContext) -> bytes:
        """Give back metadata, text and binary, before and after the message."""
        marks = tuple((key, value) for key, value in context.invocation_metadata() if key.startswith("x-mark"))
        context.send_initial_metadata((("x-first", "before"),))
        context.set_trailing_metadata((("x-last", "after"), *marks))
        return b"heard " + sent

    def _ack(self, stream: bytes, _context: grpc.ServicerContext) -> bytes:
        self._acks.said(stream.decode())
        return b""

    def _fail(self, sent: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("x-why", "because"),))
        context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {sent.decode()}: 100 % sure, naïve")

    def _hang(self, stream: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer nothing before the caller is gone."""
        gone = threading.Event()
        context.add_callback(gone.set)
        if gone.wait(PATIENCE):
            self._acks.said(stream.decode())
        return b"too late"

    def _freed(self, stream: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer when the server has learnt that the caller of another call is gone."""
        try:
            self._acks.wait(stream.decode())
        except NotAcknowledgedError:
            context.abort(grpc.StatusCode.ABORTED, "the stream goes on")
        return b"freed"

    def _count(self, stream: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from self._acks.each(stream.decode(), (b"event %d" % number for number in range(5)))

    def _large(self, mebibytes: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(mebibytes)):
            yield bytes((number,)) * MIB

    def _forever(self, stream: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(lambda: self._acks.said(stream.decode()))
        while context.is_active():
            yield b"still here" * 100

    def _wait_for_all(self, _sent: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"one"
        self._together.wait(PATIENCE)
        yield b"two"

    def _enough(self, heard: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        """Answer the first message, and end while the caller goes on talking."""
        yield b"enough of " + next(heard)


class _Remember(grpc.ServerInterceptor):
    def __init__(self, services: LookAlikes) -> None:
        self._services = services

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler], details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        said = tuple((key, str(value)) for key, value in details.invocation_metadata)
        self._services.remember(
            Seen(
                method="POST",
                scheme="https",
                host=GRPC,
                port=443,
                target=details.method,
                version="HTTP/2",
                headers=said,
                content=b"",
            )
        )
        return continuation(details)
