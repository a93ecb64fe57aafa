"""A TLS client that greets with an extension of its own, as browsers do with an encrypted greeting that is none (GREASE ECH)."""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wire.clients import Wire

ECH = 0xFE0D
_ADD = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_int), ctypes.c_void_p,
)  # fmt: skip
_FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)
_PARSE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int), ctypes.c_void_p
)


def available() -> ctypes.CDLL | None:
    """The system's OpenSSL: Python's own has no way to add an extension."""
    name = ctypes.util.find_library("ssl")
    return None if name is None else ctypes.CDLL(name)


def grease_ech() -> bytes:
    """ECHClientHello, outer: HKDF-SHA256 with AES-128-GCM, some id, a key of 32 bytes, 144 bytes that decrypt to nothing."""
    return b"\x00" + b"\x00\x01\x00\x01" + b"\x2a" + b"\x00\x20" + os.urandom(32) + b"\x00\x90" + os.urandom(144)


@dataclass
class Greeter:
    """One TLS connection over an open one, with `ech` in its greeting. The leaf is not verified: what it says is looked at."""

    wire: Wire
    name: str
    ech: bytes
    sent: bytes = b""

    async def ask(self, request: bytes) -> bytes:
        """Greet, ask, and give what came back until it ended; nothing if the greeting was turned down."""
        lib = available()
        assert lib is not None
        for function in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_new", "BIO_s_mem"):
            getattr(lib, function).restype = ctypes.c_void_p
        context = ctypes.c_void_p(lib.SSL_CTX_new(ctypes.c_void_p(lib.TLS_client_method())))
        self._add_to(lib, context)
        self._lib, self._tls = lib, ctypes.c_void_p(lib.SSL_new(context))
        self._in, self._out = (ctypes.c_void_p(lib.BIO_new(ctypes.c_void_p(lib.BIO_s_mem()))) for _ in range(2))
        lib.SSL_set_bio(self._tls, self._in, self._out)
        lib.SSL_ctrl(self._tls, 55, ctypes.c_long(0), ctypes.c_char_p(self.name.encode()))  # SSL_set_tlsext_host_name
        lib.SSL_set_connect_state(self._tls)
        try:
            return await self._talk(request)
        finally:
            lib.SSL_free(self._tls)
            lib.SSL_CTX_free(context)

    def _add_to(self, lib: ctypes.CDLL, context: ctypes.c_void_p) -> None:
        self._said = ctypes.create_string_buffer(self.ech, len(self.ech))

        def add(_tls, _kind, out, length, _alert, _arg):
            out[0], length[0] = ctypes.addressof(self._said), len(self.ech)
            return 1

        self._callbacks = _ADD(add), _FREE(lambda *_: None), _PARSE(lambda *_: 1)
        added, freed, parsed = self._callbacks
        assert lib.SSL_CTX_add_client_custom_ext(context, ECH, added, freed, None, parsed, None) == 1

    async def _talk(self, request: bytes) -> bytes:
        asked, got, buffer = False, b"", ctypes.create_string_buffer(65536)
        while True:
            result = self._step(asked, request, buffer)
            if result > 0:
                got, asked = (got + buffer.raw[:result], True) if asked else (got, True)
            await self._flush()
            if result <= 0:
                if self._lib.SSL_get_error(self._tls, result) != 2:  # SSL_ERROR_WANT_READ
                    return got
                data = await asyncio.wait_for(self.wire.reader.read(65536), 20)
                if not data:
                    return got
                self._lib.BIO_write(self._in, data, len(data))

    def _step(self, asked: bool, request: bytes, buffer) -> int:
        if asked:
            return self._lib.SSL_read(self._tls, buffer, 65536)
        result = self._lib.SSL_do_handshake(self._tls)
        return self._lib.SSL_write(self._tls, request, len(request)) if result == 1 else result

    async def _flush(self) -> None:
        buffer = ctypes.create_string_buffer(65536)
        while (size := self._lib.BIO_read(self._out, buffer, 65536)) > 0:
            self.sent += buffer.raw[:size]
            await self.wire.send(buffer.raw[:size])
