"""Resolver: a name becomes the one address that a decided request may be sent to, or a refusal."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError
from outgate.intake.destination import AddressClass, address_class, is_address
from outgate.intake.destinations import Direct, Fixed, Via
from outgate.net.local import Machine
from outgate.policy.decision import Reason
from outgate.ports import NoWay, Pin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from outgate.intake.destinations import Address, Destination, Destinations, Network
    from outgate.net.lookup import Lookup

_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
"""Names that a proxy further on would resolve to credential services; here their addresses are judged."""

_class = lru_cache(maxsize=4096)(address_class)
"""Judging goes through the whole table, and every request judges the same few addresses again."""

_NEVER = frozenset({AddressClass.METADATA, AddressClass.UNSPECIFIED, AddressClass.MULTICAST})
_HERE = frozenset({AddressClass.LOOPBACK, AddressClass.UNSPECIFIED})
_BAD_FOR = timedelta(seconds=30)
_REMEMBERED = 4096

_OURS = "This address is the egress gate itself."
_SELF = (
    "This is the machine that the egress gate runs on. Inside the fence loopback is reached directly, not through the proxy;"
    " the operator gives a port of the machine with --direct PORT."
)

_HOST = "This is the machine that the egress gate runs on. Nothing is sent there but what its operator names."


class SystemResolver:
    """Looks up, judges every address found, and pins one.

    A name with any address that must not be contacted is refused whole: an honest name has none. `own` are the addresses and
    ports on which this gate listens; it is read at every call, so listeners may be added when they are open. `fenced`: who asks
    is in a network of its own; `served`: on any machine. Only for who asks from this very machine is its loopback what it means.
    """

    def __init__(  # noqa: PLR0913  # a composition point
        self,
        *,
        destinations: Destinations,
        lookup: Lookup,
        own: Collection[tuple[str, int]],
        fenced: bool,
        monotonic: Callable[[], float],
        served: bool = False,
    ) -> None:
        self._served = served
        self._destinations = destinations
        self._lookup = lookup
        self._own = own
        self._fenced = fenced
        self._monotonic = monotonic
        self._machine = Machine(monotonic=monotonic)
        self._failed: dict[tuple[str, str], float] = {}

    async def pin(self, host: str, port: int) -> Pin | NoWay:
        """Give the one address, judged. Asks nameservers, so only for a request that may leave."""
        said = self._destinations.of(host)
        try:
            match said.route:
                case Fixed(address=address, port=fixed_port):
                    return self._fixed(host, port, address, fixed_port or port)
                case Via() as via if not _is_near(host):
                    return await self._through(via, host, port)
                case Via() | Direct() | None:
                    return await self._straight(said, host, port)
        except UnavailableError as error:
            return NoWay(reason=Reason.UPSTREAM, tell=f"{str(error)[:1].upper()}{str(error)[1:]}.", why=str(error))

    def adopt(self, destinations: Destinations) -> None:
        """Go by this table from now on."""
        self._destinations = destinations

    def failed(self, pin: Pin) -> None:
        """Nothing answered there: prefer another address of the same name for a while."""
        if len(self._failed) >= _REMEMBERED:
            self._failed.clear()
        self._failed[pin.name, pin.address] = self._monotonic() + _BAD_FOR.total_seconds()
        self._lookup.forget(pin.name)

    def _fixed(self, host: str, port: int, address: Address, address_port: int) -> Pin | NoWay:
        """The operator's own word: any address but ours and those that nobody is sent to."""
        pin = Pin(name=host, port=port, address=str(address), address_port=address_port)
        return self._never(pin, address) or pin

    async def _through(self, via: Via, host: str, port: int) -> Pin | NoWay:
        """The proxy looks the name up, so what is judged here is the name, and the proxy's own address."""
        if host in _METADATA_NAMES:
            return _refused("a metadata service", host, "its name")
        if is_address(host) and (barred := self._judged(Pin(name=host, port=port, address=host, address_port=port), None)):
            return barred
        addresses = (ip_address(via.host),) if is_address(via.host) else await self._lookup.addresses(via.host)
        address = self._preferred(via.host, addresses)
        pin = Pin(name=host, port=port, address=str(address), address_port=via.port, via=str(via))
        return self._never(pin, address) or pin

    async def _straight(self, said: Destination, host: str, port: int) -> Pin | NoWay:
        addresses = (ip_address(host),) if is_address(host) else await self._lookup.addresses(host)
        pins = {address: Pin(name=host, port=port, address=str(address), address_port=port) for address in addresses}
        barred = [way for pin in pins.values() if (way := self._judged(pin, said.network)) is not None]
        if barred:
            return next((way for way in barred if way.always), barred[0])
        return pins[self._preferred(host, addresses)]

    def _judged(self, pin: Pin, network: Network | None) -> NoWay | None:
        """None where the address may be contacted. The order is from what no operator can allow to what is public."""
        address = ip_address(pin.address)
        if (never := self._never(pin, address)) is not None:
            return never
        kind = _class(address)
        if kind is AddressClass.LOOPBACK or ((self._fenced or self._served) and self._machine.has(address)):
            return self._at_home(pin)
        allowed = network if network is not None or not is_address(pin.name) else self._destinations.named(address)
        if kind is AddressClass.GLOBAL or (allowed is not None and address in allowed):
            return None
        return _private(pin, kind)

    def _at_home(self, pin: Pin) -> NoWay | None:
        """It leads to this machine."""
        if self._fenced:
            why = f"{pin.name} is at {pin.address}, which is this machine; share a port of it with --direct {pin.port}"
            return NoWay(reason=Reason.DESTINATION, tell=_SELF, why=why)
        if self._served:
            why = f"{pin.name} is at {pin.address}, which is this machine; name the host with its 'address' under 'destinations'"
            return NoWay(reason=Reason.DESTINATION, tell=_HOST, why=why)
        return None

    def _never(self, pin: Pin, address: Address) -> NoWay | None:
        if self._is_own(address, pin.address_port):
            return NoWay(
                reason=Reason.DESTINATION, tell=_OURS, why=f"{pin.name} leads to this gate's own port {pin.address_port}"
            )
        kind = _class(address)
        if kind not in _NEVER:
            return None
        what = "a metadata service" if kind is AddressClass.METADATA else f"an address that is {kind.value}"
        return _refused(what, pin.name, str(address))

    def _is_own(self, address: Address, port: int) -> bool:
        """Any way to reach one of our listeners: its address, and every address of this machine where it listens on all."""
        ports = [ip_address(own) for own, own_port in self._own if own_port == port]
        if not ports:
            return False
        plain = _unwrapped(address)
        return plain in ports or _class(address) in _HERE or self._machine.has(plain)

    def _preferred(self, name: str, addresses: tuple[Address, ...]) -> Address:
        """One that did not just fail, that there is a route to, and IPv4 before IPv6: nothing tries a second one."""

        def rank(address: Address) -> tuple[bool, bool, bool]:
            return self._failed_lately(name, address), not self._machine.reaches(address), address.version == 6

        return min(addresses, key=rank) if len(addresses) > 1 else addresses[0]

    def _failed_lately(self, name: str, address: Address) -> bool:
        return self._failed.get((name, str(address)), 0.0) > self._monotonic()


def _private(pin: Pin, kind: AddressClass) -> NoWay:
    return NoWay(
        reason=Reason.DESTINATION,
        tell=f"{pin.name} is not on the open Internet, and the operator has not named its network. Ask the operator.",
        why=f"{pin.name} is at {pin.address}, which is {kind.value}: name it under 'networks', then that under 'destinations'",
        always=False,
        pin=pin,
    )


def _refused(what: str, host: str, where: str) -> NoWay:
    return NoWay(
        reason=Reason.DESTINATION,
        tell=f"{host} leads to {what}. Nothing is sent there, whatever the policy says.",
        why=f"{host} leads to {what} ({where})",
    )


def _is_near(host: str) -> bool:
    """Means something else at a proxy than here: this machine (RFC 6761, section 6.3), or an address that is not public."""
    if is_address(host):
        return _class(ip_address(host)) is not AddressClass.GLOBAL
    return host == "localhost" or host.endswith(".localhost")


def _unwrapped(address: Address) -> IPv4Address | IPv6Address:
    inside = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return inside or address
