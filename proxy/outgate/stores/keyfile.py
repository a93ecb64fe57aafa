"""The key that signs receipts, on disk: made once, readable by its owner alone, its public half beside it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from outgate.disk import Disk, make_folder, make_whole, read_private, replace_whole
from outgate.errors import ConfigError, EvidenceError, Problem, UnavailableError
from outgate.keys.ed25519 import SigningKey, VerifyKey, parse_vkey

if TYPE_CHECKING:
    from pathlib import Path

NAME = "receipts"


def receipts_key(state: Path) -> SigningKey:
    """Load the state folder's key, or make it; of several processes that begin together, all get the same.

    Raises ConfigError where the file is not a key or others can read it, UnavailableError where the disk fails.
    """
    path = _folder(state) / f"{NAME}.key"
    try:
        if not path.exists():
            _make(path)
        key = _load(path)
        _publish(path, key.public)
    except OSError as error:
        raise UnavailableError(f"no key can be kept in {path.parent}: {error.strerror}") from error
    return key


def public_key(state: Path) -> VerifyKey:
    """Read the public half that lies beside the log. Raises ConfigError where there is none, or it was changed."""
    path = _folder(state) / f"{NAME}.vkey"
    try:
        return parse_vkey(path.read_text("ascii"))
    except FileNotFoundError as error:
        raise ConfigError(Problem(source=str(path), message="no such file, give the key with --key")) from error
    except (EvidenceError, UnicodeDecodeError) as error:
        raise ConfigError(Problem(source=str(path), message=f"not a verifier key: {error}")) from error
    except OSError as error:
        raise UnavailableError(f"{path} can't be read: {error.strerror}") from error


def _folder(state: Path) -> Path:
    return state / "keys"


def _load(path: Path) -> SigningKey:
    pem = read_private(path, "move it away")
    try:
        return SigningKey.from_pem(pem)
    except EvidenceError as error:
        message = f"{error}, move it away to have a new one made"
        raise ConfigError(Problem(source=str(path), message=message)) from error


def _make(path: Path) -> None:
    make_folder(Disk(), path.parent)
    make_whole(path, SigningKey.from_seed(secrets.token_bytes(32)).pem())


def _publish(path: Path, public: VerifyKey) -> None:
    """Put the public half beside the key, for verifiers of notes and for openssl, if it is not there."""
    for suffix, content in ((".vkey", public.vkey.encode() + b"\n"), (".pub.pem", public.pem())):
        target = path.with_suffix(suffix)
        if not target.exists():
            replace_whole(target, content)
