"""Messages between the gate and the process that keeps the command: small JSON, descriptors beside it."""

from __future__ import annotations

import json
import os
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MOST = 65536
MOST_DESCRIPTORS = 250
"""In one message; the kernel's own bound is 253 (unix(7))."""
_CREDENTIALS = struct.Struct("=iII")


class Word(StrEnum):
    """What a message is about. From the keeper: all but RELEASE and SIGNAL."""

    NETWORK = "network"
    READY = "ready"
    FAILED = "failed"
    RELEASE = "release"
    BORN = "born"
    RUNNING = "running"
    STOPPED = "stopped"
    SIGNAL = "signal"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`pid` is the sender's, as the kernel vouches for it and as the receiver's pid namespace counts."""

    word: Word
    number: int = 0
    text: str = ""
    pid: int = 0
    descriptors: tuple[int, ...] = ()


def channel() -> tuple[socket.socket, socket.socket]:
    """Make both ends: whole messages, in order; the first tells who sent each."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def send(end: socket.socket, word: Word, *, number: int = 0, text: str = "", descriptors: tuple[int, ...] = ()) -> None:
    """Send one message. Raises OSError when nobody is there any more."""
    body = json.dumps({"word": word, "number": number, "text": text}).encode()
    socket.send_fds(end, [body], list(descriptors))


def receive(end: socket.socket, most: int = MOST_DESCRIPTORS) -> Message | None:
    """Wait for one message; None when the other end is closed. Descriptors come closed on exec."""
    space = socket.CMSG_SPACE(4 * most) + socket.CMSG_SPACE(_CREDENTIALS.size)
    body, ancillary, _, _ = end.recvmsg(MOST, space, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    pid = 0
    for _, kind, data in ancillary:
        if kind == socket.SCM_RIGHTS:
            descriptors += struct.unpack(f"={len(data) // 4}i", data[: len(data) // 4 * 4])
        elif kind == socket.SCM_CREDENTIALS:
            pid = _CREDENTIALS.unpack_from(data)[0]
    if not body:
        return None
    said = json.loads(body)
    return Message(word=Word(said["word"]), number=said["number"], text=said["text"], pid=pid, descriptors=tuple(descriptors))


def pack(what: dict[str, Any]) -> int:
    """Put something large where it can be handed over: a descriptor of its JSON, in memory."""
    held = os.memfd_create("outgate", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(held), "wb") as file:
        file.write(json.dumps(what).encode())
    os.lseek(held, 0, os.SEEK_SET)
    return held


def unpack(held: int) -> Any:
    """What `pack` put there; closes it."""
    with os.fdopen(held, "rb") as file:
        return json.loads(file.read())
