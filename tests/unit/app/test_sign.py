"""outgate.app.sign"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from outgate.app.sign import public_half, sign, ssh_keygen, usual_keys
from outgate.errors import ConfigError, UnavailableError
from outgate.keys.ssh import verify

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b"what is signed"

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")


def made(folder: Path, name: str = "id_ed25519", kind: str = "ed25519", passphrase: str = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def public(path: Path) -> str:
    return path.with_name(path.name + ".pub").read_text()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_what_ssh_keygen_signs_for_us_holds(tmp_path: Path, kind: str):
    path = made(tmp_path, kind=kind)
    assert verify(public(path), sign(MESSAGE, path, program=ssh_keygen()), MESSAGE)


def test_without_ssh_keygen_an_ed25519_key_signs_and_openssh_agrees(tmp_path: Path):
    path = made(tmp_path)
    signature = sign(MESSAGE, path)
    assert verify(public(path), signature, MESSAGE)
    (tmp_path / "signers").write_text(f"alice {public(path)}")
    (tmp_path / "signature").write_text(signature)
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-n",
        "outgate",
        "-I",
        "alice",
        "-f",
        tmp_path / "signers",
        "-s",
        tmp_path / "signature",
    ]
    assert subprocess.run(command, input=MESSAGE, capture_output=True, check=False).returncode == 0


def test_both_write_the_same(tmp_path: Path):
    path = made(tmp_path)
    assert sign(MESSAGE, path) == sign(MESSAGE, path, program=ssh_keygen())


def test_without_ssh_keygen_an_encrypted_key_is_said_to_need_it(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"is encrypted, or no private key .* sign with ssh-keygen"):
        sign(MESSAGE, made(tmp_path, passphrase="correct horse"))


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_without_ssh_keygen_other_kinds_are_said_to_need_it(tmp_path: Path, kind: str):
    with pytest.raises(ConfigError, match="is no Ed25519 key: sign with ssh-keygen"):
        sign(MESSAGE, made(tmp_path, kind=kind))


def test_what_is_no_key_does_not_sign(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    (tmp_path / "key").write_text("nonsense")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UnavailableError, match=r"ssh-keygen did not sign with .*key"):
        sign(MESSAGE, tmp_path / "key", program=ssh_keygen())
    assert capfd.readouterr().err
    with pytest.raises(ConfigError, match="no private key of OpenSSH"):
        sign(MESSAGE, tmp_path / "key")


def test_a_key_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"there is no key .*nowhere, name one with --key"):
        sign(MESSAGE, tmp_path / "nowhere", program=ssh_keygen())


def test_an_agent_signs_for_a_public_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = made(tmp_path)
    told = subprocess.run(["ssh-agent", "-s", "-a", str(tmp_path / "agent")], check=True, capture_output=True, text=True).stdout
    environ = dict(line.split(";")[0].split("=", 1) for line in told.splitlines() if "=" in line)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    try:
        subprocess.run(["ssh-add", "-q", str(path)], check=True, stdin=subprocess.DEVNULL)
        said = public(path)
        path.unlink()
        assert verify(said, sign(MESSAGE, path.with_name(path.name + ".pub"), program=ssh_keygen()), MESSAGE)
    finally:
        subprocess.run(["ssh-agent", "-k"], check=True, capture_output=True)


def test_a_public_half_is_found_beside_a_key_or_as_itself(tmp_path: Path):
    path = made(tmp_path)
    assert str(public_half(path)) == " ".join(public(path).split()[:2])
    assert public_half(path) == public_half(tmp_path / "id_ed25519.pub")
    assert public_half(tmp_path / "nowhere") is None
    (tmp_path / "bad.pub").write_bytes(b"\xff")
    assert public_half(tmp_path / "bad") is None


def test_keys_are_looked_for_where_ssh_looks(tmp_path: Path):
    for name in ("id_rsa", "id_ed25519", "another"):
        made(tmp_path / ".ssh", name)
    made(tmp_path / ".ssh", "id_ecdsa", "ecdsa").with_suffix(".pub").unlink()
    assert [path.name for path, _ in usual_keys(tmp_path)] == ["id_ed25519", "id_rsa"]
