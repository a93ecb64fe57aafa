"""outgate.receipts.checkpoint"""

from __future__ import annotations

import base64

import pytest
from receipts_made import KEY

from outgate.errors import EvidenceError
from outgate.keys.ed25519 import SigningKey, parse_vkey
from outgate.receipts.checkpoint import Checkpoint, check, line_of, note_in, origin_of, read, sign

POINT = Checkpoint(origin=origin_of(KEY.public, "w1"), size=7, root=bytes(32))
NOTE = sign(POINT, KEY)


def test_a_signed_checkpoint_reads_back() -> None:
    assert check(NOTE, KEY.public) == read(NOTE) == POINT


def test_the_text_is_origin_size_root_an_empty_line_and_the_signature() -> None:
    lines = NOTE.split("\n")
    assert lines[:4] == [f"{KEY.public.name}/w1", "7", base64.b64encode(bytes(32)).decode(), ""]
    assert lines[4].startswith(f"— {KEY.public.name} ")
    assert lines[5:] == [""]


def test_another_implementations_note_is_checked_the_same() -> None:
    # Key, text and signature as golang.org/x/mod/sumdb/note documents them (BSD-3-Clause). The text is a note, no checkpoint.
    key = parse_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = base64.b64decode("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=")
    assert signature[:4] == key.id
    assert key.holds(signature[4:], text.encode())
    with pytest.raises(EvidenceError, match="not a checkpoint"):
        read(f"{text}\n— PeterNeumann {base64.b64encode(signature).decode()}\n")


def test_a_foreign_key_is_named() -> None:
    other = SigningKey.from_seed(b"o" * 32)
    with pytest.raises(EvidenceError, match=f"signed by {other.public.name}, not by {KEY.public.name}"):
        check(sign(POINT, other), KEY.public)


def test_a_signature_under_our_name_by_another_key_does_not_hold() -> None:
    other = SigningKey.from_seed(b"o" * 32)
    forged = sign(POINT, other).replace(other.public.name, KEY.public.name)
    with pytest.raises(EvidenceError):
        check(forged, KEY.public)
    signature = base64.b64encode(KEY.public.id + other.sign(POINT.body.encode())).decode()
    with pytest.raises(EvidenceError, match="does not match"):
        check(f"{POINT.body}\n— {KEY.public.name} {signature}\n", KEY.public)


def test_a_witness_may_sign_too() -> None:
    other = SigningKey.from_seed(b"o" * 32)
    _, _, theirs = sign(POINT, other).partition("\n\n")
    assert check(NOTE + theirs, KEY.public) == POINT


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x",
        NOTE[:-1],
        NOTE + "x",
        NOTE.replace("\n7\n", "\n07\n"),
        NOTE.replace("\n7\n", "\n-7\n"),
        NOTE.replace("\n\n", "\n"),
    ],
)
def test_what_is_malformed_is_refused(bad: str) -> None:
    with pytest.raises(EvidenceError):
        check(bad, KEY.public)


def test_a_line_holds_the_note_as_it_is() -> None:
    assert note_in(line_of(NOTE)) == NOTE


@pytest.mark.parametrize(
    "line", [b"", b"{}", b'{"checkpoint":1}', b'{"checkpoint":"x"', line_of(NOTE) + b" ", b" " + line_of(NOTE)]
)
def test_any_other_line_is_no_checkpoint(line: bytes) -> None:
    assert note_in(line) is None
