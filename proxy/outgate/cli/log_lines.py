"""A decision, with what came of it, as one line for people; an event as another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from outgate.cli.event_lines import subject, told
from outgate.cli.text import clean, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from outgate.digest import Json
    from outgate.receipts.chain import Receipt

MOST_HELD = 10_000
"""Decisions that wait for their outcome while a log is read: beyond, the oldest is shown as open."""

_COLOURS = {"allow": "32", "throttle": "33", "escalate": "33", "sandbox": "36", "block": "31"}
_DIM = "2"
_LOUD = {"HALT": "31", "asked": "33", "cut": "31"}
_ENOUGH = 9
"""Characters of an approval's id: `outgate approve` takes the beginning of one."""
_PLAIN = {"policy", "unreadable"}
"""Reasons that a line shows by what else it says."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """What one line shows. `late`: the decision was shown before, this is its outcome."""

    receipt: Receipt
    outcome: Receipt | None = None
    late: bool = False

    @property
    def waits(self) -> bool:
        """Let out, or to a mock, and its outcome is not known yet."""
        return self.outcome is None and self.receipt.type == "decision" and owes(self.receipt.fields)


def owes(decision: Mapping[str, Json]) -> bool:
    """Whether an outcome follows: something went out, or to a mock."""
    return decision.get("answer") == "allow" or "mock" in decision


class Fold:
    """Joins outcomes to their decisions, keeping the order of decisions."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], Entry] = {}
        self._shown: dict[tuple[str, int], Entry] = {}

    def add(self, receipt: Receipt) -> Iterator[Entry]:
        """Take the next receipt, give what can be shown now."""
        match receipt.fields:
            case {"type": "outcome", "of": {"writer": str(writer), "seq": int(seq)}}:
                yield from self._concluded((writer, seq), receipt)
            case _:
                self._held[receipt.writer, receipt.seq] = Entry(receipt=receipt)
        while self._held and (len(self._held) > MOST_HELD or not self._first().waits):
            yield self._let_go()

    def flush(self) -> Iterator[Entry]:
        """Give all that is held, open or not."""
        while self._held:
            yield self._let_go()

    @property
    def holds(self) -> bool:
        """Whether something waits."""
        return bool(self._held)

    def _first(self) -> Entry:
        return next(iter(self._held.values()))

    def _let_go(self) -> Entry:
        place, entry = next(iter(self._held.items()))
        del self._held[place]
        if entry.waits:
            self._shown[place] = entry
            if len(self._shown) > MOST_HELD:
                del self._shown[next(iter(self._shown))]
        return entry

    def _concluded(self, place: tuple[str, int], outcome: Receipt) -> Iterator[Entry]:
        if (held := self._held.get(place)) is not None:
            held.outcome = outcome
        elif (shown := self._shown.pop(place, None)) is not None:
            yield Entry(receipt=shown.receipt, outcome=outcome, late=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to show. Events are shown only where nothing but an agent and a time was asked for."""

    agent: str | None = None
    answer: str | None = None
    action: str | None = None
    since: str = ""
    would: bool = False

    def has(self, receipt: Receipt) -> bool:
        """Whether a decision or an event is wanted."""
        fields = receipt.fields
        if str(fields.get("at", "")) < self.since or (self.agent is not None and self.agent not in _whose(receipt)):
            return False
        if receipt.type != "decision":
            return self.answer is None and self.action is None and not self.would
        answer, would = _text(fields, "answer"), _text(fields, "would")
        return (
            (self.answer is None or answer == self.answer)
            and (self.action is None or any(fnmatchcase(_text(a, "name"), self.action) for a in _dicts(fields, "actions")))
            and (not self.would or answer != would)
        )


def _whose(receipt: Receipt) -> set[str]:
    """The agent that did it; of an event, also the one that it was done to."""
    who = {_text(receipt.fields, "agent", "id")}
    return who if receipt.type == "decision" else who | {subject(_dict(receipt.fields, "about"))}


def day_of(entry: Entry) -> str:
    """Give the local day."""
    return _time(entry).strftime("%A %d %B %Y")


def line_of(entry: Entry, width: int, *, colour: bool) -> str:
    """Give the line: time (8), answer (9), tier (2), what, what came of it (9), who (12). As wide as `width`, from 60 on."""
    fields = entry.receipt.fields
    who = cut(clean(_text(fields, "agent", "id")), 12)
    clock = _time(entry).strftime("%H:%M:%S")
    if entry.receipt.type != "decision":
        word, said = told(entry.receipt.type, _dict(fields, "about"))
        room = max(8, width - 32 if who else width - 19)
        line = f"{clock} {cut(clean(word), 9):9} {cut(clean(said), room):{room}} {who}".rstrip()
        return _painted(line, _LOUD.get(word, _DIM), colour=colour)
    answer, would = _text(fields, "answer"), _text(fields, "would")
    mark = _mark(fields, answer, would)
    came = _came(entry)
    room = max(8, width - 45)
    start = (
        "  ↳ later"
        if entry.late
        else _painted(f"{clean(mark):9}", _COLOURS.get(would if mark.startswith("~") else answer, "0"), colour=colour)
    )
    tier, what = _what(fields)
    return f"{clock} {start} {tier:2} {_middle(what, room):{room}} {cut(came, 9):9} {who}".rstrip()


def _mark(fields: Mapping[str, Json], answer: str, would: str) -> str:
    """The answer; of what was let out, after a `~` what enforcing would make of it; `approved` where people let it out."""
    if answer == "allow" and _dict(fields, "approval").get("used") is True:
        return "approved"
    return f"~{would}" if answer == "allow" and would != "allow" else answer


def _what(fields: Mapping[str, Json]) -> tuple[str, str]:
    """Give the tier and the strictest action; what could not be read is said as such."""
    actions = _dicts(fields, "actions")
    if not actions:
        said = _text(fields, "request", "unreadable") or _text(fields, "why")
        host = _text(fields, "request", "host")
        return "-", clean(f"{host} {said}".strip())
    shown = max(actions, key=lambda action: (_rank(action, "answer"), _rank(action, "would"), _int(action, "tier")))
    more = len(actions) - 1 + _int(fields, "actionsLeftOut")
    name = clean(f"{_text(shown, 'name')} {_text(shown, 'resource')}".rstrip())
    tier = f"T{_int(shown, 'tier')}" if shown.get("mapped") is True else "?"
    return tier, f"{name} +{more}" if more else name


def _came(entry: Entry) -> str:
    """Say what became of it: a status, a word, or `…` while nobody knows."""
    fields = entry.receipt.fields
    if entry.outcome is None:
        return "…" if entry.waits else _stopped(fields)
    status, result = entry.outcome.fields.get("status"), _text(entry.outcome.fields, "result")
    return str(status) if isinstance(status, int) and result == "executed" else clean(result)


def _stopped(fields: Mapping[str, Json]) -> str:
    """Why it stayed, where the answer does not say: a limit, the approval that it waits for, another reason than policy."""
    reason, answer = _text(fields, "reason"), _text(fields, "answer")
    if reason not in _PLAIN:
        return clean(reason)
    if answer == "escalate":
        return clean(_text(fields, "approval", "id"))[:_ENOUGH]
    over = _dicts(fields, "over")
    return f"{_int(over[0], 'limit')}/{clean(_text(over[0], 'window'))[:3]}" if over and answer == "throttle" else ""


def _middle(text: str, width: int) -> str:
    """Cut in the middle: the service and the end of a resource both tell most."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _painted(text: str, code: str, *, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def _time(entry: Entry) -> datetime:
    said = _text((entry.outcome if entry.late and entry.outcome else entry.receipt).fields, "at")
    try:
        return datetime.fromisoformat(said).astimezone()
    except ValueError:
        return datetime.fromtimestamp(0).astimezone()


def _rank(action: Mapping[str, Json], key: str) -> int:
    return ["", *_COLOURS].index(word) if (word := _text(action, key)) in _COLOURS else 0


def _text(fields: Mapping[str, Json], *path: str) -> str:
    value: Json = dict(fields)
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _int(fields: Mapping[str, Json], key: str) -> int:
    value = fields.get(key)
    return value if isinstance(value, int) else 0


def _dict(fields: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    value = fields.get(key)
    return value if isinstance(value, dict) else {}


def _dicts(fields: Mapping[str, Json], key: str) -> Sequence[Mapping[str, Json]]:
    value = fields.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
