"""The process beside a command: starts it, tells the gate what becomes of it, and ends it when the gate is gone.

In the fence it is the first process of the pid namespace: it also buries orphans, and all die with it.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from outgate.fence.kernel import PR_SET_PDEATHSIG, prctl, read_signals, signal_descriptor
from outgate.fence.wire import Word, receive, send, unpack

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores these for itself; a command that it starts gets them as every command does."""
TEMPORARY = ("TMPDIR", "TMP", "TEMP", "XDG_RUNTIME_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispositions:
    """How signals stood when the gate was started: so they stand for the command."""

    blocked: frozenset[int]
    ignored: frozenset[int]


def dispositions() -> Dispositions:
    """As they stand now in this process."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    ignored = {number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN}
    return Dispositions(blocked=frozenset(map(int, blocked)), ignored=frozenset(map(int, ignored - PYTHONS_OWN)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What the gate says when the command may start. `standard`: descriptors to be 0, 1 and 2; `terminal`: to be taken over."""

    argv: list[str]
    environ: dict[str, str]
    cwd: str
    files: dict[str, bytes]
    standard: tuple[int, int, int]
    terminal: int | None


def keep(end: socket.socket, folder: Path, before: Dispositions, *, fresh: tuple[Path, ...] | None) -> NoReturn:
    """Wait for the release, run the command, report, and leave with it. Never returns, never raises past the process.

    `fresh`: folders that are empty in the fence; None: there is no fence.
    """
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        release = _await_release(end)
        if release is not None:
            if fresh is not None:
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # and with the first process, its whole pid namespace
            _write_files(folder, release.files)
            _make_temporary(release.environ, fresh or ())
            _Watch(end=end, before=before, release=release).run()
    except OSError as error:
        with suppress(OSError):  # nobody is there to be told
            send(end, Word.FAILED, number=error.errno or 1, text=str(error))
    finally:
        os._exit(0)


def _await_release(end: socket.socket) -> Release | None:
    message = receive(end)
    if message is None:
        return None
    packed, *descriptors = message.descriptors
    said: dict[str, Any] = unpack(packed)
    return Release(
        argv=said["argv"],
        environ=said["environ"],
        cwd=said["cwd"],
        files={name: text.encode("latin-1") for name, text in said["files"].items()},
        standard=(descriptors[0], descriptors[1], descriptors[2]),
        terminal=descriptors[3] if len(descriptors) > 3 else None,
    )


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o444)


def _make_temporary(environ: dict[str, str], private: tuple[Path, ...]) -> None:
    """Folders for temporary files that were in /tmp or /run are not in the fresh ones."""
    for name in TEMPORARY:
        path = Path(environ.get(name, ""))
        if any(folder in path.parents for folder in private):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)


@dataclass(slots=True, kw_only=True)
class _Watch:
    end: socket.socket
    before: Dispositions
    release: Release

    def run(self) -> None:
        """Until the command has ended, or the gate."""
        children = signal_descriptor([signal.SIGCHLD])
        command = self._start()
        if command is None:
            return
        waiting = select.poll()
        waiting.register(self.end, select.POLLIN)
        waiting.register(children, select.POLLIN)
        while True:
            for descriptor, _ in waiting.poll():
                if descriptor == children:
                    read_signals(children)
                    if self._reap(command):
                        return
                elif not self._obey(command):
                    return

    def _start(self) -> int | None:
        """Fork and exec. The pipe closes by itself when exec worked; else it says why not."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            self._become(writing)
        os.close(writing)
        for descriptor in (*self.release.standard, *([self.release.terminal] if self.release.terminal is not None else [])):
            os.close(descriptor)
        with os.fdopen(reading, "rb") as pipe:
            failure = pipe.read()
        if failure:
            send(self.end, Word.FAILED, number=int(failure))
            return None
        send(self.end, Word.RUNNING)
        return child

    def _become(self, failure: int) -> NoReturn:
        """In the child: a process group of its own, so that what it signals as its group is never the gate."""
        try:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setpgid(0, 0)
            if self.release.terminal is not None:
                os.tcsetpgrp(self.release.terminal, os.getpgrp())  # SIGTTOU is blocked, as all are
            send(self.end, Word.BORN)
            _take_standard(self.release.standard)
            _close_on_exec()
            os.chdir(self.release.cwd)
            _restore(self.before)
            os.execvpe(self.release.argv[0], self.release.argv, self.release.environ)  # noqa: S606  # no shell is the point
        except OSError as error:
            os.write(failure, str(error.errno or 1).encode())
        finally:
            os._exit(127)

    def _reap(self, command: int) -> bool:
        """Bury the dead, tell of stops. True when the command itself has ended."""
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return False
            if child == 0:
                return False
            if child != command:
                continue
            if os.WIFSTOPPED(status):
                send(self.end, Word.STOPPED, number=os.WSTOPSIG(status))
            else:
                send(self.end, Word.ENDED, number=os.waitstatus_to_exitcode(status))
                return True

    def _obey(self, command: int) -> bool:
        """Pass a signal on; without a gate, end the command's whole group."""
        message = receive(self.end)
        if message is None:
            with suppress(ProcessLookupError):
                os.killpg(command, signal.SIGKILL)
            return False
        whom: Callable[[int, int], None] = os.killpg if message.text == "group" else os.kill
        with suppress(ProcessLookupError):
            whom(command, message.number)
        return True


def _take_standard(standard: tuple[int, int, int]) -> None:
    """Make these 0, 1 and 2. They are above 2 already: the keeper holds its own 0, 1 and 2."""
    for wanted, descriptor in enumerate(standard):
        os.dup2(descriptor, wanted, inheritable=True)


def _close_on_exec() -> None:
    """A descriptor of a folder or a socket is a way out: nothing but 0, 1 and 2 goes in."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # names, not paths
        if int(name) > 2:
            with suppress(OSError):  # the listing's own descriptor is gone by now
                os.set_inheritable(int(name), False)


def _restore(before: Dispositions) -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN if int(number) in before.ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, before.blocked)
