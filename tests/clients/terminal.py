"""A terminal with a person at it: types, reads, resizes, presses Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TAKE_IT = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
PATIENCE = 30
"""Seconds to wait for what should be said. Only a failing test waits this long."""


class Terminal:
    """A program whose controlling terminal this is. Use as a context manager."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self._side, inner = pty.openpty()
        self.said = ""
        self.resize(24, 80)
        whole = [sys.executable, "-c", _TAKE_IT, *command]
        self._program = subprocess.Popen(
            whole, stdin=inner, stdout=inner, stderr=inner, env=dict(env), cwd=cwd, start_new_session=True
        )
        os.close(inner)

    @property
    def pid(self) -> int:
        return self._program.pid

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._side, text.encode())

    def reads(self, text: str) -> str:
        """Wait until this is said; give what was said since the last time, up to its end."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.said:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{text!r} was not said, but {self.said!r}")
        before, _, self.said = self.said.partition(text)
        return before + text

    def ends(self) -> tuple[int, str]:
        """Wait for the end; give the exit code and the rest of what was said."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline - time.monotonic()):
            pass
        return self._program.wait(PATIENCE), self.said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._side)
        if self._program.poll() is None:
            self._program.kill()
        self._program.wait(PATIENCE)

    def _read(self, patience: float) -> bool:
        if patience <= 0 or not select.select([self._side], [], [], patience)[0]:
            return False
        try:
            piece = os.read(self._side, 65536)
        except OSError:  # EIO: nobody has the other side any more
            return False
        self.said += piece.decode(errors="replace")
        return bool(piece)
