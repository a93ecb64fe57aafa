"""The CA of a gate that serves: kept on disk for its owner alone, used again at every start, replaced with an overlap."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from outgate.ca.authority import Authority, fingerprint, make_authority
from outgate.ca.roots import certificates
from outgate.disk import Disk, make_folder, make_whole, read_private, replace_whole
from outgate.errors import ConfigError, Problem, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography import x509

LIFE: Final = timedelta(days=730)
OVERLAP: Final = timedelta(days=30)
"""How long clients are still told to trust a CA that no longer signs."""
SOON: Final = timedelta(days=60)
"""When it is time to think of the next one."""
_SIGNING: Final = "signing.pem"
_NEXT: Final = "next.pem"
_OLD: Final = re.compile(r"old-([0-9]{8})-[0-9a-f]{16}\.pem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A CA that signs no more; its key is gone. Trusted by those who have not heard `until` then."""

    certificate: x509.Certificate
    pem: bytes
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is in the folder: the one that signs, the one that will, those that did."""

    signing: Authority
    next: Authority | None = None
    old: tuple[Old, ...] = ()

    def bundle(self, now: datetime) -> bytes:
        """PEM: all that a client should trust now, so that none of them notices when another one signs."""
        ahead = (self.next.pem,) if self.next else ()
        return b"".join((self.signing.pem, *ahead, *(one.pem for one in self.old if one.until > now)))

    def left(self, now: datetime) -> timedelta:
        """How long the one that signs may still do so."""
        return self.signing.certificate.not_valid_after_utc - now


def kept_ca(state: Path, now: datetime) -> Kept:
    """Load the state folder's CA, or make it; of several processes that begin together, all get the same.

    Raises ConfigError where what is there can't be used, or is over, UnavailableError where the disk fails.
    """
    folder = _folder(state)
    try:
        _make_folder(folder)
        if not (folder / _SIGNING).exists():
            make_whole(folder / _SIGNING, make_authority(now, LIFE).private_pem)
        return _loaded(folder, now)
    except OSError as error:
        raise UnavailableError(f"no CA can be kept in {folder}: {error.strerror or error}") from error


def signing_file(state: Path) -> Path:
    """Where the one that signs is kept: whoever watches it knows of a rotation."""
    return _folder(state) / _SIGNING


def look(state: Path, now: datetime) -> Kept | None:
    """What is there; None where none was made yet. Raises as `kept_ca`."""
    folder = _folder(state)
    try:
        return _loaded(folder, now, over_is_wrong=False) if (folder / _SIGNING).exists() else None
    except OSError as error:
        raise UnavailableError(f"the CA in {folder} can't be read: {error.strerror or error}") from error


def prepare(state: Path, now: datetime) -> Kept:
    """Make the next one, for clients to trust before it signs anything; the one that is there stays. Raises as `kept_ca`."""
    kept_ca(state, now)
    folder = _folder(state)
    with _writing(folder):
        make_whole(folder / _NEXT, make_authority(now, LIFE).private_pem)
    return kept_ca(state, now)


def rotate(state: Path, now: datetime) -> Kept:
    """Have the next one sign, made now where it was not prepared, and forget the old one's key. Raises as `kept_ca`."""
    before = look(state, now)
    folder = _folder(state)
    if before is None:
        return kept_ca(state, now)
    with _writing(folder):
        following = before.next or make_authority(now, LIFE)
        certificate = before.signing.certificate
        replace_whole(folder / f"old-{now:%Y%m%d}-{fingerprint(certificate)[:16]}.pem", before.signing.pem)
        replace_whole(folder / _SIGNING, following.private_pem)  # the new one is whole before the old one's key is gone
        (folder / _NEXT).unlink(missing_ok=True)
    return kept_ca(state, now)


def finish(state: Path, now: datetime) -> tuple[Kept, int]:
    """Have nobody told any more to trust the old ones. Gives how many those were. Raises as `kept_ca`."""
    kept, folder = kept_ca(state, now), _folder(state)
    with _writing(folder):
        for path in _old_files(folder):
            path.unlink(missing_ok=True)
    return kept_ca(state, now), len(kept.old)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"the CA in {folder} can't be changed: {error.strerror or error}") from error


def _folder(state: Path) -> Path:
    return state / "ca"


def _loaded(folder: Path, now: datetime, *, over_is_wrong: bool = True) -> Kept:
    signing = _authority(folder / _SIGNING)
    if over_is_wrong and signing.certificate.not_valid_after_utc <= now:
        over = f"this CA ended on {signing.certificate.not_valid_after_utc:%Y-%m-%d}, make the next one: outgate ca rotate"
        raise ConfigError(Problem(source=str(folder / _SIGNING), message=over))
    ahead = folder / _NEXT
    return Kept(
        signing=signing,
        next=_authority(ahead) if ahead.exists() else None,
        old=tuple(_retired(path) for path in _old_files(folder)),
    )


def _old_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _OLD.fullmatch(path.name))


def _retired(path: Path) -> Old:
    pem, named = path.read_bytes(), _OLD.fullmatch(path.name)
    found = certificates(pem)
    if len(found) != 1 or named is None:
        raise ConfigError(Problem(source=str(path), message="holds no certificate, move it away"))
    since = datetime.strptime(named[1], "%Y%m%d").replace(tzinfo=UTC)
    return Old(certificate=found[0], pem=pem, until=min(since + OVERLAP, found[0].not_valid_after_utc))


def _authority(path: Path) -> Authority:
    pem = read_private(path, "outgate ca rotate")
    try:
        return Authority.from_pem(pem)
    except ValueError as error:
        raise ConfigError(Problem(source=str(path), message=f"{error}, move it away to have a new one made")) from error


def _make_folder(folder: Path) -> None:
    make_folder(Disk(), folder)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
