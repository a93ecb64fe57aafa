"""What a supervisor is told of a server's life: systemd's readiness protocol, where there is one that listens."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READY = "READY=1"
STOPPING = "STOPPING=1"


def tell(environ: Mapping[str, str], state: str) -> None:
    """Tell the supervisor (sd_notify(3)), if one asked to be told. It never holds up what it is about."""
    place = environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as said:
        said.connect("\0" + place[1:] if place.startswith("@") else place)  # an @ stands for an abstract address (unix(7))
        said.send(state.encode("ascii"))
