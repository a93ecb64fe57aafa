"""Bulks, as Elasticsearch and OpenSearch read them: a line says what is done, the next one is the document, and so on.

Source: both projects' reference of the bulk API. `delete` has no second line.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from outgate.actions.action import Access, Confidence, Tier
from outgate.actions.unreadable import unreadable
from outgate.intake.bodies import Undecodable, strict_json
from outgate.intake.codings import plain
from outgate.intake.request import WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Action
    from outgate.actions.languages import Envelope

MOST: Final = 100
"""Indexes that one bulk is told of."""

_KINDS: Final[Mapping[str, tuple[Access, Tier, str]]] = {
    "index": (Access.WRITE, Tier.T1, "documents are put, in place of those that are there"),
    "create": (Access.WRITE, Tier.T1, "documents are added"),
    "update": (Access.WRITE, Tier.T1, "documents are changed"),
    "delete": (Access.DELETE, Tier.T2, "documents are deleted"),
}
_NOT_ONE: Final = "the bulk can't be read, or in more than one way"


def read(envelope: Envelope) -> tuple[Action, ...]:
    """Give the bulk, and what is done in it to each index, with how often."""
    body = envelope.request.body
    content = plain(envelope.request.headers, body.content) if isinstance(body, WholeBody) else b""
    within = envelope.action.params.get("index")
    try:
        done = Counter(_deeds(b"" if isinstance(content, Undecodable) else content, within if isinstance(within, str) else ""))
    except ValueError:
        done = Counter()
    if not done or len(done) > MOST:
        return (envelope.action, unreadable(envelope.service.name, envelope.action.resource, _NOT_ONE))
    return (envelope.action, *(_action(envelope, kind, index, count) for (kind, index), count in done.items()))


def _deeds(content: bytes, within: str) -> Iterator[tuple[str, str]]:
    """Give kind and index of each line that says one. Raises ValueError where a server could read something else."""
    *lines, last = content.split(b"\n")
    if last.strip():
        raise ValueError("no line end at the end")
    said = iter(lines)
    for line in said:
        kind, index = _said(strict_json(line), within)
        if kind != "delete" and not next(said, b"").strip():
            raise ValueError("no document")
        yield kind, index


def _said(line: object, within: str) -> tuple[str, str]:
    match line:
        case dict() if len(line) == 1:
            ((kind, about),) = line.items()
        case _:
            raise ValueError("no line of a bulk")
    index = about.get("_index", within) if isinstance(about, dict) else None
    if kind not in _KINDS or not isinstance(index, str) or not index:
        raise ValueError("no line of a bulk")
    return kind, index


def _action(envelope: Envelope, kind: str, index: str, count: int) -> Action:
    access, tier, why = _KINDS[kind]
    over = envelope.service.overrides.get(kind)
    return replace(
        envelope.action,
        operation=kind,
        resource=index,
        access=over.access if over and over.access else access,
        tier=tier if over is None or over.tier is None else over.tier,
        params={**envelope.action.params, "index": index},
        count=count,
        confidence=Confidence.PROTOCOL,
        why=over.why if over and over.why else why,
        evidence=(*envelope.action.evidence, "bulk"),
    )
