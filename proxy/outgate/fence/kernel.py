"""The few Linux calls that Python does not have: mounts, capabilities, prctl, the session keyring, signalfd."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from signal import Signals

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 32, 4096, 1 << 14, 1 << 18

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_SECUREBITS = 1, 4, 22, 24, 28
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECUREBITS_ALL_LOCKED = 0b1110_1111  # no root magic, no setuid fix-up, no ambient raise, keep-caps off: all of it for good

# System calls newer than 5.1 have one number on every architecture (Linux 5.1, unified system call table).
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_RECURSIVE, _OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = -100, 0x8000, 1, 4
_MOUNT_ATTR_RDONLY = 1
_CAPABILITY_VERSION_3 = 0x20080522
_KEYCTL_JOIN_SESSION_KEYRING = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One architecture's numbers. `audit`: how seccomp names it."""

    audit: int
    numbers: dict[str, int]


_X86_64 = {"ioctl": 16, "socket": 41, "add_key": 248, "request_key": 249, "keyctl": 250, "perf_event_open": 298}
_X86_64 |= {"open_by_handle_at": 304, "bpf": 321, "userfaultfd": 323}
_GENERIC = {"ioctl": 29, "socket": 198, "add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241}
_GENERIC |= {"open_by_handle_at": 265, "bpf": 280, "userfaultfd": 282}
_UNIFIED = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
MACHINES = {
    "x86_64": Machine(audit=0xC000003E, numbers=_X86_64 | _UNIFIED),
    "aarch64": Machine(audit=0xC00000B7, numbers=_GENERIC | _UNIFIED),
    "riscv64": Machine(audit=0xC00000F3, numbers=_GENERIC | _UNIFIED),
}


def machine() -> Machine:
    """Give this machine's numbers. Raises UnavailableError where nobody wrote them down: a filter must not guess."""
    name = platform.machine()
    if name not in MACHINES:
        raise UnavailableError(
            f"no fence on {name}: its system call numbers are not known here, only those of {', '.join(MACHINES)}"
        )
    return MACHINES[name]


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: object) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(what))
    return result


def _syscall(number: int, *args: object, what: object) -> int:
    wide = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _checked(_libc().syscall(ctypes.c_long(number), *wide), what)


def mount(source: str, target: Path | str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount a file system (mount(2))."""
    arguments = (source.encode(), os.fsencode(target), kind.encode() if kind else None)
    _checked(_libc().mount(*arguments, ctypes.c_ulong(flags), data.encode() if data else None), f"mount {target}")


def clone_tree(path: Path | str) -> int:
    """A descriptor of a copy of the mounts at and below `path`, attached nowhere yet (open_tree(2))."""
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC
    return _syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags, what=f"copy the mounts of {path}")


def attach_tree(tree: int, target: Path | str) -> None:
    """Attach what `clone_tree` gave, once, and close it (move_mount(2))."""
    try:
        _syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH, what=f"mount {target}")
    finally:
        os.close(tree)


def bind(source: Path | str, target: Path | str) -> None:
    """Mount one place on another, with all that is mounted below it."""
    attach_tree(clone_tree(source), target)


def make_read_only(path: Path | str) -> None:
    """Make the mount at `path` and all below it read-only; every other flag stays (mount_setattr(2), Linux 5.12)."""
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    arguments = (_AT_FDCWD, os.fsencode(path), _AT_RECURSIVE, attributes, len(attributes))
    _syscall(_MOUNT_SETATTR, *arguments, what=f"make {path} read-only")


def prctl(option: int, value: object = 0, more: object = 0) -> None:
    """Change something of this process (prctl(2))."""
    wide = [ctypes.c_ulong(arg) if isinstance(arg, int) else arg for arg in (value, more, 0, 0)]
    _checked(_libc().prctl(option, *wide), f"prctl {option}")


def leave_keyring() -> None:
    """Start an empty session keyring: the one that was inherited may hold the operator's tickets and tokens."""
    number = machine().numbers["keyctl"]
    _syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, ctypes.c_void_p(None), 0, 0, 0, what="new session keyring")


def drop_capabilities() -> None:
    """Give up every capability and every way to get one back: bounding, ambient and securebits, then the rest."""
    last = int(_read("/proc/sys/kernel/cap_last_cap"))
    for capability in range(last + 1):
        prctl(PR_CAPBSET_DROP, capability)
    prctl(PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    prctl(PR_SET_SECUREBITS, _SECUREBITS_ALL_LOCKED)
    header = struct.pack("=II", _CAPABILITY_VERSION_3, 0)
    _checked(_libc().capset(header, bytes(24)), "capset")
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # a proc file, in a process that is about to be locked in
        return file.read()


SIGNAL_RECORD = 128
"""Bytes of one `struct signalfd_siginfo`; the first four are the signal's number."""


def signal_descriptor(signals: Iterable[Signals]) -> int:
    """A descriptor that tells of these signals, which the caller has blocked (signalfd(2))."""
    width = 8 * ctypes.sizeof(ctypes.c_ulong)
    words = (ctypes.c_ulong * (1024 // width))()
    for signal in signals:
        words[(signal - 1) // width] |= 1 << ((signal - 1) % width)
    return _checked(_libc().signalfd(-1, words, os.O_CLOEXEC | os.O_NONBLOCK), "signalfd")


def read_signals(descriptor: int) -> list[int]:
    """Numbers of the signals that came since."""
    try:
        records = os.read(descriptor, SIGNAL_RECORD * 16)
    except BlockingIOError:
        return []
    return [struct.unpack_from("=I", records, at)[0] for at in range(0, len(records), SIGNAL_RECORD)]
