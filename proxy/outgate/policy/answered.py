"""Answered: the facts of an upstream's answer, where a rule decides on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from outgate.inspect.rows import rows_in
from outgate.inspect.secrets import SECRET, secrets_in
from outgate.intake.bodies import Undecodable
from outgate.intake.codings import plain
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody
from outgate.policy.facts import Answered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.intake.request import Body


_SWITCHED: Final = 101


def answered_of(status: int, headers: Iterable[tuple[str, str]], body: Body) -> Answered:
    """Look into a whole answer. `headers` have lower-case names. What can't be read is not known, and never none.

    Of an upstream that switched protocols, as to a WebSocket, everything comes later, and none of it is read here.
    """
    match body:
        case _ if status == _SWITCHED:
            return Answered(status=status)
        case NoBody():
            return Answered(status=status, rows=0, data=frozenset(), size=0)
        case SpooledBody() | UnreadBody():
            return Answered(status=status)
        case WholeBody(content):
            said = tuple(headers)
            decoded = plain(said, content)
            if isinstance(decoded, Undecodable):
                return Answered(status=status)
            return _looked_into(status, dict(said).get("content-type", ""), decoded)


def _looked_into(status: int, content_type: str, content: bytes) -> Answered:
    return Answered(
        status=status,
        rows=rows_in(content_type, content),
        data=frozenset({SECRET} if secrets_in(content) else ()),
        size=len(content),
    )
