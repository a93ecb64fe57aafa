import socket
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.net.names import Names
from outgate.net.questions import LONGEST, answer

A, NS, CNAME, PTR, MX, TXT, AAAA, SRV, SVCB, HTTPS, ANY = 1, 2, 5, 12, 15, 16, 28, 33, 64, 65, 255
OPT = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)


def wired(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".") if label) + b"\0"


def question(name="api.test", kind=A, *, flags=0x0100, realm=1, counts=(1, 0, 0, 0), after=b"", raw=None) -> bytes:
    return struct.pack("!HHHHHH", 7, flags, *counts) + (raw or wired(name)) + struct.pack("!HH", kind, realm) + after


def code(said: bytes) -> int:
    return said[3] & 15


def addresses(said: bytes) -> list[str]:
    """The addresses that a resolver reads from an answer of ours, which has one question and then only them."""
    (number, flags, asked, records, authority, _), at = struct.unpack_from("!HHHHHH", said), 12
    assert (number, flags & 0x8000, asked, authority) == (7, 0x8000, 1, 0)
    while said[at]:
        at += 1 + said[at]
    at += 5
    found = []
    for _ in range(records):
        pointer, kind, realm, _, size = struct.unpack_from("!HHHIH", said, at)
        assert (pointer, realm) == (0xC00C, 1)
        found.append(socket.inet_ntop(socket.AF_INET if kind == A else socket.AF_INET6, said[at + 12 : at + 12 + size]))
        at += 12 + size
    return found


def test_a_name_gets_addresses_that_are_made_up():
    names = Names()
    assert addresses(answer(question(), names)) == ["198.18.1.0"]
    assert addresses(answer(question(kind=AAAA), names)) == ["fd6f:7574:6761:7466::100"]
    assert names.called("198.18.1.0") == "api.test"


@pytest.mark.parametrize("name", ["API.Test", "api.test.", "aPI.tEST"])
def test_however_a_name_is_written_it_is_the_same_and_the_question_comes_back_as_it_was(name):
    names = Names()
    said = answer(question(name), names)
    assert addresses(said) == ["198.18.1.0"]
    assert wired(name) in said
    assert names.called("198.18.1.0") == "api.test"


@pytest.mark.parametrize(("name", "kind", "own"), [("localhost", A, "127.0.0.1"), ("a.LOCALHOST", AAAA, "::1")])
def test_localhost_is_the_programs_own(name, kind, own):
    assert addresses(answer(question(name, kind), Names())) == [own]


@pytest.mark.parametrize("kind", [NS, CNAME, PTR, MX, TXT, SRV, SVCB, HTTPS, ANY, 999])
def test_of_every_other_type_there_is_nothing(kind):
    names = Names()
    said = answer(question(kind=kind), names)
    assert (code(said), addresses(said)) == (0, [])
    assert names.called("198.18.1.0") == "198.18.1.0"


def test_without_ipv6_there_are_no_addresses_of_it():
    assert addresses(answer(question(kind=AAAA), Names(), ipv6=False)) == []


@pytest.mark.parametrize(
    "name", ["a_b.test", "-a.test", "192.0.2.1", "0x7f.1", "x.invalid", "invalid", "x.onion", "a b.test", "xn--a.test"]
)
def test_what_is_no_hosts_name_is_nobodys(name):
    said = answer(question(name), Names())
    assert (code(said), addresses(said)) == (3, [])


def test_a_dot_in_a_label_is_not_the_end_of_one():
    said = answer(question(raw=b"\x08api.test\0"), Names())
    assert code(said) == 3


def test_the_root_has_no_address():
    said = answer(question(raw=b"\0"), Names())
    assert (code(said), addresses(said)) == (0, [])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (question(raw=b"\xc0\x0c"), 1),
        (question(raw=b"\x40" + b"a" * 64 + b"\0"), 1),
        (question(raw=(b"\x3f" + b"a" * 63) * 4 + b"\0"), 1),
        (question(raw=b"\x05ab\0"), 1),
        (question(counts=(0, 0, 0, 0)), 1),
        (question(counts=(2, 0, 0, 0)), 1),
        (question(counts=(1, 1, 0, 0)), 1),
        (question(counts=(1, 0, 1, 0)), 1),
        (question(counts=(1, 0, 0, 2), after=OPT * 2), 1),
        (question(counts=(1, 0, 0, 1)), 1),
        (question(counts=(1, 0, 0, 1), after=b"\0" + struct.pack("!HHIH", 1, 1, 0, 0)), 1),
        (question(counts=(1, 0, 0, 1), after=OPT[:-1] + b"\5"), 1),
        (question(after=b"more"), 1),
        (question(flags=0x2800), 4),
        (question(realm=3), 5),
    ],
    ids=[
        *("pointer", "long-label", "long-name", "cut", "none", "two", "answered", "authority", "two-opt", "no-opt", "not-opt"),
        *("opt-cut", "trailing", "update", "chaos"),
    ],
)
def test_what_is_no_plain_question_is_refused(asked, said):
    names = Names()
    assert code(answer(asked, names)) == said
    assert names.called("198.18.1.0") == "198.18.1.0"


def test_who_speaks_edns_is_answered_in_it_and_no_newer_version_is_spoken():
    said = answer(question(counts=(1, 0, 0, 1), after=OPT), Names())
    assert said.endswith(OPT)
    newer = b"\0" + struct.pack("!HHIH", 41, 1232, 1 << 16, 0)
    said = answer(question(counts=(1, 0, 0, 1), after=newer), Names())
    assert (code(said), said[-6]) == (0, 1)


@pytest.mark.parametrize("asked", [b"", b"\0" * 11, question(flags=0x8000), b"\0" * (LONGEST + 1)])
def test_what_is_no_question_gets_no_answer(asked):
    assert answer(asked, Names()) is None


@given(st.binary(max_size=600))
def test_whatever_comes_is_answered_shortly_or_not_at_all(asked):
    said = answer(asked, Names())
    assert said is None or (said[:2] == asked[:2] and said[2] & 0x80 and len(said) <= len(asked) + 28)


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,10}){1,3}", fullmatch=True))
def test_every_answer_to_a_good_name_is_an_address_that_is_called_so(name):
    names = Names()
    for found in addresses(answer(question(name), names)):
        assert names.called(str(ip_address(found))) == name
