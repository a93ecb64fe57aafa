import pytest

from outgate.mitm.greetings import Greetings


def record(kind, payload):
    return bytes([kind]) + b"\x03\x03" + len(payload).to_bytes(2) + payload


def hello(name=b"pinned.test", more=b""):
    """A ClientHello of the least that there must be (RFC 8446, section 4.1.2), in a record of its own."""
    named = b"\x00\x00" + (len(name) + 5).to_bytes(2) + (len(name) + 3).to_bytes(2) + b"\x00" + len(name).to_bytes(2) + name
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(named).to_bytes(2) + named
    return record(22, b"\x01" + len(body).to_bytes(3) + body + more)


def answer(random):
    body = b"\x03\x03" + random + b"\x00\x13\x01\x00"
    return record(22, b"\x02" + len(body).to_bytes(3) + body)


AGAIN = answer(bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"))
GOES_ON = answer(b"\x07" * 32)
CHANGE, DATA, ALERT = record(20, b"\x01"), record(23, bytes(300)), record(21, b"\x02\x28")
KEYS = record(22, b"\x10\x00\x00\x03abc")


def told(*said):
    """What is wrong, once all of it was said: by the client, or, in a tuple, by the upstream."""
    greetings = Greetings("pinned.test")
    for one in said:
        if isinstance(one, tuple):
            greetings.from_upstream(*one)
        elif wrong := greetings.from_client(one):
            return wrong
    return ""


OTHER = "another client hello than the one decided"
EVIL = hello(b"evilll.test")


@pytest.mark.parametrize(
    "said",
    [
        [hello(), (GOES_ON,), KEYS, CHANGE, DATA],
        [hello(), (AGAIN,), CHANGE, hello(), (GOES_ON,), DATA],
        [hello(), (AGAIN,), hello(), CHANGE, KEYS, EVIL],
        [hello(), CHANGE, DATA, (AGAIN,), hello(b"PINNED.test"), DATA],
        [hello(), (AGAIN[:20],), (AGAIN[20:],), hello()],
        [hello(), (ALERT,), EVIL],
        [hello(), (GOES_ON,), EVIL],
    ],
    ids=["as-ever", "again", "once", "early-data", "in-pieces", "refused", "in-vain"],
)
def test_what_names_the_same_host_passes_until_no_name_counts_any_more(said):
    assert told(*said) == ""


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ([hello(), (AGAIN,), EVIL], OTHER),
        ([hello(), EVIL], OTHER),
        ([hello() + EVIL], OTHER),
        ([hello(), CHANGE, DATA, EVIL], OTHER),
        ([hello(more=EVIL[5:])], OTHER),
        ([hello(), hello(), (AGAIN[:30],), EVIL], OTHER),
        ([hello(), (record(22, AGAIN[5:25]) + record(22, AGAIN[25:]),), EVIL], OTHER),
        ([hello(), (AGAIN,), hello(b"api\0test")], "malformed server name"),
        ([hello(), (AGAIN,), KEYS], "malformed client hello"),
        ([hello(), (AGAIN,), record(22, EVIL[5:20]), CHANGE, record(22, EVIL[20:])], "a client hello that is interrupted"),
        ([hello(), (AGAIN,), b"\x17\x03\x03\xff\xff"], "malformed tls"),
    ],
)
def test_what_names_another_host_or_none_is_told_before_it_passes(said, wrong):
    assert told(*said) == wrong


def test_it_is_told_whatever_pieces_it_comes_in():
    for end in range(len(EVIL)):
        assert told(hello(), (AGAIN,), EVIL[:end]) == ""
        assert told(hello(), (AGAIN,), EVIL[:end], EVIL[end:]) == OTHER


def test_what_is_read_along_is_bounded():
    greetings = Greetings("pinned.test")
    greetings.from_client(hello())
    for _ in range(100):
        assert greetings.from_client(DATA * 50) == ""
    assert len(greetings._records) + len(greetings._message) < 1000
