"""Archives of pinned packages: fetched as the user's own pip and npm are configured, kept, checked, opened, never installed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from write import MiningError

if TYPE_CHECKING:
    from collections.abc import Iterator

type Registry = Literal["pypi", "npm"]

LARGEST = 64 * 1024 * 1024
"""Bytes of one file in an archive. No real one is near."""

_NEWEST = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package as it was mined. An archive with another digest is refused."""

    package: str
    registry: Registry
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An archive on disk, and the pin that it is."""

    pin: Pin
    archive: Path


def cache() -> Path:
    """Give the folder where archives are kept."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "outgate-mined"


def fetch(pin: Pin) -> Fetched:
    """Give the archive of a pinned package. Raises MiningError where it can't be had, or is another one than was pinned."""
    kept = next(iter(sorted(cache().glob(f"{pin.sha256}-*"))), None)
    if kept is not None and _digest(kept) == pin.sha256:
        return Fetched(pin=pin, archive=kept)
    fetched = _download(pin.package, pin.registry, pin.version)
    if fetched.pin.sha256 != pin.sha256:
        raise MiningError(
            f"{pin.registry} gives another {pin.package} {pin.version} than was pinned (sha256 {fetched.pin.sha256}, pinned is "
            f"{pin.sha256}): find out why before you pin anew with --update"
        )
    return fetched


def newest(package: str, registry: Registry) -> Fetched:
    """Give the newest archive of a package, and its pin."""
    return _download(package, registry, _NEWEST)


def members(archive: Path, wanted: str) -> Iterator[tuple[str, bytes]]:
    """Give names and contents of the files of a wheel or a tarball whose names match a regular expression, sorted by name."""
    pattern = re.compile(wanted)
    try:
        yield from sorted(_zipped(archive, pattern) if zipfile.is_zipfile(archive) else _tarred(archive, pattern))
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise MiningError(f"'{archive.name}' can't be opened ({error}), delete it and try again") from error


def member(archive: Path, name: str) -> bytes:
    """Give one file of an archive. Raises MiningError where it is not there: the package looks different now."""
    for _, content in members(archive, re.escape(name)):
        return content
    raise MiningError(f"'{archive.name}' has no file '{name}': the package looks different now, fit its miner")


def _zipped(archive: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if pattern.fullmatch(info.filename) and not info.is_dir():
                yield info.filename, opened.read(_small(info.filename, info.file_size))


def _tarred(archive: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as opened:
        for info in opened:
            if info.isfile() and pattern.fullmatch(info.name):
                content = opened.extractfile(_checked(info))
                assert content is not None
                yield info.name, content.read()


def _checked(info: tarfile.TarInfo) -> tarfile.TarInfo:
    _small(info.name, info.size)
    return info


def _small(name: str, size: int) -> str:
    if size > LARGEST:
        raise MiningError(f"'{name}' has {size} bytes, more than {LARGEST}: fit LARGEST if that is right")
    return name


def _download(package: str, registry: Registry, version: str) -> Fetched:
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        into = Path(folder)
        _run(_pip(package, version, into) if registry == "pypi" else _npm(package, version, into), package)
        files = [path for path in into.iterdir() if path.suffix in {".whl", ".tgz"}]
        if len(files) != 1:
            raise MiningError(f"no one archive of '{package}' came from {registry}: is its name right?")
        digest = _digest(files[0])
        kept = files[0].rename(cache() / f"{digest}-{files[0].name}")
    said = _version(kept, registry)
    return Fetched(pin=Pin(package=package, registry=registry, version=said, sha256=digest), archive=kept)


def _pip(package: str, version: str, into: Path) -> list[str]:
    """Wheels alone: pip runs the code of a source archive to learn what it is."""
    wanted = package if version == _NEWEST else f"{package}=={version}"
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet", "--dest", str(into)]
    return [*_python_with_pip(), "download", *options, wanted]


def _python_with_pip() -> list[str]:
    for python in (sys.executable, shutil.which("python3"), shutil.which("python")):
        if python and subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return [python, "-m", "pip"]
    raise MiningError("no Python here has pip, install it")


def _npm(package: str, version: str, into: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise MiningError("npm is not here, install Node.js")
    wanted = package if version == _NEWEST else f"{package}@{version}"
    return [npm, "pack", wanted, "--ignore-scripts", "--silent", "--pack-destination", str(into)]


def _run(command: list[str], package: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise MiningError(f"'{package}' could not be fetched: {last}")


def _version(archive: Path, registry: Registry) -> str:
    if registry == "npm":
        return str(json.loads(member(archive, "package/package.json"))["version"])
    return archive.name.split("-")[2]  # digest-name-version-…: a wheel's name has no other hyphens (PEP 427)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
