"""A command beside the gate: let go, waited for, signalled; the terminal is its own while it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from outgate.errors import ConfigError, UnavailableError
from outgate.fence.wire import Word, pack, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from outgate.fence.startup import Planted
    from outgate.fence.watch import Watch

    type Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Meant for the command when they come to the gate: what is typed goes to the command's own group, not to ours."""
HELD = (*PASSED_ON, signal.SIGTSTP, signal.SIGCONT)
STANDARD = ("standard input", "standard output", "standard error")


@dataclass(slots=True, kw_only=True)
class Command:
    """One command, before, during and after. Made by `Fence.build` or `Unfenced.build`; `run` knows no difference.

    `listener`: serve the gate on it. `directs`: by port, listeners to relay to this host's loopback. `watch`: attempts to
    go around, where they can be seen. `folder`: where the files given to `release` will be, as the command sees it.

    `turned`: by port, listeners to which the command's own connections are turned. `names`: where it asks for names (UDP, TCP).
    `unturned`: why there are none, where they were wanted.
    """

    listener: socket.socket
    directs: Mapping[int, tuple[socket.socket, ...]]
    watch: Watch | None
    folder: Path
    fenced: bool
    turned: Mapping[int, tuple[socket.socket, ...]] = field(default_factory=dict)
    names: tuple[socket.socket, ...] = ()
    unturned: str = ""
    pid: int = 0
    """The command's own, as this process counts; 0 before it is released."""
    _end: socket.socket
    _keeper: int
    _terminal: Terminal | None = None
    _signals: Signals | None = None
    _code: int | None = None

    def release(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        files: Mapping[str, bytes],
        cwd: Path,
        standard: tuple[int, int, int] = (0, 1, 2),
    ) -> None:
        """Start the command, with these files in `folder`. Once. Returns when it runs.

        Raises ConfigError for a command that can't be started, UnavailableError for descriptors that lead out.
        """
        _check_standard(standard) if self.fenced else None
        self._terminal = Terminal.own()
        packed = pack(
            {
                "argv": list(argv),
                "environ": dict(environ),
                "cwd": str(cwd),
                "files": {name: content.decode("latin-1") for name, content in files.items()},
            }
        )
        terminal = (self._terminal.descriptor,) if self._terminal and self._terminal.is_ours() else ()
        self._signals = Signals.hear()
        try:
            send(self._end, Word.RELEASE, descriptors=(packed, *standard, *terminal))
            self._await_running(argv[0])
        except BaseException:
            self.close()
            raise
        finally:
            os.close(packed)

    async def wait(self) -> int:
        """Until everything of the command is gone. Gives its exit code, or 128 + the signal that ended it.

        Signals that come to this process meanwhile go to the command; when it is stopped, so is this process's group.
        Sockets stay open: read `watch` once more for what came last.
        """
        if self._signals is None:
            raise UnavailableError("the command was not released, or has ended before")
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[int] = loop.create_future()
        heard = self._signals.descriptor
        loop.add_reader(self._end, self._heard, ended)
        loop.add_reader(heard, self._signalled, self._signals)
        try:
            code = await ended
            await self._buried(loop)
        finally:
            loop.remove_reader(self._end)
            loop.remove_reader(heard)
            self._finish()
        return code

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send the command a signal; `group`: all of its process group. Nothing happens if it has ended."""
        with suppress(OSError):  # the keeper has gone, and the command before it
            send(self._end, Word.SIGNAL, number=number, text="group" if group else "")

    def close(self) -> None:
        """End whatever still runs, at once, and close every socket. Harmless when done before."""
        self._finish()
        self.listener.close()
        for listener in (one for both in (*self.directs.values(), *self.turned.values(), self.names) for one in both):
            listener.close()
        if self.watch:
            self.watch.close()

    def _finish(self) -> None:
        """End the command; give terminal and signals back."""
        self._end.close()
        if self._terminal:
            self._terminal.take_back()
            self._terminal.close()
            self._terminal = None
        self._bury()
        if self._signals:
            self._signals.give_back()
            self._signals = None

    def planted(self) -> tuple[Planted, ...]:
        """Afterwards: what the command put where it would have run outside, now moved away. Raises OSError."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _await_running(self, name: str) -> None:
        while True:
            message = receive(self._end)
            if message is None:
                raise UnavailableError("the command's keeper ended before the command could start")
            match message.word:
                case Word.BORN:
                    self.pid = message.pid
                case Word.RUNNING:
                    return
                case Word.FAILED if message.text:
                    raise UnavailableError(f"the command could not be prepared: {message.text.lower()}")
                case Word.FAILED:
                    raise ConfigError(_why_not(name, message.number))
                case _:
                    raise UnavailableError(f"the command's keeper said '{message.word}' too early")

    def _heard(self, ended: asyncio.Future[int]) -> None:
        message = receive(self._end)
        if ended.done():
            return
        if message is None:
            ended.set_result(128 + signal.SIGKILL)  # somebody killed the keeper, and with it the command
        elif message.word is Word.ENDED:
            ended.set_result(message.number if message.number >= 0 else 128 - message.number)
        elif message.word is Word.STOPPED and self._terminal and _is_stopped(self.pid):
            self._stop_too(self._terminal)

    def _stop_too(self, terminal: Terminal) -> None:
        """Stop as the command has, so that the shell sees its job stopped; go on together.

        SIGTSTP at its default: in an orphaned group, which no shell could wake again, it does nothing (POSIX, 2.4.3).
        """
        was_foreground = not terminal.is_ours()
        terminal.take_back()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self._go_on(terminal, foreground=was_foreground)

    def _go_on(self, terminal: Terminal, *, foreground: bool) -> None:
        if foreground or terminal.is_ours():
            terminal.give(self.pid)
        self.signal(signal.SIGCONT, group=True)

    def _signalled(self, signals: Signals) -> None:
        for number in signals.read():
            if number == signal.SIGCONT:
                if _is_stopped(self.pid):
                    self._go_on(self._terminal, foreground=False) if self._terminal else self.signal(number)
            else:
                self.signal(number)

    async def _buried(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for the keeper, and with it in the fence for every process of the namespace."""
        gone = asyncio.Event()
        descriptor = os.pidfd_open(self._keeper)
        loop.add_reader(descriptor, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def _bury(self) -> None:
        if self._keeper:
            with suppress(ChildProcessError):
                os.waitpid(self._keeper, 0)
            self._keeper = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What came to this process instead of ending it.

    By handlers and not by a mask: a mask holds in one thread, and what it holds off the kernel gives to another.
    """

    descriptor: int
    _before: Mapping[signal.Signals, Handler]
    _woken: int

    @classmethod
    def hear(cls) -> Self:
        """From here on. In the main thread."""
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        return cls(descriptor=reading, _before={number: signal.signal(number, _noted) for number in HELD}, _woken=woken)

    def read(self) -> list[int]:
        """Their numbers, since the last time."""
        try:
            return [number for number in os.read(self.descriptor, 4096) if number in HELD]
        except BlockingIOError:
            return []

    def give_back(self) -> None:
        """As it was before."""
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        os.close(signal.set_wakeup_fd(self._woken))
        os.close(self.descriptor)


def _noted(number: int, _: FrameType | None) -> None:
    """Python has written the number to the descriptor before it comes here."""


@dataclass(slots=True, kw_only=True)
class Terminal:
    """The controlling terminal, and who is in its foreground."""

    descriptor: int
    _began_in_front: bool

    @classmethod
    def own(cls) -> Terminal | None:
        """None where there is no controlling terminal (CI, a service)."""
        try:
            descriptor = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            return None
        return cls(descriptor=descriptor, _began_in_front=os.tcgetpgrp(descriptor) == os.getpgrp())

    def is_ours(self) -> bool:
        """Whether our own process group is in front."""
        with suppress(OSError):
            return os.tcgetpgrp(self.descriptor) == os.getpgrp()
        return False

    def give(self, group: int) -> None:
        """Put a process group in front."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            with suppress(OSError):  # the terminal hung up, or the group has ended: both are told by other ways
                os.tcsetpgrp(self.descriptor, group)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def close(self) -> None:
        """Forget it."""
        os.close(self.descriptor)

    def take_back(self) -> None:
        """Put our own group in front again, if it was when we began."""
        if self._began_in_front:
            self.give(os.getpgrp())


def _is_stopped(pid: int) -> bool:
    """Whether it is stopped now: the news of a stop may be older than what woke it."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[0] in {b"T", b"t"}
    except OSError:
        return False


def _why_not(name: str, number: int) -> str:
    if number == 2:
        return f"there is no command '{name}', check its spelling and PATH"
    return f"the command '{name}' can't be started: {os.strerror(number).lower()}"


def _check_standard(standard: tuple[int, int, int]) -> None:
    """Refuse what leads out of the fence: a folder, into the file system as it was; a socket, into the network as it was."""
    for name, descriptor in zip(STANDARD, standard, strict=True):
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode) or stat.S_ISBLK(mode):
            raise UnavailableError(f"{name} is a folder or a disk, which leads out of the fence: redirect it to a file")
        if stat.S_ISSOCK(mode) and not _is_stream_pair(descriptor):
            raise UnavailableError(f"{name} is a network socket, which leads out of the fence: put a pipe between (… | cat)")


def _is_stream_pair(descriptor: int) -> bool:
    """A connected Unix stream can't be connected anywhere else."""
    with socket.socket(fileno=os.dup(descriptor)) as one:
        kinds = {socket.SOCK_STREAM, socket.SOCK_SEQPACKET}
        return one.family == socket.AF_UNIX and one.type in kinds and not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
