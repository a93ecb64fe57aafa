"""What a fenced program may not ask of the kernel (seccomp(2)): the ways out that no namespace closes."""

from __future__ import annotations

import ctypes
import errno
from typing import TYPE_CHECKING

from outgate.fence.bpf import AT_LEAST, EQUAL, LOAD_WORD, RETURN, Line, assemble
from outgate.fence.kernel import PR_SET_SECCOMP, machine, prctl

if TYPE_CHECKING:
    from outgate.fence.kernel import Machine

ALLOWED_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. AF_VSOCK talks to the hypervisor's host and knows no network namespace."""
PUSHED_INPUT = (0x5412, 0x541C, 0x4B47, 0x4B49, 0x4B4B, 0x4BFB)
"""TIOCSTI and TIOCLINUX type into the operator's own terminal; KDSKBENT, KDSKBSENT, KDSKBDIACR and KDSKBDIACRUC change, on a
console without windows, what its keys type."""
NOT_SERVED = ("io_uring_setup", "io_uring_enter", "io_uring_register")
"""Makes sockets behind a filter's back. Programs fall back when the kernel seems not to have it."""
NOT_PERMITTED = ("add_key", "request_key", "keyctl", "bpf", "perf_event_open", "userfaultfd", "open_by_handle_at")
"""Keys are shared by all who have the uid; the rest opens files past their path, or is what exploits start from."""

_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # every machine that is known is little-endian
_X32 = 0x40000000
_SECCOMP_MODE_FILTER = 2


def program(of: Machine) -> bytes:
    """Lay out the filter. A system call of another architecture's table ends the process: its numbers mean other things.

    Arguments are compared by their low 32 bits, which is how the kernel reads an `int`.
    """
    numbers = of.numbers
    refused = {errno.ENOSYS: NOT_SERVED, errno.EPERM: NOT_PERMITTED}
    return assemble(
        Line(LOAD_WORD, _ARCHITECTURE),
        Line(EQUAL, of.audit, no="kill"),
        Line(LOAD_WORD, _NUMBER),
        Line(AT_LEAST, _X32, yes=_label(errno.ENOSYS)),
        *(Line(EQUAL, numbers[name], yes=_label(error)) for error, names in refused.items() for name in names),
        Line(EQUAL, numbers["socket"], yes="socket"),
        Line(EQUAL, numbers["ioctl"], yes="ioctl", no="allow"),
        "socket",
        Line(LOAD_WORD, _FIRST_ARGUMENT),
        *(Line(EQUAL, family, yes="allow") for family in ALLOWED_FAMILIES),
        Line(RETURN, _REFUSE | errno.EAFNOSUPPORT),
        "ioctl",
        Line(LOAD_WORD, _SECOND_ARGUMENT),
        *(Line(EQUAL, request, yes=_label(errno.EPERM)) for request in PUSHED_INPUT),
        "allow",
        Line(RETURN, _ALLOW),
        *(part for error in refused for part in (_label(error), Line(RETURN, _REFUSE | error))),
        "kill",
        Line(RETURN, _KILL),
    )


def _label(error: int) -> str:
    return errno.errorcode[error]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def install() -> None:
    """Bind this process and all that come from it. Needs no_new_privs; can't be undone."""
    steps = program(machine())
    held = ctypes.create_string_buffer(steps, len(steps))
    filter_ = _Program(len(steps) // 8, ctypes.cast(held, ctypes.c_void_p))
    prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_))
