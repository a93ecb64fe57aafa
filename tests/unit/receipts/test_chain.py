"""outgate.receipts.chain"""

from __future__ import annotations

import json
from typing import Any

import pytest
from receipts_made import NOW, decision

from outgate.digest import sha256
from outgate.errors import EvidenceError
from outgate.receipts.chain import Chain, parse
from outgate.receipts.receipt import MOST_BYTES, event_body


def test_each_receipt_holds_its_number_and_the_digest_of_the_one_before() -> None:
    chain = Chain("w1")
    lines = [chain.seal(decision())[1] for _ in range(3)]
    receipts = [parse(line) for line in lines]
    assert [receipt.seq for receipt in receipts] == [0, 1, 2]
    assert [receipt.prev for receipt in receipts] == ["", sha256(lines[0]), sha256(lines[1])]
    assert {receipt.writer for receipt in receipts} == {"w1"}


@pytest.mark.parametrize(
    "bad",
    [{"x": 1.5}, {"x": 2**53}, {"é": 1}, {1: 2}, {"x": "\ud800"}, {"x": {1}}, {"x": float("nan")}, {"x": [[{"y": b""}]]}],
)
def test_what_has_no_canonical_form_is_refused_and_uses_up_no_number(bad: dict[Any, Any]) -> None:
    chain = Chain("w1")
    with pytest.raises(EvidenceError):
        chain.seal(bad)
    assert chain.seal(decision())[0] == 0


def test_a_receipt_over_64_kib_is_refused() -> None:
    body = {**event_body("start", NOW, None, {}), "more": "x" * MOST_BYTES}
    with pytest.raises(EvidenceError, match="65536 is the most"):
        Chain("w1").seal(body)


def test_endless_nesting_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["x"] = endless
    with pytest.raises(EvidenceError, match="deeply"):
        Chain("w1").seal(endless)


LINE = Chain("w1").seal(decision())[1]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        LINE[:-1],
        LINE + b" ",
        LINE.replace(b'"v":1', b'"v": 1'),
        LINE.replace(b'"v":1', b'"v":1,"v":1'),
        LINE.replace(b'"v":1', b'"v":2'),
        LINE.replace(b'"seq":0', b'"seq":0.5'),
        LINE.replace(b'"seq":0', b'"seq":NaN'),
        LINE.replace(b'"seq":0', b'"seq":"0"'),
        LINE.replace(b'"at"', b'"ta"'),
        b"[" * 100_000,
        json.dumps(json.loads(LINE)).encode(),
    ],
)
def test_what_is_not_canonical_or_lacks_a_field_is_no_receipt(line: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse(line)
