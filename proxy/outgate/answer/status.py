"""Status: what an agent reads of an approval that it waits for. Numbers and times; never who is asked, or who signed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from outgate.answer.ask import accepts
from outgate.answer.problem import encode
from outgate.answer.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from outgate.digest import Json
    from outgate.intake.request import Request

RETRY = 60
"""Seconds until it makes sense to look again."""

_ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "pending": "Nobody has decided yet. Do not try another way; send the identical request again later.",
        "granted": "It is approved. Send the identical request again, once, before it expires.",
        "denied": "A person said no. Do not try again, nor another way.",
        "expired": "Nobody decided in time, which is no denial. If it is still wanted, send it again: people are asked anew.",
        "used": "It was approved, and the approved request was sent. To do it once more, send it again: people are asked anew.",
    }
)
"""By state: what to do now."""


class Waiting(Protocol):
    """What is known of an approval."""

    @property
    def id(self) -> str: ...
    @property
    def asked(self) -> datetime: ...
    @property
    def expires(self) -> datetime: ...


class Count(Protocol):
    """How far one panel is."""

    @property
    def need(self) -> int: ...
    @property
    def missing(self) -> int: ...


class Stands(Protocol):
    """Where it stands: one of the states, and each panel."""

    @property
    def state(self) -> str: ...
    @property
    def tallies(self) -> Sequence[Count]: ...


def approval_page(approval: Waiting, standing: Stands, request: Request) -> Reply:
    """Give the state of one approval, to the agent whose it is."""
    state = str(standing.state)
    signatures = [{"need": one.need, "have": one.need - one.missing} for one in standing.tallies]
    about: dict[str, Json] = {
        "id": approval.id,
        "state": state,
        "message": _ABOUT[state],
        "signatures": signatures,
        "asked": _when(approval.asked),
        "expires": _when(approval.expires),
        "retry": state != "denied",
    }
    counted = ", ".join(f"{one['have']} of {one['need']}" for one in signatures)
    lines = f"Approval {approval.id}: {state}\nSignatures: {counted}\nExpires: {_when(approval.expires)}\n{_ABOUT[state]}\n"
    again = (("Retry-After", str(RETRY)),) if state == "pending" else ()
    return _reply(request, 200, about, lines, again)


def not_found(request: Request) -> Reply:
    """Say that there is no such approval: whether it never was or is another agent's."""
    about: dict[str, Json] = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "message": "There is no such approval of yours.",
    }
    return _reply(request, 404, about, "There is no such approval of yours.\n", ())


def _reply(request: Request, status: int, about: dict[str, Json], lines: str, more: tuple[tuple[str, str], ...]) -> Reply:
    plain = _wants_text(request)
    kind = "text/plain; charset=utf-8" if plain else "application/json"
    body = lines.encode() if plain else encode(about)
    return Reply(
        status=status,
        headers=(("Content-Type", kind), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), *more),
        body=b"" if request.method == "HEAD" else body,
    )


def _wants_text(request: Request) -> bool:
    """Whether a client asks for text, or a page, rather than JSON."""
    for wanted in accepts(request):
        if wanted == "*/*" or (wanted.startswith("application/") and wanted != "application/xhtml+xml"):
            return False
        if wanted.startswith("text/"):
            return True
    return False


def _when(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
