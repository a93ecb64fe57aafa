"""Names and addresses that a request may mean: one canonical spelling, and what kind of address it is."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

LONGEST_NAME = 253
"""RFC 1035, section 2.3.4, as text."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_QUAD = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
_IPV6 = re.compile(r"[0-9a-f:.]{2,45}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::(.*))?", re.DOTALL)
_LETTERS = frozenset({"Ll", "Lo", "Lm", "Mn", "Mc", "Nd", "Nl"})
_MIDDLE_DOTS = frozenset("·・")
_NOT_A_NAME = "The host is not a plain name or address: use lower-case letters, digits, hyphens and dots."


@lru_cache(maxsize=1024)
def canonical_host(text: str) -> str:
    """Give the one spelling of a host as it stands in an authority. Raises ValueError with a sentence that anybody may read.

    A name is LDH labels, xn-- labels decoded only to judge them; an IPv4 address is four plain decimal numbers; an IPv6
    address stands in brackets in `text` and loses them. One trailing dot of a name is dropped.
    """
    if not text.isascii():
        raise ValueError("The host has characters outside ASCII: write it with xn-- labels.")
    lower = text.lower()
    if lower.startswith("["):
        return _ipv6(lower)
    name = lower.removesuffix(".")
    last = name.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        # WHATWG URL, "ends in a number": every client reads such a name as an address, so only the plain form is one
        if not _QUAD.fullmatch(lower):
            raise ValueError("The host is an IPv4 address in an odd spelling: write four decimal numbers.")
        return lower
    if not name or len(name) > LONGEST_NAME or not all(map(_is_label, name.split("."))):
        raise ValueError(_NOT_A_NAME)
    return name


def canonical_authority(text: str, default_port: int) -> tuple[str, int]:
    """Split `host[:port]` and give both canonical. Raises ValueError with a sentence that anybody may read."""
    parts = _AUTHORITY.fullmatch(text)
    if parts is None:
        raise ValueError(_NOT_A_NAME)
    host, port = parts[1], parts[2]
    return canonical_host(host), default_port if port is None else canonical_port(port)


def canonical_port(text: str) -> int:
    """Read a port: 1 to 65535 in plain ASCII digits. Raises ValueError with a sentence that anybody may read."""
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise ValueError("The port is not a number from 1 to 65535.")
    return int(text)


def host_of_address(text: str) -> str:
    """Give the canonical host of a name or an address, whose brackets may be left out: as TLS and configuration write them."""
    return canonical_host(f"[{text}]" if ":" in text and not text.startswith("[") else text)


def is_address(host: str) -> bool:
    """Whether a canonical host is an IP literal."""
    return ":" in host or bool(_NUMBER.fullmatch(host.rpartition(".")[2]))


def _ipv6(text: str) -> str:
    inside = text[1:-1]
    if not text.endswith("]") or not _IPV6.fullmatch(inside) or ":" not in inside:
        raise ValueError("Brackets are for an IPv6 address without a zone, and nothing else.")
    try:
        return str(IPv6Address(inside))
    except ValueError as error:
        raise ValueError("What stands in brackets is not an IPv6 address.") from error


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    return not label.startswith("xn--") or _is_a_label(label)


def _is_a_label(label: str) -> bool:
    """RFC 5891: the only spelling of a name that has letters outside ASCII, and of nothing that turns into ASCII."""
    try:
        shown = label[4:].encode("ascii").decode("punycode")
        again = shown.encode("punycode").decode("ascii")
    except (UnicodeError, ValueError, OverflowError):
        return False
    stable = unicodedata.normalize("NFKC", shown) == shown and shown.lower() == shown
    return again == label[4:] and not shown.isascii() and stable and all(map(_may_stand_in_a_name, shown))


def _may_stand_in_a_name(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character == "-"
    return character in _MIDDLE_DOTS or unicodedata.category(character) in _LETTERS


class AddressClass(StrEnum):
    """What kind of place an address is. Whatever isn't known to be public is not GLOBAL."""

    GLOBAL = "global"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    CGNAT = "cgnat"
    LINK_LOCAL = "link-local"
    METADATA = "metadata"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"


# Cloud metadata and credential services: AWS (IMDS, ECS, EKS), Azure, Alibaba, Oracle, Google. They hand out credentials.
METADATA_ADDRESSES = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192"),
            *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
        ),
    )
)

# IANA special-purpose registries (RFC 6890 and after); our own table, for Python's changes between patch releases
_V4 = tuple(
    (IPv4Network(block), kind)
    for block, kind in (
        ("0.0.0.0/32", AddressClass.UNSPECIFIED),
        ("0.0.0.0/8", AddressClass.RESERVED),
        ("10.0.0.0/8", AddressClass.PRIVATE),
        ("100.64.0.0/10", AddressClass.CGNAT),
        ("127.0.0.0/8", AddressClass.LOOPBACK),
        ("169.254.0.0/16", AddressClass.LINK_LOCAL),
        ("172.16.0.0/12", AddressClass.PRIVATE),
        ("192.0.0.0/24", AddressClass.RESERVED),
        ("192.0.2.0/24", AddressClass.RESERVED),
        ("192.88.99.0/24", AddressClass.RESERVED),
        ("192.168.0.0/16", AddressClass.PRIVATE),
        ("198.18.0.0/15", AddressClass.RESERVED),
        ("198.51.100.0/24", AddressClass.RESERVED),
        ("203.0.113.0/24", AddressClass.RESERVED),
        ("224.0.0.0/4", AddressClass.MULTICAST),
        ("240.0.0.0/4", AddressClass.RESERVED),
    )
)
_V6 = tuple(
    (IPv6Network(block), kind)
    for block, kind in (
        ("::/128", AddressClass.UNSPECIFIED),
        ("::1/128", AddressClass.LOOPBACK),
        ("fc00::/7", AddressClass.PRIVATE),
        ("fe80::/10", AddressClass.LINK_LOCAL),
        ("fec0::/10", AddressClass.PRIVATE),
        ("ff00::/8", AddressClass.MULTICAST),
        ("64:ff9b:1::/48", AddressClass.PRIVATE),
        ("2001::/23", AddressClass.RESERVED),
        ("2001:db8::/32", AddressClass.RESERVED),
        ("3fff::/20", AddressClass.RESERVED),
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_CARRY_V4_AT_THE_END = tuple(map(IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "::/96")))
"""Mapped (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052), compatible (RFC 4291, deprecated)."""
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def address_class(address: IPv4Address | IPv6Address) -> AddressClass:
    """Judge one address by our own table; an IPv4 address inside an IPv6 one is judged as what it leads to."""
    if address in METADATA_ADDRESSES:
        return AddressClass.METADATA
    if isinstance(address, IPv4Address):
        return next((kind for block, kind in _V4 if address in block), AddressClass.GLOBAL)
    return _v6_class(address)


def _v6_class(address: IPv6Address) -> AddressClass:
    for block, kind in _V6:
        if address in block:
            return kind
    inside = _embedded(address)
    if inside is not None and (kind := address_class(inside)) is not AddressClass.GLOBAL:
        return kind
    if any(address in block for block in _CARRY_V4_AT_THE_END[:3]):
        return AddressClass.GLOBAL
    # 6to4 relays are gone (RFC 7526): one that leads to a public address leads nowhere
    return AddressClass.GLOBAL if address in _PUBLIC_V6 and address not in _SIX_TO_FOUR else AddressClass.RESERVED


def _embedded(address: IPv6Address) -> IPv4Address | None:
    number = int(address)
    if any(address in block for block in _CARRY_V4_AT_THE_END) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address((number >> 80) & 0xFFFFFFFF)
    return None
