"""The key that signs receipts, on disk: made once, readable by its owner alone, its public half beside it."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, EvidenceError, Problem, UnavailableError
from outgate.keys.ed25519 import SigningKey, VerifyKey, parse_vkey
from outgate.stores.disk import Disk, make_folder, write_whole

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
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode & 0o777
        pem = file.read(16384)
    if mode & 0o077:
        message = f"others may read or change this key (mode {mode:o}), run chmod 600 on it if nobody did, else move it away"
        raise ConfigError(Problem(source=str(path), message=message))
    try:
        return SigningKey.from_pem(pem)
    except EvidenceError as error:
        message = f"{error}, move it away to have a new one made"
        raise ConfigError(Problem(source=str(path), message=message)) from error


def _make(path: Path) -> None:
    """Whole and durable before it has its name; whoever names theirs first wins."""
    disk = Disk()
    make_folder(disk, path.parent)
    draft = path.with_name(f".{NAME}.{secrets.token_hex(8)}")
    try:
        _write(disk, draft, SigningKey.from_seed(secrets.token_bytes(32)).pem())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
    disk.sync_folder(path.parent)


def _publish(path: Path, public: VerifyKey) -> None:
    """Put the public half beside the key, for verifiers of notes and for openssl, if it is not there."""
    disk = Disk()
    for suffix, content in ((".vkey", public.vkey.encode() + b"\n"), (".pub.pem", public.pem())):
        target = path.with_suffix(suffix)
        if target.exists():
            continue
        draft = path.with_name(f".{NAME}.{secrets.token_hex(8)}")
        _write(disk, draft, content)
        draft.rename(target)


def _write(disk: Disk, path: Path, content: bytes) -> None:
    fd = disk.create(path)
    try:
        write_whole(disk, fd, content)
        disk.sync(fd)
    finally:
        os.close(fd)
