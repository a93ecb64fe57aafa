"""Ports for tests that must name one before somebody listens there."""

from __future__ import annotations

import contextlib
import random
import socket


def free_port() -> int:
    """Below those that connections are given: nobody else takes it before it is listened on."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
