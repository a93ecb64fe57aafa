"""CBOR, read strictly. Vectors are RFC 8949's, appendix A."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.protocols.aws.cbor import read
from outgate.intake.bodies import Undecodable


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("00", 0), ("1903e8", 1000), ("1bffffffffffffffff", 18446744073709551615), ("29", -10), ("3903e7", -1000),
        ("f4", False), ("f5", True), ("f6", None), ("fb3ff199999999999a", 1.1), ("f93e00", 1.5), ("fa47c35000", 100000.0),
        ("f97c00", None), ("6449455446", "IETF"), ("62c3bc", "ü"), ("4401020304", "\x01\x02\x03\x04"), ("80", []),
        ("83010203", [1, 2, 3]), ("a26161016162820203", {"a": 1, "b": [2, 3]}), ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}), ("7f657374726561646d696e67ff", "streaming"),
        ("c11a514b67b0", 1363896240), ("", None),
    ],
)  # fmt: skip
def test_a_value_is_read(sent, value):
    assert read(bytes.fromhex(sent)) == value


@pytest.mark.parametrize(
    "sent",
    [
        "0001", "18", "1c", "61ff", "62c3", "83", "8301", "a1", "a16161", "a2616101616102", "a10102", "9f", "bf6161ff", "ff",
        "7f61617f6161ffff", "7f4161ff", "f8", "fc", "9bffffffffffffffff", "5bffffffffffffffff00", "bbffffffffffffffff",
        "81" * 200 + "00", "c1" * 200 + "00",
    ],
)  # fmt: skip
def test_what_is_not_one_whole_value_with_each_key_once_is_none(sent):
    assert isinstance(read(bytes.fromhex(sent)), Undecodable)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_it_does_not_raise(content):
    read(content)
