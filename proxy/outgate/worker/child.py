"""The process that reads bodies: bounded in all it may take, with one socket to the gate and nothing else."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from outgate.intake.request import SpooledBody
from outgate.worker.frames import HEAD, Done, Failed, Learn, asked, packed
from outgate.worker.tasks import body_of, done, made_whole

if TYPE_CHECKING:
    from outgate.actions.catalog import Catalog
    from outgate.worker.tasks import Task

MEMORY: Final = 1 << 30
"""Bytes of address space: a body of 64 MiB, what is made of it, and the program itself."""
CPU: Final = 20
"""Seconds that one task may take."""
_FILES: Final = 32
_KINDNESS: Final = 5
"""What is quick has its turn first."""
_LIMITS: Final = (
    (resource.RLIMIT_AS, MEMORY),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NOFILE, _FILES),
)
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38


def main(parent: int) -> None:
    """Do what is asked until the gate is gone. Started with its socket as standard input."""
    confine(parent)
    link, catalog = socket.socket(fileno=0), None
    while (received := receive(link)) is not None:
        frame, descriptor = received
        said = asked(frame)
        if isinstance(said, Learn):
            catalog = said.catalog
            continue
        allow_more()
        _send(link, answer(said, catalog, descriptor))
        if descriptor is not None:
            os.close(descriptor)


def answer(task: Task, catalog: Catalog | None, descriptor: int | None) -> Done | Failed:
    """Do one task. What raises is said by its kind alone: its text may quote a body."""
    try:
        if isinstance(body_of(task), SpooledBody):
            assert descriptor is not None
            task = made_whole(task, descriptor)
        return Done(done(task, catalog))
    except Exception as error:  # noqa: BLE001  # the gate refuses for it, and ends this process
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Failed(f"{type(error).__name__} in {last.name}, line {last.lineno}")


def confine(parent: int) -> None:
    """Take what this process needs and no more. It ends with the gate, however that ends."""
    for limit, most in _LIMITS:
        resource.setrlimit(limit, (most, most))
    os.nice(_KINDNESS)
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text("900")  # where memory runs out, this goes and the gate stays
        libc = ctypes.CDLL(None, use_errno=True)
        for option, value in ((_PR_SET_PDEATHSIG, signal.SIGKILL), (_PR_SET_DUMPABLE, 0), (_PR_SET_NO_NEW_PRIVS, 1)):
            if libc.prctl(option, value, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), f"prctl({option})")
    if os.getppid() != parent:  # it ended before that was asked for
        sys.exit()


def allow_more() -> None:
    """Give one task its time; over it, the kernel ends the process."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU + 1, hard))


def receive(link: socket.socket) -> tuple[bytes, int | None] | None:
    """Wait for a frame, and the file that comes with it, if one does. None: the gate is gone."""
    head, descriptor = b"", None
    while len(head) < HEAD.size:
        data, files, _, _ = socket.recv_fds(link, HEAD.size - len(head), 1)
        if not data:
            return None
        head += data
        descriptor = files[0] if files else descriptor
    frame = bytearray(HEAD.unpack(head)[0])
    rest = memoryview(frame)
    while rest:
        size = link.recv_into(rest)
        if not size:
            return None
        rest = rest[size:]
    return bytes(frame), descriptor


def _send(link: socket.socket, said: Done | Failed) -> None:
    frame = packed(said)
    link.sendall(HEAD.pack(len(frame)) + frame)
