"""Taps: who reads along an answer as it passes, and changes nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from outgate.inspect import usage

if TYPE_CHECKING:
    from datetime import datetime

    from outgate.admission import Admitted
    from outgate.inspect.usage import Usage

type Said = tuple[tuple[str, str], ...]
"""Headers of an answer: lower-case names, in their order."""


class Tap(Protocol):
    """Reads one answer along, from its first byte. Never raises, never waits, and holds no more than a bound."""

    def feed(self, chunk: bytes) -> None:
        """Read what just came of the body, its content coding not undone."""
        ...

    def end(self, status: int, headers: Said, *, whole: bool) -> None:
        """Nothing more comes. `whole`: the upstream gave all of it, and the client got it."""
        ...


def meter_for(admitted: Admitted, status: int, headers: Said, at: datetime) -> usage.Tap | None:
    """Who counts what a model's answer used, where somebody wants to know.

    Only what was asked by POST: who asks once more for what was answered before uses nothing.
    """
    request = admitted.request
    if not admitted.usage or admitted.mocked or request.method != "POST" or not 200 <= status < 300:
        return None
    said = dict(headers)
    services = sorted(admitted.services)
    return usage.Tap(
        host=request.host,
        path=request.path,
        content_type=said.get("content-type", ""),
        encoding=said.get("content-encoding", ""),
        service=services[0] if len(services) == 1 else "",
        at=at,
    )


def used(meter: usage.Tap | None, *, whole: bool) -> Usage | None:
    """What it found out."""
    return meter.usage(whole=whole) if meter is not None else None
