"""Sign with a person's own SSH key: by ssh-keygen, which knows agents, passphrases and devices; without it, by ourselves."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from outgate.errors import ConfigError, EvidenceError, UnavailableError
from outgate.keys.ssh import PublicKey, armored, packed, parse_public, to_be_signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMESPACE = "outgate"
NAMES = ("id_ed25519_sk", "id_ecdsa_sk", "id_ed25519", "id_ecdsa", "id_rsa")
"""Where ssh itself looks in ~/.ssh; keys in devices first: they prove that a person was there."""
_MOST_BYTES = 64 * 1024
_UNLOCK = "sign with ssh-keygen (OpenSSH), which can use it"


def sign(message: bytes, key: Path, *, program: str | None = None) -> str:
    """Give an armored signature. `key` is a private key, or a public one (`.pub`) whose private half an agent holds.

    `program` is ssh-keygen; where there is none, only an Ed25519 key that is not encrypted can be used. ssh-keygen asks for
    a passphrase or a touch on the terminal by itself. Raises ConfigError for a key that can't be used, UnavailableError
    where ssh-keygen did not sign.
    """
    if not key.is_file():
        raise ConfigError(f"there is no key {key}, name one with --key")
    if program is None:
        return _own(message, key)
    command = [program, "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key)]
    done = subprocess.run(command, input=message, stdout=subprocess.PIPE, check=False)  # noqa: S603  # no shell, a path
    if done.returncode != 0 or not done.stdout:
        raise UnavailableError(
            f"ssh-keygen did not sign with {key} (exit code {done.returncode}), nothing was approved or denied"
        )
    return done.stdout.decode("ascii", "replace")


def ssh_keygen() -> str | None:
    """Where OpenSSH's ssh-keygen is; None where it is not installed."""
    return shutil.which("ssh-keygen")


def public_half(key: Path) -> PublicKey | None:
    """Give the public key that lies beside a private one, or is named itself; None where there is none to be read."""
    beside = key if key.suffix == ".pub" else key.with_name(key.name + ".pub")
    try:
        with beside.open("rb") as file:
            return parse_public(file.read(_MOST_BYTES).decode())
    except (OSError, UnicodeDecodeError, EvidenceError):
        return None


def usual_keys(home: Path) -> Iterator[tuple[Path, PublicKey]]:
    """A person's keys where ssh keeps them, of those whose public half is there."""
    for name in NAMES:
        path = home / ".ssh" / name
        if path.is_file() and (public := public_half(path)) is not None:
            yield path, public


def _own(message: bytes, key: Path) -> str:
    try:
        private = load_ssh_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(f"{key} can't be read: {error.strerror or error}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{key} is encrypted, or no private key of OpenSSH's: {_UNLOCK}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(f"{key} is no Ed25519 key: {_UNLOCK}")
    kind = packed(b"ssh-ed25519")
    signature = kind + packed(private.sign(to_be_signed(NAMESPACE, "sha512", message)))
    public = kind + packed(private.public_key().public_bytes_raw())
    return armored(public=public, namespace=NAMESPACE, algorithm="sha512", signature=signature)
