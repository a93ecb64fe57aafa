"""The destinations table: what an operator says of hosts, and which private networks have a name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

type Address = IPv4Address | IPv6Address

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
    """

    pattern: str
    route: Route | None = None
    ca: str | None = None
    client_cert: str | None = None
    network: Network | None = None


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
                )
        return said

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
