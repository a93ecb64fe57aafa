"""The destinations table: what an operator says of hosts, and which private networks have a name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from outgate.intake.destination import (
    AddressClass,
    address_class,
    canonical_authority,
    canonical_host,
    host_of_address,
    is_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

type Address = IPv4Address | IPv6Address

MOST_UNREAD = 1 << 30
"""Bytes of one tunnel that are passed on unread, both ways together, where nothing else is said."""

ANY = "*"
"""The pattern of every host; what it says is said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The operator's own word for where a host is: no look-up. `port` where it is not the request's."""

    address: Address
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """An upstream proxy. Its text is without credentials, so that it may be recorded."""

    scheme: Literal["http", "https"] = "http"
    host: str
    port: int
    credentials: str = field(default="", repr=False)
    """`user:password` as they stand in the proxy's URL, decoded; for `Proxy-Authorization` and nothing else."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Direct:
    """By its own name and address, whatever less exact patterns say."""


_OPENABLE = frozenset(
    {AddressClass.PRIVATE, AddressClass.CGNAT, AddressClass.LINK_LOCAL, AddressClass.RESERVED, AddressClass.GLOBAL}
)

type Route = Fixed | Via | Direct


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A private network that has a name, so that requests may go there."""

    name: str
    blocks: tuple[IPv4Network | IPv6Network, ...]

    def __contains__(self, address: Address) -> bool:
        return any(address in block for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What is said of the hosts of one pattern; None where nothing is.

    `ca` replaces every other trust for these hosts. `network` is where their names may lead besides the open Internet.
    `opaque`: their TLS is the agent's own, passed on unread where policy lets it, up to `max_bytes` both ways together.
    """

    pattern: str
    route: Route | None = None
    ca: str | None = None
    client_cert: str | None = None
    network: Network | None = None
    opaque: bool | None = None
    max_bytes: int | None = None
    owned: tuple[str, ...] | None = None
    """What there is the operator's own, with `*` for any text: `organisation:acme`, `bucket:acme-*`."""
    credentials: frozenset[str] | None = None
    """SHA-256 in hex of the credentials that are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """The table. Patterns are canonical names and addresses, `*.name` for every name below that one, and `*`."""

    by_pattern: dict[str, Destination] = field(default_factory=dict)
    networks: tuple[Network, ...] = ()

    def of(self, host: str) -> Destination:
        """Everything said of a canonical host: for each key, what the most exact pattern that has it says."""
        said = Destination(pattern=host)
        for pattern in _patterns(host):
            if (found := self.by_pattern.get(pattern)) is not None:
                said = replace(
                    said,
                    route=said.route or found.route,
                    ca=said.ca or found.ca,
                    client_cert=said.client_cert or found.client_cert,
                    network=said.network or found.network,
                    opaque=found.opaque if said.opaque is None else said.opaque,
                    max_bytes=said.max_bytes or found.max_bytes,
                    owned=found.owned if said.owned is None else said.owned,
                    credentials=found.credentials if said.credentials is None else said.credentials,
                )
        return said

    def unread(self, host: str) -> int | None:
        """Up to how many bytes a canonical host's TLS is passed on unread. None: it is not."""
        said = self.of(host)
        return (said.max_bytes or MOST_UNREAD) if said.opaque else None

    def credentials(self, host: str) -> str:
        """`user:password` for the proxy that a canonical host is reached through; nothing where there is none."""
        route = self.of(host).route
        return route.credentials if isinstance(route, Via) else ""

    def named(self, address: Address) -> Network | None:
        """The named network in which an address is."""
        return next((network for network in self.networks if address in network), None)


def _patterns(host: str) -> Iterator[str]:
    """From the most to the least exact. A label boundary is the only place where a pattern may end."""
    yield host
    rest = "" if ":" in host else host
    while "." in rest:
        rest = rest.partition(".")[2]
        yield f"*.{rest}"
    yield ANY


def behind(via: Via, bypass: Iterable[str], table: Destinations) -> Destinations:
    """The same table, with a proxy that everything takes which the table sends no other way.

    `bypass` is what NO_PROXY lists: a name stands for itself and all below it. Entries that are no name or address, such as
    blocks, say nothing here: addresses that are not public never take a proxy.
    """
    if ANY in table.by_pattern:
        return table
    ways = {pattern: Destination(pattern=pattern, route=Direct()) for entry in bypass for pattern in _bypassed(entry)}
    ways.setdefault(ANY, Destination(pattern=ANY, route=via))
    for pattern, said in table.by_pattern.items():
        ways[pattern] = replace(said, route=Direct()) if said.route is None and pattern in ways else said
    return Destinations(by_pattern=ways, networks=table.networks)


def _bypassed(entry: str) -> Iterator[str]:
    host = entry.strip().lower()
    if host == ANY:
        yield ANY
        return
    host = host.removeprefix("*").lstrip(".")
    try:
        exact = pattern_of(host if host.count(":") != 1 else host.partition(":")[0])
    except ValueError:
        return
    yield exact
    if not is_address(exact):
        yield f"*.{exact}"


def pattern_of(text: str) -> str:
    """Give the canonical form of a pattern. Raises ValueError with a sentence."""
    if text == ANY:
        return ANY
    if text.count(":") == 1:
        raise ValueError("A pattern is a name or an address, without scheme and port.")
    if not text.startswith("*."):
        return host_of_address(text)
    below = canonical_host(text[2:])
    if is_address(below):
        raise ValueError("An address has no names below it.")
    return f"*.{below}"


def fixed_of(text: str) -> Fixed:
    """Read `address`, `address:port` or `[address]:port`. Raises ValueError with a sentence."""
    bare = text.count(":") > 1 and not text.startswith("[")
    host, port = (host_of_address(text), 0) if bare else canonical_authority(text, 0)
    if not is_address(host):
        raise ValueError("Write an IP address, with a port if it is another one: names are looked up, this is not.")
    return Fixed(address=ip_address(host), port=port or None)


def via_of(text: str) -> Via:
    """Read a proxy as HTTPS_PROXY has it: `[http[s]://][user[:password]@]host[:port]`. Raises ValueError with a sentence."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "http", text
    kind: Literal["http", "https"]
    match scheme.lower():
        case "http":
            kind = "http"
        case "https":
            kind = "https"
        case _:
            raise ValueError("Only HTTP proxies can stand upstream: write http://host:port.")
    credentials, _, authority = rest.rpartition("@")
    host, port = canonical_authority(authority.removesuffix("/"), 443 if kind == "https" else 80)
    return Via(scheme=kind, host=host, port=port, credentials=unquote(credentials))


def block_of(text: str) -> IPv4Network | IPv6Network:
    """Read a block of a private network in CIDR form. Raises ValueError with a sentence."""
    try:
        block = ip_network(text)
    except ValueError as error:
        raise ValueError("Write a block of addresses like 10.0.0.0/8, no bits set after the prefix.") from error
    if address_class(block[0]) not in _OPENABLE or address_class(block[-1]) not in _OPENABLE:
        raise ValueError("Loopback, metadata, multicast and unspecified addresses can't be opened as a network.")
    return block
