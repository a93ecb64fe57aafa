"""What an agent shows to say who it is: a name and a token; and what an operator wrote down of both."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from outgate.digest import sha256
from outgate.intake.agents import AGENT_ID, Agent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outgate.intake.listening import Block, Listener

TOKEN_BYTES: Final = 32
_PREFIX: Final = "outgate_"
"""Says what it is, to whoever finds one, and to what looks for credentials."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,256}")
_BASIC: Final = re.compile(rb"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]{1,512}={0,2})")
_NOBODYS: Final = "sha256:" + "0" * 64
"""No token has this digest; comparing with it takes as long as with another."""


def new_token(random: bytes) -> str:
    """Write 256 random bits as a token that may stand in a URL."""
    if len(random) != TOKEN_BYTES:
        raise ValueError(f"a token is made of {TOKEN_BYTES} random bytes")
    return _PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def token_digest(token: str) -> str:
    """Give what is kept of a token.

    One fast hash is right here, and a slow one would be wrong: what a slow hash protects are words that can be guessed, and
    256 random bits can't be, however fast. But every request is checked, so a slow one would let strangers keep us busy.
    """
    return sha256(token.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who somebody says to be, and the token that is to prove it."""

    name: str
    token: str = field(repr=False)


def claim_of(values: Iterable[bytes]) -> Claim | None:
    """Read the values of `Proxy-Authorization` (RFC 7617). None: there is not exactly one, or it can't be read."""
    found = tuple(values)
    basic = _BASIC.fullmatch(found[0]) if len(found) == 1 else None
    if basic is None:
        return None
    try:
        name, colon, token = base64.b64decode(basic[1], validate=True).partition(b":")
    except binascii.Error:
        return None
    return login_of(name, token) if colon else None


def login_of(name: bytes, token: bytes) -> Claim | None:
    """Read a name and a token that were shown apart (RFC 1929). None: they can't be any agent's."""
    try:
        shown = name.decode("ascii"), token.decode("ascii")
    except UnicodeDecodeError:
        return None
    return Claim(name=shown[0], token=shown[1]) if AGENT_ID.fullmatch(shown[0]) and _TOKEN.fullmatch(shown[1]) else None


class Denied(StrEnum):
    """Why somebody is not let in. The value is what the record and the metrics say."""

    NONE = "no-credentials"
    MALFORMED = "malformed"
    UNKNOWN = "unknown-agent"
    TOKEN = "wrong-token"  # noqa: S105  # a name for it
    REVOKED = "revoked"
    ELSEWHERE = "wrong-address"
    CERTIFICATE = "unknown-certificate"
    ANOTHER = "another-identity"
    CROWDED = "too-many-connections"
    AMBIGUOUS = "ambiguous-address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """One agent as it is written down. `token` is a digest; empty: it can't prove itself, and has a listener of its own.

    `peers`: where it may come from; empty: anywhere. `certificates`: marks of client certificates
    that are its own. `transparent`: to come from there is proof enough where it can show nothing.
    """

    agent: Agent
    token: str = ""
    peers: tuple[Block, ...] = ()
    certificates: frozenset[str] = frozenset()
    listener: Listener | None = None
    revoked: bool = False
    transparent: bool = False

    def denied(self, peer: str) -> Denied | None:
        """Why it is not let in from there, although it is who it says."""
        if self.revoked:
            return Denied.REVOKED
        return Denied.ELSEWHERE if self.peers and not _is_within(peer, self.peers) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """Everybody who is written down, by name. `digest` names what was written."""

    by_name: Mapping[str, Enrolled] = field(default_factory=lambda: MappingProxyType({}))
    digest: str = ""
    _places: Mapping[int, Mapping[Block, tuple[str, ...]]] = field(init=False, repr=False, compare=False)
    """Who may come from each block, by how long its prefix is: thousands of agents, and one look for each length."""

    _marks: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        marks = {mark: name for name, one in self.by_name.items() for mark in one.certificates}
        object.__setattr__(self, "_marks", MappingProxyType(marks))
        places: defaultdict[int, defaultdict[Block, tuple[str, ...]]] = defaultdict(lambda: defaultdict(tuple))
        for name, one in self.by_name.items():
            for block in dict.fromkeys(one.peers):
                places[block.prefixlen][block] += (name,)
        object.__setattr__(self, "_places", places)

    def who(self, claim: Claim, peer: str) -> Enrolled | Denied:
        """Tell who it is. Whether the name is known, and how much of a token is right, does not show in the time it takes.

        1. The token is the name's own, by its digest, compared in constant time.
        2. Only who proved that is told more: that it was revoked, or may not come from there.
        """
        found = self.by_name.get(claim.name)
        known = found.token if found and found.token else _NOBODYS
        right = hmac.compare_digest(known, token_digest(claim.token))
        if found is None:
            return Denied.UNKNOWN
        if not right:
            return Denied.TOKEN
        return found.denied(peer) or found

    def whose(self, marks: frozenset[str], peer: str) -> Enrolled | Denied:
        """Tell whose a certificate is that was proven, by its marks. One that is several agents' is nobody's."""
        names = {self._marks[mark] for mark in marks if mark in self._marks}
        if len(names) != 1:
            return Denied.CERTIFICATE
        found = self.by_name[names.pop()]
        return found.denied(peer) or found

    def at(self, peer: str) -> Enrolled | Denied:
        """Tell who it is that can show nothing: whom alone that address was given, and who was said to need no more.

        Who was revoked keeps its address: what comes from there is not another's now.
        """
        here = [self.by_name[name] for name in self._from(peer)]
        if len(here) != 1 or not here[0].transparent:
            return Denied.AMBIGUOUS if here else Denied.NONE
        return here[0].denied(peer) or here[0]

    def _from(self, peer: str) -> frozenset[str]:
        address = _plain(peer)
        if address is None:
            return frozenset()
        lengths = ((length, blocks) for length, blocks in self._places.items() if length <= address.max_prefixlen)
        return frozenset(n for length, blocks in lengths for n in blocks.get(ip_network((address, length), strict=False), ()))

    def outdated(self, now: Agents) -> frozenset[str]:
        """Those who were let in by these, and are not by `now`: gone, revoked, or with another token or other addresses."""
        return frozenset(name for name, one in self.by_name.items() if not _still(one, now.by_name.get(name)))


def _still(then: Enrolled, now: Enrolled | None) -> bool:
    return now is not None and _way_in(then) == _way_in(now)


def _way_in(one: Enrolled) -> tuple[object, ...]:
    return one.token, one.peers, one.certificates, one.revoked, one.transparent


def _is_within(peer: str, blocks: Iterable[Block]) -> bool:
    plain = _plain(peer)
    return plain is not None and any(plain in block for block in blocks)


def _plain(peer: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:  # a Unix socket has none
        return None
    return getattr(address, "ipv4_mapped", None) or address
