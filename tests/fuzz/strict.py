"""A parser of HTTP/1.1 requests as RFC 9112 has them and nothing else: a second opinion that knows nothing of outgate."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\*|/[!-\"$-~]*) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,9}")


class MalformedError(Exception):
    """These bytes are no request, or may be taken for another."""


@dataclass(kw_only=True)
class Parsed:
    """One request. `whole` when its body ended."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    whole: bool = False

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass
class Strict:
    """Bytes in, requests out, in order; the last may not be whole yet."""

    requests: list[Parsed] = field(default_factory=list)
    _held: bytes = b""
    _open: Parsed | None = None

    def feed(self, data: bytes) -> None:
        """Take more bytes. Raises MalformedError for the first that can't stand where it does."""
        self._held += data
        while self._head() if self._open is None else self._body(self._open):
            pass

    @property
    def between(self) -> bool:
        """Whether nothing of a request is waiting for its rest."""
        return self._open is None and not self._held

    def _head(self) -> bool:
        raw, end, rest = self._held.partition(b"\r\n\r\n")
        if not end:
            if self._held and not re.match(rb"[A-Z]", self._held):
                raise MalformedError(f"no request starts with {self._held[:20]!r}")
            return False
        self._held = rest
        first, *lines = raw.split(b"\r\n")
        line = _LINE.fullmatch(first)
        if line is None:
            raise MalformedError(f"request line {first!r}")
        headers = [_field(one) for one in lines]
        self._open = Parsed(method=line[1].decode(), target=line[2].decode(), headers=headers)
        _check(self._open, chunks=line[3] == b"1")
        self.requests.append(self._open)
        return True

    def _body(self, of: Parsed) -> bool:
        if of.all("transfer-encoding"):
            return self._chunk(of)
        lengths = of.all("content-length")
        missing = int(lengths[0]) - len(of.body) if lengths else 0
        of.body, self._held = of.body + self._held[:missing], self._held[missing:]
        if lengths and len(of.body) < int(lengths[0]):
            return False
        return self._end(of)

    def _chunk(self, of: Parsed) -> bool:
        line, end, rest = self._held.partition(b"\r\n")
        if not end:
            if len(self._held) > 9 or not re.fullmatch(rb"[0-9A-Fa-f]*\r?", self._held):
                raise MalformedError(f"chunk line {self._held[:20]!r}")
            return False
        if not _SIZE.fullmatch(line):
            raise MalformedError(f"chunk line {line!r}")
        size = int(line, 16)
        if len(rest) < size + 2:
            return False
        if rest[size : size + 2] != b"\r\n":
            raise MalformedError("a chunk that does not end, or trailers")
        of.body, self._held = of.body + rest[:size], rest[size + 2 :]
        return self._end(of) if size == 0 else True

    def _end(self, of: Parsed) -> bool:
        of.whole, self._open = True, None
        return bool(self._held)


def _field(line: bytes) -> tuple[str, str]:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise MalformedError(f"header line {line!r}")
    return found[1].decode().lower(), found[2].decode("latin-1")


def _check(of: Parsed, *, chunks: bool) -> None:
    hosts, codings, lengths = of.all("host"), of.all("transfer-encoding"), of.all("content-length")
    if len(hosts) != 1 or not re.fullmatch(r"[0-9a-z.-]+(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?", hosts[0]):
        raise MalformedError(f"hosts {hosts}")
    if codings not in ([], ["chunked"]) or (codings and (lengths or not chunks)):
        raise MalformedError(f"framing {codings} {lengths}")
    if lengths and (len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0].encode("latin-1"))):
        raise MalformedError(f"lengths {lengths}")
