"""Where agents come in: an address of this machine, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

type Block = IPv4Network | IPv6Network

LOCALHOST = "127.0.0.1"
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """`agent` is whose everything is that comes in here; empty where agents say who they are, and prove it.

    Port 0 is any that is free. What comes in here is not encrypted on its way to us.
    """

    host: str = LOCALHOST
    port: int = 3128
    agent: str = ""

    @property
    def is_near(self) -> bool:
        """Only this machine reaches it."""
        return ip_address(self.host).is_loopback

    def reached(self, name: str) -> str:
        """How others write it: by this machine's name where it listens on all of its addresses."""
        return f"{name}:{self.port}" if ip_address(self.host).is_unspecified else str(self)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listener_of(text: str, agent: str = "") -> Listener:
    """Read `address:port`. Raises ValueError with a sentence. Names are not looked up: what is bound is what is written."""
    found = _ADDRESS.fullmatch(text)
    port = int(found[3]) if found else -1
    host = _host(found[1] or found[2]) if found else None
    if host is None or not 0 <= port <= 65535:
        raise ValueError(
            "Write an address and a port, like 127.0.0.1:3128 or [::1]:3128; 0.0.0.0 is every address of this machine."
        )
    return Listener(host=host, port=port, agent=agent)


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
