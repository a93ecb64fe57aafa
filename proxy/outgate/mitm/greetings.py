"""TLS that is passed on unread may be begun anew, in the clear: each ClientHello must name the host that was decided."""

from __future__ import annotations

from typing import Final

from outgate.mitm.hello import Hello, Unnamed, Wants

_HANDSHAKE, _SERVER_HELLO = 22, 2
_HEADER: Final = 5
_LONGEST_RECORD: Final = 2**14 + 256
_RANDOM: Final = slice(_HEADER + 4 + 2, _HEADER + 4 + 2 + 32)
"""In a ServerHello that begins a record: behind its type, its length and its version."""
_ASKS_AGAIN: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random bytes of a HelloRetryRequest, which is a ServerHello otherwise (RFC 8446, section 4.1.3)."""


class Greetings:
    """Reads along until no further ClientHello can count. It holds back nothing: what is wrong is told before it is passed on.

    A server that asks for a hello again goes by the name in the second one (OpenSSL does). A client may send that one before it
    is asked, so records in the clear are read until the server's first word is there, whoever speaks first.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._hello = Hello()
        self._records = bytearray()
        self._message = bytearray()
        self._answer = b""
        self._hellos = 0
        self._over = False

    def from_client(self, data: bytes) -> str:
        """Read what goes to the upstream. Gives what is wrong with it, in our own words; nothing where it may pass."""
        if self._over:
            return ""
        self._records += data
        while len(self._records) >= _HEADER:  # of which there are none once it is over
            size = int.from_bytes(self._records[_HEADER - 2 : _HEADER])
            if size > _LONGEST_RECORD:
                return "malformed tls"
            if len(self._records) < _HEADER + size:
                return ""
            record = self._records[: _HEADER + size]
            del self._records[: _HEADER + size]
            if wrong := self._record(record):
                return wrong
        return ""

    def from_upstream(self, data: bytes) -> None:
        """Read the upstream's first word: whether it wants another hello. What can't be told from it counts as if it did."""
        if self._over or len(self._answer) >= _RANDOM.stop:
            return
        self._answer += data[: _RANDOM.stop - len(self._answer)]
        self._end()

    def _record(self, record: bytearray) -> str:
        if record[0] != _HANDSHAKE:
            return "a client hello that is interrupted" if self._message else ""
        self._message += record
        match self._hello.server_name(self._message):
            case Wants():
                return ""
            case Unnamed(why):
                return why
            case name if name != self._host or not self._hello.ends_its_record:
                return "another client hello than the one decided"
            case _:
                self._hellos, self._hello = self._hellos + 1, Hello()
                self._message.clear()
                self._end()
                return ""

    def _end(self) -> None:
        """No further one counts behind the second, or behind a word of the upstream's that asks for none."""
        answer = self._answer
        if answer and answer[0] != _HANDSHAKE:
            self._over = True
        elif len(answer) >= _RANDOM.stop and int.from_bytes(answer[3:5]) >= _RANDOM.stop - _HEADER and answer[5] == _SERVER_HELLO:
            self._over = answer[_RANDOM] != _ASKS_AGAIN or self._hellos > 1
        if self._over:
            self._records.clear()
