"""The fence: a command in namespaces of its own, with the gate as the only way out."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from outgate.errors import UnavailableError
from outgate.fence import seccomp
from outgate.fence.command import Command
from outgate.fence.crossing import Crossing
from outgate.fence.keeper import Dispositions, dispositions, keep
from outgate.fence.kernel import (
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    drop_capabilities,
    leave_keyring,
    machine,
    prctl,
)
from outgate.fence.mounts import mount_all, mount_proc
from outgate.fence.network import lay_network
from outgate.fence.plan import FOLDER, PORT, lay_out
from outgate.fence.sockets import find_sockets
from outgate.fence.startup import Mark, mark, sweep
from outgate.fence.watch import Watch
from outgate.fence.wire import Message, Word, channel, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from outgate.fence.network import Network
    from outgate.fence.plan import FencePlan, Layout
    from outgate.fence.startup import Planted

OUTER = os.CLONE_NEWUSER | os.CLONE_NEWNS | os.CLONE_NEWNET | os.CLONE_NEWPID
OUTER |= os.CLONE_NEWIPC | os.CLONE_NEWUTS | os.CLONE_NEWCGROUP
INNER = os.CLONE_NEWUSER | os.CLONE_NEWNS
"""A second level: mounts that come from a more privileged namespace are locked in it (mount_namespaces(7))."""


@dataclass(slots=True, kw_only=True)
class Fence(Command):
    """A command that can reach the gate and nothing else. `searched`: all folders were searched for sockets to the end."""

    searched: bool = True
    _marks: tuple[Mark, ...] = field(default=())

    @classmethod
    def build(cls, plan: FencePlan) -> Self:
        """Build it around nothing yet. Call before there are threads: it forks.

        Raises UnavailableError with one sentence where it can't be built, ConfigError for a plan that can't be.
        This process can't be traced or read by others of its user from here on.
        """
        machine()
        table = Path("/proc/net/unix").read_text(encoding="utf-8", errors="surrogateescape")
        layout = lay_out(plan, lambda roots: find_sockets(roots, table), uid=os.getuid())
        before, marks = dispositions(), mark(layout.guarded)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        ours, theirs = channel()
        builder = os.fork()
        if builder == 0:
            ours.close()
            _build(theirs, plan, layout, before)
        theirs.close()
        prctl(PR_SET_DUMPABLE, 0)
        network, ready = _await_ready(ours, builder)
        sockets = [socket.socket(fileno=fd) for fd in network.descriptors]
        told = json.loads(network.text)
        return cls(
            listener=sockets.pop(0),
            watch=Watch(_socket=sockets.pop(0), _keeper=ready.pid),
            names=tuple(sockets.pop(0) for _ in range(told["names"])),
            turned={port: tuple(sockets.pop(0) for _ in range(many)) for port, many in told["turned"]},
            directs={port: tuple(sockets.pop(0) for _ in range(many)) for port, many in told["directs"]},
            unturned=told["unturned"],
            folder=FOLDER,
            fenced=True,
            searched=layout.searched,
            _end=ours,
            _keeper=ready.pid,
            _marks=marks,
        )

    def planted(self) -> tuple[Planted, ...]:
        return sweep(self._marks)


def _await_ready(ours: socket.socket, builder: int) -> tuple[Message, Message]:
    messages: list[Message] = []
    while len(messages) < 2:
        message = receive(ours)
        if message is None or message.word is Word.FAILED:
            os.waitpid(builder, 0)
            ours.close()
            raise UnavailableError(f"no fence: {message.text if message else 'its builder ended without a word'}")
        messages.append(message)
    os.waitpid(builder, 0)  # its only child is ours from here on
    return messages[0], messages[1]


def _build(end: socket.socket, plan: FencePlan, layout: Layout, before: Dispositions) -> NoReturn:
    """In the forked child: everything that needs the new namespace's capabilities. Leaves the keeper behind."""
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        uid, gid = os.getuid(), os.getgid()
        prctl(PR_SET_DUMPABLE, 1)  # else /proc/self belongs to root, and the maps can't be written
        _doing(end, "user namespaces are denied here", lambda: _enter(OUTER, uid, gid))
        network = _doing(end, "its network can't be laid", lambda: lay_network(PORT, plan.direct, plan.turned))
        named = isinstance(network.crossing, Crossing)
        _doing(end, "its file system can't be arranged", lambda: mount_all(layout, uid=uid, named=named))
        _hand_over(end, network)
        if os.fork() == 0:
            _begin(end, before, layout, uid, gid)
    finally:  # a forked child never runs on as its parent would
        if (error := sys.exception()) is not None:
            sys.excepthook(type(error), error, error.__traceback__)
        os._exit(0)


def _hand_over(end: socket.socket, network: Network) -> None:
    """Give the gate its sockets in there, and keep none."""
    crossing = network.crossing if isinstance(network.crossing, Crossing) else None
    turned = crossing.turned if crossing else {}
    names = crossing.names if crossing else ()
    tables = [turned, network.directs]
    listeners = [network.listener, network.watch, *names, *(one for t in tables for both in t.values() for one in both)]
    told = {
        "names": len(names),
        "turned": [(port, len(both)) for port, both in turned.items()],
        "directs": [(port, len(both)) for port, both in network.directs.items()],
        "unturned": network.crossing if isinstance(network.crossing, str) else "",
    }
    send(end, Word.NETWORK, text=json.dumps(told), descriptors=tuple(one.fileno() for one in listeners))
    for one in listeners:
        one.close()


def _begin(end: socket.socket, before: Dispositions, layout: Layout, uid: int, gid: int) -> NoReturn:
    """The first process of the pid namespace: locks itself in, then keeps."""
    _doing(end, "its /proc can't be mounted", lambda: mount_proc(uid=uid))
    _doing(end, "a second user namespace is denied here", lambda: _enter(INNER, uid, gid))
    _doing(end, "its keyring can't be left", leave_keyring)
    _doing(end, "its capabilities can't be dropped", drop_capabilities)
    _doing(end, "its system call filter can't be installed", seccomp.install)
    prctl(PR_SET_DUMPABLE, 0)
    os.chdir("/")
    send(end, Word.READY)
    keep(end, FOLDER, before, fresh=layout.private)


def _enter(namespaces: int, uid: int, gid: int) -> None:
    os.unshare(namespaces)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", name).write_text(text, encoding="utf-8")


def _doing[T](end: socket.socket, failure: str, step: Callable[[], T]) -> T:
    """Take one step; one that fails ends the process after saying why."""
    try:
        return step()
    except OSError as error:
        what = f" ({error.filename})" if error.filename else ""
        send(end, Word.FAILED, text=f"{failure}: {(error.strerror or str(error)).lower()}{what}{_hint()}")
        os._exit(0)


def _hint() -> str:
    """The switches that distributions have for this, where one is off."""
    for path, off, remedy in (
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "set it to 0, or give this Python an AppArmor profile with 'userns'",
        ),
        ("kernel/unprivileged_userns_clone", "0", "set it to 1"),
        ("user/max_user_namespaces", "0", "raise it"),
    ):
        with suppress(OSError):
            if Path("/proc/sys", path).read_text(encoding="utf-8").strip() == off:
                return f"; sysctl {path.replace('/', '.')} is {off}, {remedy}"
    return ""
