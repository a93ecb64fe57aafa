"""The switch on disk: who is halted, in one small file that every gate of a state folder reads and people can throw."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.disk import Disk, make_folder, replace_whole
from outgate.errors import ConfigError, EvidenceError, UnavailableError
from outgate.halt import MOST_BYTES, Halt, Halts, Scope, read, written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from outgate.intake.agents import Agent

FILE = "halts.json"
LOCK = "halts.lock"
PATIENCE = 2.0
"""Seconds that one who throws the switch waits for another one who does."""
_POLL = 0.01
_OTHERS_WRITE = 0o022

UNTOLD = Halts((Halt(scope=Scope.ALL, why="the switch can't be read, and what can't be told is halted"),))
"""What holds where nobody can say what does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What throwing the switch came to. `aside` is where a file was put that could not be read; None where it could."""

    halts: Halts
    changed: bool
    aside: Path | None = None


class SwitchFile:
    """ports.Switch, kept in `<state>/halts.json`. Whoever watches calls `refresh`; in between nothing is asked.

    No file: nothing is halted. A file that can't be relied on (unreadable, of another form, a link, somebody else's, open for
    others to write, gone though something was halted): what was known last holds on, and where nothing is known, everything
    is halted. `problem` then says what is wrong and what to do; else it is empty.
    """

    def __init__(self, state: Path, *, disk: Disk | None = None) -> None:
        """Know nothing yet: everything is halted until `refresh` was called."""
        self.path = state / FILE
        self.problem = ""
        self._disk = disk or Disk()
        self._known: Halts | None = None
        self._content: bytes | None = None

    @classmethod
    def open(cls, state: Path) -> SwitchFile:
        """Read what holds now. Never raises: see the class."""
        switch = cls(state)
        switch.refresh()
        return switch

    @property
    def halts(self) -> Halts:
        """Everything that is halted."""
        return UNTOLD if self._known is None else self._known

    def halted(self, agent: Agent, services: Collection[str] = ()) -> Halt | None:
        return self.halts.covering(agent, services)

    def refresh(self) -> tuple[tuple[Halt, ...], tuple[Halt, ...]]:
        """Read the file: what is halted since the last time, and what no longer is. Never raises.

        It is read each time, which takes as long as asking whether it changed, and can't miss a change within one tick.
        """
        before = self.halts
        try:
            self._take(_content(self.path))
        except FileNotFoundError:
            self._take_none()
        except OSError as error:
            self.problem = self._untold("it is a link" if error.errno == errno.ELOOP else error.strerror or str(error))
        except EvidenceError as error:
            self.problem = self._untold(str(error))
        after = self.halts
        return after.beyond(before).halts, before.beyond(after).halts

    def halt(self, halt: Halt) -> Turned:
        """Halt; durable when it returns. What is halted already stays as it is. Raises UnavailableError.

        Where the file can't be relied on, everything is halted besides: what it said before is not known.
        """
        with self._locked():
            self.refresh()
            if self.problem:
                everything = Halt(scope=Scope.ALL, why=UNTOLD.halts[0].why, by=halt.by, at=halt.at)
                return self._replaced(Halts((everything,)).adding(halt))
            return self._turned(self.halts.adding(halt))

    def resume(self, scope: Scope, name: str = "") -> Turned:
        """Lift the halt for exactly this; durable when it returns. Raises UnavailableError.

        Where the file can't be relied on, everything can be resumed, and nothing less. Raises ConfigError.
        """
        with self._locked():
            self.refresh()
            if not self.problem:
                return self._turned(self.halts.without(scope, name))
            if scope is not Scope.ALL:
                raise ConfigError(self.problem)
            return self._replaced(Halts())

    # reading

    def _take(self, content: bytes) -> None:
        if self.problem or content != self._content:
            self._known, self._content, self.problem = read(content), content, ""

    def _take_none(self) -> None:
        """No file: nothing was ever halted. Or somebody took it away, which is not how one resumes."""
        if self._known is not None and self._known.halts:
            self.problem = self._untold("it is gone")
        else:
            self._known, self._content, self.problem = Halts(), None, ""

    def _untold(self, why: str) -> str:
        held = "everything is halted" if self._known is None else "what was halted stays halted"
        return f"{self.path} can't be relied on ({why}), so {held}: put it right, or begin anew with `outgate resume --all`"

    # writing

    def _turned(self, halts: Halts) -> Turned:
        """Also where nothing changes but there is no file yet: gates that knew of one then see that it says so."""
        changed = halts != self.halts
        if changed or self._content is None:
            self._write(halts)
        return Turned(halts=halts, changed=changed)

    def _replaced(self, halts: Halts) -> Turned:
        aside = self.path.with_name(f"{FILE}.{secrets.token_hex(4)}.aside")
        try:
            there = _put_aside(self.path, aside)
        except OSError as error:
            raise self._failed(error) from error
        self._write(halts)
        return Turned(halts=halts, changed=True, aside=aside if there else None)

    def _write(self, halts: Halts) -> None:
        content = written(halts)
        if len(content) > MOST_BYTES:
            raise UnavailableError(f"{self.path} is full, halt all or a team instead of single agents")
        try:
            replace_whole(self.path, content, disk=self._disk)
        except OSError as error:
            raise self._failed(error) from error
        self._known, self._content, self.problem = halts, content, ""

    def _failed(self, error: OSError) -> UnavailableError:
        return UnavailableError(
            f"the switch {self.path} can't be written ({error.strerror or error}): `outgate status` says whether it holds; "
            "ending the gate's process halts everything"
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time: each reads what the one before wrote."""
        path = self.path.with_name(LOCK)
        try:
            make_folder(self._disk, path.parent)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        try:
            _wait_for(fd, path)
            yield
        finally:
            os.close(fd)


def _content(path: Path) -> bytes:
    """Read a file if it is one that only its owner, we, or root can have written. Raises OSError, EvidenceError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would hold us up
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise EvidenceError("it is no plain file")
        if found.st_uid not in {0, os.geteuid(), path.parent.stat().st_uid}:
            raise EvidenceError(f"it belongs to somebody else, user {found.st_uid}")
        if found.st_mode & _OTHERS_WRITE:
            raise EvidenceError(f"others may write it, mode {stat.S_IMODE(found.st_mode):o}")
        return file.read(MOST_BYTES + 1)


def _put_aside(path: Path, aside: Path) -> bool:
    """Under another name as well, so that there is no moment without a file; moved, where that can't be done.

    Gives whether there was anything.
    """
    try:
        os.link(path, aside, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError:  # a folder, or somebody else's
        path.rename(aside)
    return True


def _wait_for(fd: int, path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise UnavailableError(
                    f"another process is throwing the switch and does not end, look who holds {path}"
                ) from error
            time.sleep(_POLL)
        else:
            return
