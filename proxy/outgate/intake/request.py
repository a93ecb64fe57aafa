"""One outbound call: as the plane saw it (`RawRequest`) and in its only reading (`Request`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

type Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """What CONNECT named, and what the client said again inside TLS. All of it is the client's word."""

    host: bytes
    port: int
    sni: bytes | None = None
    tls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRequest:
    """A request head, nothing interpreted. `authority` is that of an absolute target or `:authority`, else empty."""

    method: bytes
    scheme: bytes
    authority: bytes
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    tunnel: Tunnel | None = None
    opaque: bool = False
    """It is no head: bytes of TLS follow, which nobody will read."""


@dataclass(frozen=True, slots=True)
class NoBody:
    """The request ends with its head."""


@dataclass(frozen=True, slots=True)
class WholeBody:
    """Every byte, as sent: content codings not undone."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpooledBody:
    """Every byte, as sent, in a private file of ours. Only who makes it whole again (ports.Examiner) can say what is in it.

    `path` opens it in this process, as long as the request is under way. `digest` is `sha256:` and that of its bytes.
    """

    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class UnreadBody:
    """Bytes follow that nobody has read: nothing may be concluded from their absence.

    `length` is what the client declared. `too_large`: they were wanted, and are over the bound. `lost`: they were wanted, and
    we could not keep them. `head`: the first bytes, as sent, where the plane has them and will send just these: what they
    settle by themselves is settled (git's refs).
    """

    length: int | None = None
    too_large: bool = False
    lost: bool = False
    head: bytes = field(default=b"", repr=False, compare=False)


type Body = NoBody | WholeBody | SpooledBody | UnreadBody

BODY_HEAD = 256 * 1024
"""Bytes of a body that is too large that are kept as its `head`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One outbound call in its only reading.

    `method` is upper case. `host` is a lower-case A-label name or a canonical IP literal without brackets. `path` starts
    with `/` and is raw, byte for byte as it will be sent; so is `query`, without `?`. `headers` have lower-case names, are
    end-to-end only, in their order, without `host` and without proxy credentials.
    """

    method: str
    scheme: Scheme
    host: str
    port: int
    path: str
    query: str | None
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: Body = field(default=NoBody(), repr=False)
    version: str = "HTTP/1.1"
    websocket: bool = False
    opaque: bool = False
    """A tunnel as a whole, to `host` and `port`: what is asked in it nobody reads. It is CONNECT, and its path says nothing."""

    @property
    def target(self) -> str:
        """The origin form that is sent."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def authority(self) -> str:
        """Host and port as a Host header says them: the default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default_port(self.scheme) else f"{host}:{self.port}"

    def header(self, name: str) -> str | None:
        """The value of a header that came once; None where it is absent. Raises ValueError when it came more than once."""
        found = [value for key, value in self.headers if key == name]
        if len(found) > 1:
            raise ValueError(f"header {name!r} came {len(found)} times")
        return found[0] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Not one reading: malformed, or two of them. `status` is what the client gets, `why` a sentence that it may read."""

    status: Literal[400, 408, 411, 413, 415, 421, 431, 501]
    why: str
    host: str = ""
    """For the record only: what was claimed, made printable."""


def default_port(scheme: Scheme) -> int:
    """RFC 9110, sections 4.2.1 and 4.2.2."""
    return 443 if scheme == "https" else 80
