"""outgate.keys.ssh"""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from signers import SK, SK_ECDSA, Signer

from outgate.errors import EvidenceError
from outgate.keys.ssh import Proof, fingerprint, is_hardware, packed, parse_public, parse_signature, verify

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b'{"decision":"approve"}'
KINDS = [["ed25519"], ["ecdsa", "-b", "256"], ["ecdsa", "-b", "384"], ["ecdsa", "-b", "521"], ["rsa", "-b", "2048"]]

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def made(folder: Path, *kind: str, name: str = "") -> tuple[Path, str]:
    """A key that ssh-keygen made: its file, and its public half."""
    path = folder / (name or "-".join(kind))
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", *kind, "-N", "", "-C", "a comment", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path, path.with_name(path.name + ".pub").read_text().strip()


def signed(path: Path, message: bytes = MESSAGE, namespace: str = "outgate", *more: str) -> str:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(path), *more]
    return subprocess.run(command, input=message, check=True, capture_output=True).stdout.decode()


def flipped(text: str, index: int, bit: int) -> str:
    raw = bytearray(text.encode("latin-1"))
    raw[index] ^= 1 << bit
    return raw.decode("latin-1")


def holds(public: str, signature: str, message: bytes = MESSAGE) -> bool:
    try:
        verify(public, signature, message)
    except EvidenceError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_what_ssh_keygen_signs_holds(folder: Path, kind: list[str]):
    path, public = made(folder, *kind)
    assert verify(public, signed(path), MESSAGE) == Proof(hardware=False)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_what_ssh_keygen_says_of_a_key_is_its_fingerprint(folder: Path, kind: list[str]):
    path, public = made(folder, *kind)
    said = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True).stdout
    assert fingerprint(public) == said.split()[1]
    assert not is_hardware(public)


def test_a_signature_that_hashes_with_sha256_holds(folder: Path):
    path, public = made(folder, "ed25519")
    assert verify(public, signed(path, MESSAGE, "outgate", "-O", "hashalg=sha256"), MESSAGE)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_over_another_file_it_does_not_hold(folder: Path, kind: list[str]):
    path, public = made(folder, *kind)
    with pytest.raises(EvidenceError, match="over something else, or was changed"):
        verify(public, signed(path), MESSAGE + b"\n")


def test_for_another_namespace_it_does_not_hold(folder: Path):
    path, public = made(folder, "ed25519")
    for namespace in ("git", "file", "outgate2", "Outgate"):
        with pytest.raises(EvidenceError, match="sign with -n outgate"):
            verify(public, signed(path, MESSAGE, namespace), MESSAGE)
    with pytest.raises(EvidenceError, match="not for 'git'"):
        verify(public, signed(path), MESSAGE, namespace="git")


def test_by_another_key_it_does_not_hold(folder: Path):
    path, _ = made(folder, "ed25519")
    _, other = made(folder, "ed25519", name="other")
    with pytest.raises(EvidenceError, match="by another key: SHA256:"):
        verify(other, signed(path), MESSAGE)


def test_a_namespace_that_is_written_over_does_not_hold(folder: Path):
    path, public = made(folder, "ed25519")
    armor = signed(path, MESSAGE, "outgatX")
    blob = base64.b64decode("".join(armor.splitlines()[1:-1])).replace(b"outgatX", b"outgate")
    with pytest.raises(EvidenceError, match="over something else"):
        verify(public, rearmored(blob), MESSAGE)


def rearmored(blob: bytes, width: int = 70) -> str:
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def blob_of(armor: str) -> bytes:
    return base64.b64decode("".join(armor.splitlines()[1:-1]))


@pytest.mark.parametrize("kind", [["ed25519"], ["ecdsa", "-b", "256"], ["rsa", "-b", "2048"]], ids="-".join)
def test_any_bit_that_is_flipped_in_the_text_spoils_it(folder: Path, kind: list[str]):
    path, public = made(folder, *kind)
    armor = signed(path)
    assert [(n, bit) for n in range(len(armor)) for bit in range(8) if holds(public, flipped(armor, n, bit))] == []


def test_any_bit_that_is_flipped_in_what_was_signed_spoils_it(folder: Path):
    path, public = made(folder, "ed25519")
    armor = signed(path)
    raw = MESSAGE.decode()
    assert [n for n in range(len(raw) * 8) if holds(public, armor, flipped(raw, n // 8, n % 8).encode("latin-1"))] == []


def test_cut_anywhere_it_is_none(folder: Path):
    path, public = made(folder, "ed25519")
    blob, armor = blob_of(signed(path)), signed(path)
    assert not [n for n in range(len(armor)) if holds(public, armor[:n])]
    assert not [n for n in range(len(blob)) if holds(public, rearmored(blob[:n]))]


@pytest.mark.parametrize(
    ("armor", "why"),
    [
        ("", "not an armored"),
        ("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", "not an armored"),
        ("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n", "not an SSH signature of version 1|ends before"),
        ("-----BEGIN SSH SIGNATURE-----\nAAA\n-----END SSH SIGNATURE-----\n", "its base64 is wrong"),
        ("-----BEGIN SSH SIGNATURE-----\nAB==\n-----END SSH SIGNATURE-----\n", "its base64 is wrong"),
        ("-----BEGIN SSH SIGNATURE-----\n" + ("A" * 76 + "\n") * 300 + "-----END SSH SIGNATURE-----\n", "not an armored"),
    ],
)
def test_what_is_no_armor_is_said_to_be_none(armor: str, why: str):
    with pytest.raises(EvidenceError, match=why):
        parse_signature(armor)


def test_text_around_a_signature_makes_it_none(folder: Path):
    path, public = made(folder, "ed25519")
    armor = signed(path)
    for spoilt in ("\n" + armor, armor + "\n", armor.replace("\n", "\r\n"), armor + armor, armor[:-1], armor.lower()):
        assert not holds(public, spoilt)


def test_what_follows_in_it_or_fills_its_reserved_field_makes_it_none(folder: Path):
    path, public = made(folder, "ed25519")
    blob = blob_of(signed(path))
    reserved = blob.replace(packed(b"outgate") + packed(b""), packed(b"outgate") + packed(b"x"))
    version = blob.replace(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2")
    for spoilt in (blob + b"\0", reserved, version, blob.replace(packed(b"sha512"), packed(b"sha1")), blob[:-1] + b"\0\0"):
        assert spoilt != blob
        assert not holds(public, rearmored(spoilt))


@pytest.mark.parametrize("kind", [SK, SK_ECDSA])
def test_a_hardware_key_that_was_touched_holds(kind: str):
    signer = Signer("device", kind=kind)
    assert is_hardware(signer.public)
    assert verify(signer.public, signer.sign(MESSAGE), MESSAGE) == Proof(hardware=True, verified=False)


@pytest.mark.parametrize("kind", [SK, SK_ECDSA])
def test_a_hardware_key_says_whether_it_asked_who_touched_it(kind: str):
    signer = Signer("device", kind=kind, flags=5)
    assert verify(signer.public, signer.sign(MESSAGE), MESSAGE).verified


@pytest.mark.parametrize("flags", [0, 4, 254])
@pytest.mark.parametrize("kind", [SK, SK_ECDSA])
def test_a_hardware_key_that_nobody_touched_does_not_hold(kind: str, flags: int):
    signer = Signer("device", kind=kind, flags=flags)
    with pytest.raises(EvidenceError, match="without being touched"):
        verify(signer.public, signer.sign(MESSAGE), MESSAGE)


@pytest.mark.parametrize("kind", [SK, SK_ECDSA])
def test_flags_counter_and_application_are_signed(kind: str):
    untouched, touched = Signer("device", kind=kind, flags=0), Signer("device", kind=kind)
    blob = blob_of(untouched.sign(MESSAGE))
    claimed = blob[:-5] + b"\1" + blob[-4:]
    assert not holds(untouched.public, rearmored(claimed))
    blob = blob_of(touched.sign(MESSAGE))
    assert not holds(touched.public, rearmored(blob[:-1] + bytes([blob[-1] ^ 1])))
    elsewhere = Signer("device", kind=kind, application=b"ssh:else")
    with pytest.raises(EvidenceError, match="by another key"):
        verify(touched.public, elsewhere.sign(MESSAGE), MESSAGE)


@pytest.mark.parametrize("kind", [SK, SK_ECDSA])
def test_any_bit_that_is_flipped_in_a_hardware_signature_spoils_it(kind: str):
    signer = Signer("device", kind=kind)
    armor = signer.sign(MESSAGE)
    assert [(n, bit) for n in range(len(armor)) for bit in range(8) if holds(signer.public, flipped(armor, n, bit))] == []


def test_a_software_key_does_not_pass_for_a_hardware_key():
    software, hardware = Signer("same"), Signer("same", kind=SK)
    assert software.blob != hardware.blob
    assert not holds(hardware.public, software.sign(MESSAGE))


def test_openssh_agrees_on_what_a_hardware_key_is(folder: Path):
    """The constructions of these tests are OpenSSH's: its own verifier takes them."""
    for kind in (SK, SK_ECDSA, "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp384"):
        signer = Signer("device", kind=kind)
        signers, signature = folder / "signers", folder / "signature"
        signers.write_text(f"alice {signer.public}\n")
        signature.write_text(signer.sign(MESSAGE))
        command = ["ssh-keygen", "-Y", "verify", "-n", "outgate", "-I", "alice", "-f", str(signers), "-s", str(signature)]
        assert subprocess.run(command, input=MESSAGE, capture_output=True, check=False).returncode == 0, kind
        assert holds(signer.public, signer.sign(MESSAGE))


def test_a_small_rsa_key_is_not_accepted():
    with pytest.raises(EvidenceError, match="RSA key of 1024 bits is not accepted"):
        parse_public(Signer("1024", kind="ssh-rsa").public)


def test_rsa_with_sha1_is_not_accepted(folder: Path):
    path, public = made(folder, "rsa", "-b", "2048")
    blob = blob_of(signed(path))
    renamed = blob.replace(packed(b"rsa-sha2-512"), packed(b"rsa-sha1-512"))
    assert not holds(public, rearmored(renamed))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "kind ''"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "kind 'ssh-dss' is not accepted, use one of ssh-ed25519"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "is not accepted"),
        ("ssh-ed25519", "base64 is wrong"),
        ("ssh-ed25519 not base64!", "base64 is wrong"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "ends before|base64"),
        ("ssh-rsa " + base64.b64encode(packed(b"ssh-ed25519") + packed(b"k" * 32)).decode(), "says ssh-rsa and is ssh-ed25519"),
        ("ssh-ed25519 " + base64.b64encode(packed(b"ssh-ed25519") + packed(b"k" * 31)).decode(), "not a key of kind"),
        ("ssh-ed25519 " + base64.b64encode(packed(b"ssh-ed25519") + packed(b"k" * 32) + b"x").decode(), "something follows"),
        (
            "ecdsa-sha2-nistp256 "
            + base64.b64encode(packed(b"ecdsa-sha2-nistp256") + packed(b"nistp256") + packed(b"\4" + b"\1" * 64)).decode(),
            "not a key of kind",
        ),
    ],
)
def test_what_is_no_key_is_said_to_be_none(text: str, why: str):
    with pytest.raises(EvidenceError, match=why):
        parse_public(text)


def test_a_key_is_the_same_with_and_without_its_comment(folder: Path):
    _, public = made(folder, "ed25519")
    assert public.endswith(" a comment")
    assert parse_public(public) == parse_public(str(parse_public(public)))
