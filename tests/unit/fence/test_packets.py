"""Packets that go nowhere: kept by the filter, read, and answered as a closed port answers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.fence.bpf_machine import run

from outgate.fence.crossing import OWN4, OWN6
from outgate.fence.network import elsewhere
from outgate.fence.packets import read_packet, refusal

OWN = OWN4.packed
TEST4 = bytes([192, 0, 2, 1])
TEST6 = bytes.fromhex("20010db8000000000000000000000001")
LOOP4, LOOP6 = bytes([127, 0, 0, 1]), bytes(15) + b"\x01"
SYN, SYN_ACK, ACK, RST = 0x02, 0x12, 0x10, 0x04


def v4(number, payload, to=TEST4, source=OWN, options=b""):
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 0, 0, 64, number, 0)
    return head + source + to + options + payload


def v6(number, payload, to=TEST6, source=OWN6.packed):
    return struct.pack("!IHBB", 6 << 28, len(payload), number, 64) + source + to + payload


def tcp(flags=SYN, sequence=1000, port=443):
    return struct.pack("!HHIIBBHHH", 40000, port, sequence, 0, 0x50, flags, 65535, 0, 0)


def udp(port, data=b""):
    return struct.pack("!HHHH", 40000, port, 8 + len(data), 0) + data


def question(name):
    labels = b"".join(bytes([len(part)]) + part for part in name.split(b".")) + b"\0"
    return struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack("!HH", 1, 1)


def kept(packet, *, outgoing=False):
    protocol = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return run(elsewhere(), packet, protocol=protocol, type=4 if outgoing else 0) > 0


def test_what_goes_elsewhere_is_kept_by_either_version():
    assert kept(v4(6, tcp()))
    assert kept(v6(6, tcp()))


def test_each_packet_is_kept_once_of_the_two_times_it_passes():
    assert not kept(v4(6, tcp()), outgoing=True)


@pytest.mark.parametrize(
    "packet", [v4(6, tcp(), to=LOOP4), v6(6, tcp(), to=LOOP6), v4(17, udp(8125), to=LOOP4), v6(17, udp(9), to=LOOP6)]
)
def test_what_goes_to_loopback_is_not_kept(packet):
    assert not kept(packet)


@pytest.mark.parametrize(
    "packet",
    [
        v4(17, udp(53), to=bytes([127, 0, 0, 53])),
        v4(17, udp(53), to=bytes([127, 0, 0, 53]), options=bytes(8)),
        v6(17, udp(53), to=LOOP6),
    ],
)
def test_a_question_to_a_resolver_on_loopback_is_kept(packet):
    assert kept(packet)


@pytest.mark.parametrize("packet", [v4(6, tcp(), to=OWN), v6(6, tcp(), to=OWN6.packed)])
def test_answers_to_our_own_address_are_not_kept(packet):
    assert not kept(packet)


@pytest.mark.parametrize("bit", range(128))
def test_any_other_address_than_loopback_and_our_own_is_kept(bit):
    for near in (LOOP6, OWN6.packed):
        other = (int.from_bytes(near) ^ 1 << bit).to_bytes(16)
        assert kept(v6(6, tcp(), to=other))


def test_a_connection_is_read():
    seen = read_packet(v4(6, tcp(port=22)))
    assert (seen.protocol, str(seen.to), seen.to_port, seen.from_port) == ("tcp", "192.0.2.1", 22, 40000)


@pytest.mark.parametrize("flags", [SYN_ACK, ACK, RST, 0])
def test_what_begins_no_connection_is_no_attempt(flags):
    assert read_packet(v4(6, tcp(flags))) is None


def test_the_name_that_is_asked_for_is_read():
    assert read_packet(v4(17, udp(53, question(b"secret.example.test")))).name == "secret.example.test"


def test_a_name_can_t_drive_a_terminal():
    assert read_packet(v4(17, udp(53, question(b"a\x1b[2Jb.\xff\n")))).name == "a?[2Jb.??"


def test_a_ping_is_read_and_its_answer_is_not():
    assert read_packet(v4(1, struct.pack("!BBHI", 8, 0, 0, 0))).protocol == "icmp"
    assert read_packet(v4(1, struct.pack("!BBHI", 0, 0, 0, 0))) is None
    assert read_packet(v6(58, struct.pack("!BBHI", 135, 0, 0, 0))) is None  # the kernel looks for neighbours by itself


def test_a_protocol_without_a_name_is_told_by_its_number():
    assert read_packet(v4(132, bytes(12))).protocol == "ip 132"


@given(st.binary(max_size=120))
def test_no_bytes_make_it_raise(packet):
    seen = read_packet(packet)
    assert seen is None or refusal(seen) is None or len(refusal(seen)) > 20


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.integers(0, 2**32 - 1), st.integers(0, 65535))
def test_a_connection_is_answered_with_a_reset_for_exactly_it(sequence, port):
    answer = refusal(read_packet(v4(6, tcp(sequence=sequence, port=port))))
    assert (answer[12:16], answer[16:20], answer[9]) == (TEST4, OWN, 6)
    sender, receiver, _, acknowledged, _, flags = struct.unpack_from("!HHIIBB", answer, 20)
    assert (sender, receiver, acknowledged, flags) == (port, 40000, (sequence + 1) % 2**32, RST | ACK)
    assert checksum(answer[:20]) == 0xFFFF
    assert checksum(answer[12:20] + struct.pack("!BBH", 0, 6, 20) + answer[20:]) == 0xFFFF


@given(st.binary(max_size=600))
def test_a_datagram_is_answered_with_port_unreachable_that_quotes_it(data):
    packet = v4(17, udp(443, data))
    answer = refusal(read_packet(packet))
    assert (answer[9], answer[20:22]) == (1, b"\x03\x03")
    assert answer[28:] == packet[:512]
    assert checksum(answer[:20]) == checksum(answer[20:]) == 0xFFFF


@pytest.mark.parametrize("packet", [v6(6, tcp()), v6(17, udp(53)), v4(17, udp(53), to=LOOP4), v4(132, bytes(12))])
def test_what_the_kernel_answers_itself_is_left_to_it(packet):
    assert refusal(read_packet(packet)) is None
