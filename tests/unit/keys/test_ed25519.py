"""outgate.keys.ed25519"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from outgate.errors import EvidenceError
from outgate.keys.ed25519 import SigningKey, VerifyKey, parse_vkey

if TYPE_CHECKING:
    from pathlib import Path

KEY = SigningKey.from_seed(bytes(range(32)))
# RFC 8032, section 7.1, test 2.
RFC_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
RFC_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
RFC_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_signs_as_rfc_8032_says() -> None:
    key = SigningKey.from_seed(RFC_SEED)
    assert key.public.raw == RFC_PUBLIC
    assert key.sign(b"\x72") == RFC_SIGNATURE


def test_a_signature_holds_for_its_message_alone() -> None:
    signature = KEY.sign(b"a")
    assert KEY.public.holds(signature, b"a")
    assert not KEY.public.holds(signature, b"b")
    assert not KEY.public.holds(signature[:-1], b"a")
    assert not KEY.public.holds(b"", b"a")


def test_another_key_does_not_hold() -> None:
    assert not SigningKey.from_seed(bytes(32)).public.holds(KEY.sign(b"a"), b"a")


def test_a_vkey_reads_back() -> None:
    assert parse_vkey(KEY.public.vkey + "\n") == KEY.public


def test_a_vkey_is_that_of_the_signed_note_example() -> None:
    # golang.org/x/mod/sumdb/note's documentation publishes this key (BSD-3-Clause).
    published = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert parse_vkey(published).vkey == published


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "name",
        "name+00000000",
        KEY.public.vkey.replace(KEY.public.id.hex(), "00000000"),
        KEY.public.vkey[:-4],
        KEY.public.vkey + "AA",
        KEY.public.vkey.replace("outgate/", "other/"),
        KEY.public.vkey[:-1] + "!",
        "a b" + KEY.public.vkey,
    ],
)
def test_a_changed_vkey_is_refused(bad: str) -> None:
    with pytest.raises(EvidenceError):
        parse_vkey(bad)


def test_a_key_name_holds_no_space_and_no_plus() -> None:
    for name in ("", "a b", "a+b", "a\n"):
        with pytest.raises(EvidenceError):
            VerifyKey(name=name, raw=bytes(32))


def test_a_private_key_reads_back_from_pem_and_is_never_printed() -> None:
    again = SigningKey.from_pem(KEY.pem())
    assert again.sign(b"x") == KEY.sign(b"x")
    assert "rivate" not in repr(again)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", KEY.public.pem()])
def test_what_is_no_private_key_is_refused(pem: bytes) -> None:
    with pytest.raises(EvidenceError):
        SigningKey.from_pem(pem)


def test_openssl_verifies_what_we_sign(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY.public.pem())
    (tmp_path / "message").write_bytes(b"hello")
    (tmp_path / "signature").write_bytes(KEY.sign(b"hello"))
    command = "openssl pkeyutl -verify -pubin -inkey key -rawin -in message -sigfile signature"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
