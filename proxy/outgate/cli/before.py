"""What an agent did before: counts and last actions, from the newest part of the log."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.stores.logs import LogTail, log_folder, writers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from outgate.digest import Json

MOST_LOGS = 16
"""Writers whose newest segment is read: a second's work, however long a gate has run."""
MOST_LAST = 5


@dataclass(slots=True, kw_only=True)
class Before:
    """Decisions of one agent by answer, since `first`; the `last` ones; `since` is when it was first seen, if that is written.

    `whole` is False where only the newest part of the log was looked at. Times are as receipts have them.
    """

    answers: Counter[str] = field(default_factory=Counter)
    last: deque[tuple[str, str, str]] = field(default_factory=lambda: deque(maxlen=MOST_LAST))
    """Time, answer, action."""
    first: str = ""
    since: str = ""
    whole: bool = True


def before(state: Path, agent: str) -> Before:
    """Look at what was written last. What is no receipt is passed over. Raises UnavailableError."""
    folders = writers(log_folder(state))
    found = Before(whole=len(folders) <= MOST_LOGS)
    for fields in sorted(_decisions(folders[-MOST_LOGS:], agent), key=lambda one: _text(one, "at")):
        _add(found, fields)
    found.whole = found.whole and all(len(list(folder.glob("*.jsonl"))) <= 1 for folder in folders)
    return found


def _decisions(folders: list[Path], agent: str) -> Iterator[Mapping[str, Json]]:
    for folder in folders:
        tail = LogTail(folder, newest=True)
        try:
            for receipt in tail.receipts(lambda _problem: None):
                asked = receipt.fields.get("agent")
                if receipt.type == "decision" and isinstance(asked, dict) and asked.get("id") == agent:
                    yield receipt.fields
        finally:
            tail.close()


def _add(found: Before, fields: Mapping[str, Json]) -> None:
    at, answer = _text(fields, "at"), _text(fields, "answer")
    found.answers[answer] += 1
    found.first = found.first or at
    asked = fields.get("agent")
    if isinstance(asked, dict):
        found.since = _text(asked, "since") or found.since
    actions = fields.get("actions")
    if isinstance(actions, list) and actions and isinstance(actions[0], dict):
        more = f" +{len(actions) - 1}" if len(actions) > 1 else ""
        found.last.append((at, answer, f"{_text(actions[0], 'name')} {_text(actions[0], 'resource')}".rstrip() + more))


def _text(fields: Mapping[str, Json], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
