"""The same without a fence: the command is asked to come through the gate, and can go around it."""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from outgate.fence.command import Command
from outgate.fence.crossing import BACKLOG
from outgate.fence.keeper import dispositions, keep
from outgate.fence.kernel import PR_SET_DUMPABLE, prctl
from outgate.fence.wire import channel


@dataclass(slots=True, kw_only=True)
class Unfenced(Command):
    """A command that runs as the same user, in the same place. Its files are in a folder that is removed afterwards."""

    _folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    @classmethod
    def build(cls) -> Self:
        """Call before there are threads: it forks. This process can't be traced or read by others of its user afterwards."""
        folder = tempfile.TemporaryDirectory(prefix="outgate-")
        before = dispositions()
        ours, theirs = channel()
        keeper = os.fork()
        if keeper == 0:
            ours.close()
            keep(theirs, Path(folder.name), before, fresh=None)
        theirs.close()
        prctl(PR_SET_DUMPABLE, 0)
        return cls(
            listener=_listen(),
            directs={},
            watch=None,
            folder=Path(folder.name),
            fenced=False,
            _end=ours,
            _keeper=keeper,
            _folder=folder,
        )

    def close(self) -> None:
        Command.close(self)  # super() looks for the class that this was before it got slots
        self._folder.cleanup()


def _listen() -> socket.socket:
    """On a free port of this host's loopback: anybody here can come, and is taken for the agent."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    return listener
