"""Where agents come in: an address of this machine, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal, cast, get_args

type Block = IPv4Network | IPv6Network
type WayIn = Literal["http", "https", "socks5", "transparent"]
"""What an agent speaks to us: an HTTP proxy's protocol, the same inside TLS, SOCKS 5, or as if nobody were between."""

LOCALHOST = "127.0.0.1"
_ADDRESS = re.compile(r"(?:([a-z0-9]+)://)?(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """What an https:// listener shows of itself, and asks for. Paths of PEM files; empty: none.

    `cert` is the operator's own, its chain in the same file; `key` may stand there too. Without one, `names` are those that a
    certificate of our own CA is for. Clients prove that they have a certificate of `client_ca`, if there is one: all of them,
    or those that have one.
    """

    names: tuple[str, ...] = ()
    cert: str = ""
    key: str = ""
    client_ca: str = ""
    require_client_cert: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """`agent` is whose everything is that comes in here; empty where agents say who they are, and prove it.

    Port 0 is any that is free. Only what comes in by `https` is encrypted on its way to us.
    """

    host: str = LOCALHOST
    port: int = 3128
    agent: str = ""
    scheme: WayIn = "http"
    secured: Secured | None = None

    @property
    def is_near(self) -> bool:
        """Only this machine reaches it."""
        return ip_address(self.host).is_loopback

    def reached(self, name: str) -> str:
        """How others write it: by this machine's name where it listens on all of its addresses, or by one that it vouches for."""
        if self.secured is not None and not self.secured.cert:
            first = self.secured.names[0]
            return f"{self._prefix}{f'[{first}]' if ':' in first else first}:{self.port}"
        return f"{self._prefix}{name}:{self.port}" if ip_address(self.host).is_unspecified else str(self)

    @property
    def takes_credentials(self) -> bool:
        """Whether agents can show a name and a token there."""
        return not self.agent and self.scheme != "transparent"

    def __str__(self) -> str:
        return self._prefix + self.place

    @property
    def place(self) -> str:
        """Its address and port, without what is spoken there: two listeners can't have the same."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def _prefix(self) -> str:
        return "" if self.scheme == "http" else f"{self.scheme}://"


def proxy_url(reached: str, credentials: str = "") -> str:
    """Write what an agent's HTTPS_PROXY is, of how a listener is reached. By SOCKS it hands on names, not addresses."""
    spoken, _, place = reached.rpartition("://")
    scheme = {"": "http", "socks5": "socks5h"}.get(spoken, spoken)
    return f"{scheme}://{credentials}@{place}" if credentials else f"{scheme}://{place}"


def listener_of(text: str, agent: str = "") -> Listener:
    """Read `[scheme://]address:port`; without a scheme it is `http`. Raises ValueError with a sentence.

    Names are not looked up: what is bound is what is written.
    """
    found = _ADDRESS.fullmatch(text)
    scheme = (found[1] or "http") if found else "http"
    if scheme not in get_args(WayIn.__value__):
        raise ValueError("An agent comes in by http://, https://, socks5:// or transparent://; without any of these, by http.")
    port = int(found[4]) if found else -1
    host = _host(found[2] or found[3]) if found else None
    if host is None or not 0 <= port <= 65535:
        raise ValueError(
            "Write an address and a port, like 127.0.0.1:3128 or [::1]:3128; 0.0.0.0 is every address of this machine."
        )
    return Listener(host=host, port=port, agent=agent, scheme=cast("WayIn", scheme))


def peers_of(text: str) -> Block:
    """Read the addresses that an agent may come from: one, or a block. Raises ValueError with a sentence."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"Write an address or a block, like 10.0.0.7 or 10.0.0.0/24: {error}.") from error


def _host(text: str) -> str | None:
    try:
        return LOCALHOST if text == "localhost" else str(ip_address(text))
    except ValueError:
        return None
