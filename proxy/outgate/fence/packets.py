"""IP packets that went nowhere: what was asked, and the answer that ends the asking (RFC 9293, 792, 1035)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from outgate.fence.crossing import OWN4, OWN6

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMP6: "icmp6"}
SYN, RST, ACK = 0x02, 0x04, 0x10
ECHO, ECHO6 = 8, 128
DNS = 53
QUOTED = 512
"""Bytes of the packet that an ICMP error gives back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one packet tried. Ports and `name` where the protocol has them; `raw` is the packet, `at` where its payload begins."""

    protocol: str
    number: int
    source: IPv4Address | IPv6Address
    to: IPv4Address | IPv6Address
    from_port: int | None
    to_port: int | None
    name: str
    raw: bytes
    at: int


def read_packet(packet: bytes) -> Seen | None:
    """Read a packet; None for one that starts nothing (an answer, a repeat, noise of the kernel's) or is not whole."""
    try:
        return _read(packet)
    except (struct.error, IndexError, AddressValueError):
        return None


def _read(packet: bytes) -> Seen | None:
    source: IPv4Address | IPv6Address
    to: IPv4Address | IPv6Address
    if packet[0] >> 4 == 4:
        number, at = packet[9], (packet[0] & 0xF) * 4
        source, to = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    else:
        number, at = packet[6], 40
        source, to = IPv6Address(packet[8:24]), IPv6Address(packet[24:40])
    if to in {OWN4, OWN6} or not _begins(number, packet, at):
        return None
    from_port, to_port = struct.unpack_from("!HH", packet, at) if number in {TCP, UDP} else (None, None)
    name = _asked(packet[at + 8 :]) if number == UDP and to_port == DNS else ""
    return Seen(
        protocol=NAMES.get(number, f"ip {number}"),
        number=number,
        source=source,
        to=to,
        from_port=from_port,
        to_port=to_port,
        name=name,
        raw=packet,
        at=at,
    )


def _begins(number: int, packet: bytes, at: int) -> bool:
    match number:
        case 6:
            return packet[at + 13] & (SYN | ACK) == SYN
        case 1:
            return packet[at] == ECHO
        case 58:
            return packet[at] == ECHO6
        case _:
            return True


def _asked(question: bytes) -> str:
    """The name in a DNS question, in characters that can be shown; empty if there is none."""
    labels: list[str] = []
    at = 12
    while at < len(question) and 0 < question[at] < 64:
        label = question[at + 1 : at + 1 + question[at]]
        labels.append("".join(chr(b) if 0x21 <= b <= 0x7E else "?" for b in label))
        at += 1 + question[at]
    return ".".join(labels)[:253]


def refusal(seen: Seen) -> bytes | None:
    """Answer as a host would where nobody listens: RST to TCP, port unreachable to UDP. None: nothing to say.

    Only IPv4 waits for it: the kernel itself refuses what goes out on `lo` by IPv6, and to loopback.
    """
    if seen.to.version == 6 or seen.to.is_loopback:
        return None
    match seen.number:
        case 6:
            return _ip(seen, TCP, _reset(seen))
        case 17:
            return _ip(seen, ICMP, _summed(struct.pack("!BBHI", 3, 3, 0, 0) + seen.raw[:QUOTED], 2))
        case _:
            return None


def _reset(seen: Seen) -> bytes:
    (sequence,) = struct.unpack_from("!I", seen.raw, seen.at + 4)
    header = struct.pack("!HHIIBBHHH", seen.to_port, seen.from_port, 0, (sequence + 1) & 0xFFFFFFFF, 5 << 4, RST | ACK, 0, 0, 0)
    pseudo = seen.to.packed + seen.source.packed + struct.pack("!BBH", 0, TCP, len(header))
    return _summed(header, 16, pseudo)


def _ip(seen: Seen, number: int, body: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, number, 0)
    return _summed(header + seen.to.packed + seen.source.packed, 10) + body


def _summed(body: bytes, at: int, pseudo: bytes = b"") -> bytes:
    """Put the Internet checksum (RFC 1071) at its place."""
    whole = pseudo + body
    words = struct.unpack(f"!{(len(whole) + 1) // 2}H", whole + bytes(len(whole) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return body[:at] + struct.pack("!H", ~total & 0xFFFF) + body[at + 2 :]
