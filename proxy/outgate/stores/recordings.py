"""What is recorded for the sandbox: which services, until when, and the files that come of it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.disk import Disk, make_folder, replace_whole
from outgate.errors import ConfigError, UnavailableError
from outgate.stores.described_files import read_document
from outgate.stores.entries import alone_with
from outgate.stores.texts import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FILE = "recording.json"
_LARGEST_SWITCH = 64 * 2**10
_OTHERS_WRITE = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is being recorded, and where to."""

    services: frozenset[str]
    folder: Path
    until: datetime

    def covers(self, service: str, now: datetime) -> bool:
        """Whether answers of this service are kept now."""
        return service in self.services and now < self.until


class RecordingSwitch:
    """`<state>/recording.json`, which people throw with a command and every gate of the state folder looks at."""

    def __init__(self, state: Path) -> None:
        self.path = state / FILE

    def current(self) -> Recording | None:
        """What is being recorded; None where nothing is, or where the file can't be relied on: then nothing is kept."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in {0, os.geteuid()} or found.st_mode & _OTHERS_WRITE:
                return None
            return _read(file.read(_LARGEST_SWITCH))

    def start(self, recording: Recording) -> None:
        """Begin. Raises UnavailableError."""
        said = {
            "services": sorted(recording.services),
            "folder": str(recording.folder.absolute()),
            "until": recording.until.isoformat(),
        }
        write_private(self.path, json.dumps(said))

    def stop(self) -> bool:
        """End it. False: nothing was recorded. Raises UnavailableError."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnavailableError(f"{self.path} can't be removed: {error.strerror or error}") from error
        return True


def answers_in(path: Path) -> list[dict[str, Any]]:
    """The answers that a file of recordings has; none where it is not there. Raises ConfigError."""
    if not path.exists():
        return []
    value = read_document(path).value
    answers = value.get("answers") if isinstance(value, dict) else None
    if not isinstance(answers, list) or not all(isinstance(one, dict) for one in answers):
        raise ConfigError(f"{path} is no file of canned answers, move it away")
    return answers


def keep(path: Path, text: Callable[[list[dict[str, Any]]], str]) -> None:
    """Write the file anew from what it has, alone with it. Raises ConfigError and UnavailableError; then it is as it was."""
    with alone_with(path):
        made = text(answers_in(path))
        if len(made.encode()) > LARGEST:
            raise UnavailableError(f"{path} is full, move it away to go on recording")
        write_private(path, made)


def write_private(path: Path, text: str) -> None:
    """Put a text into a file that its owner alone can read, whole or not at all. Raises UnavailableError."""
    try:
        make_folder(Disk(), path.parent)
        replace_whole(path, text.encode())
    except OSError as error:
        raise UnavailableError(f"{path} can't be written: {error.strerror or error}") from error


def _read(content: bytes) -> Recording | None:
    try:
        said = json.loads(content)
        until = datetime.fromisoformat(said["until"])
        services = frozenset(map(str, said["services"]))
        folder = Path(said["folder"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Recording(services=services, folder=folder, until=until) if until.tzinfo and folder.is_absolute() else None
