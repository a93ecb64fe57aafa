"""Names for addresses that are made up: where no name is looked up, each name gets an address of its own that leads to us."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

BLOCK4: Final = IPv4Network("198.18.0.0/15")
"""For tests of devices (RFC 2544): nobody has one, and no program has a route of its own to it."""
BLOCK6: Final = IPv6Network("fd6f:7574:6761:7466::/64")
"""A unique local block (RFC 4193) of nobody."""
FIRST: Final = 256
"""What is before is for whoever serves them."""
MOST: Final = 16_384


class Names:
    """Each name's number, which is its address in both blocks; the one that was asked for longest ago makes room.

    What an address is called is for people to read. No decision follows from it: that is what Host and TLS say.
    """

    def __init__(self, most: int = MOST) -> None:
        """`most`: names at once, at most as many as there are addresses."""
        if not 0 < most <= BLOCK4.num_addresses - FIRST:
            raise ValueError(f"there are {BLOCK4.num_addresses - FIRST} addresses, not {most}")
        self._most = most
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._names: dict[int, str] = {}

    def address4(self, name: str) -> IPv4Address:
        """Give its IPv4 address. The name is canonical."""
        return BLOCK4[self._number(name)]

    def address6(self, name: str) -> IPv6Address:
        """Give its IPv6 address."""
        return BLOCK6[self._number(name)]

    def called(self, address: str) -> str:
        """Give the name that was given this address last; the address itself where none was."""
        try:
            found = ip_address(address)
        except ValueError:
            return address
        block = BLOCK4 if found.version == 4 else BLOCK6
        return self._names.get(int(found) - int(block.network_address), address)

    def _number(self, name: str) -> int:
        number = self._numbers.pop(name, None)
        if number is None:
            number = self._room()
            self._names[number] = name
        self._numbers[name] = number
        return number

    def _room(self) -> int:
        if len(self._numbers) < self._most:
            return FIRST + len(self._numbers)
        _, number = self._numbers.popitem(last=False)
        return number
