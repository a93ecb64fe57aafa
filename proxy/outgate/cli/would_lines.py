"""What would have been stopped, had everything been enforced: counted by rule, action and agent, with the first of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.cli.text import clean, columns, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.digest import Json
    from outgate.receipts.chain import Receipt

MOST_SHOWN = 20
MOST_KINDS = 10_000
"""An agent chooses names: beyond this many kinds they are only counted."""
_EXAMPLES = 2
_WIDTH = 80
_STRICT = ("allow", "throttle", "escalate", "sandbox", "block")


@dataclass(frozen=True, slots=True, order=True)
class _Kind:
    would: str
    rules: str
    action: str
    agent: str


@dataclass(slots=True)
class _Seen:
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Would:
    """Counts decisions."""

    decisions: int = 0
    stopped: int = 0
    agents: set[str] = field(default_factory=set)
    kinds: dict[_Kind, _Seen] = field(default_factory=dict)
    first: str = ""
    last: str = ""

    def add(self, receipt: Receipt) -> None:
        """Take a receipt; what is no decision, or would be answered no stricter, is only counted."""
        fields = receipt.fields
        if receipt.type != "decision":
            return
        self.decisions += 1
        at, answer, would = str(fields.get("at", "")), _text(fields, "answer"), _text(fields, "would")
        self.first, self.last = min(self.first or at, at), max(self.last, at)
        if not _is_stricter(would, answer):
            return
        self.stopped += 1
        agent = _text(fields.get("agent"), "id")
        self.agents.add(agent)
        kind = _Kind(would, _rules(fields, would), _action(fields, would), agent)
        if kind not in self.kinds and len(self.kinds) >= MOST_KINDS:
            return
        seen = self.kinds.setdefault(kind, _Seen())
        seen.count += 1
        if len(seen.examples) < _EXAMPLES:
            seen.examples.append(f"{at[:10]} {at[11:19]} {receipt.writer}-{receipt.seq} {_call(fields)}")

    def lines(self) -> Iterator[str]:
        """The report, at most eighty columns wide."""
        if not self.decisions:
            yield "no decisions here"
            return
        span = f"{self.first[:16]} to {self.last[:16]}".replace("T", " ")
        yield f"{self.decisions:,} decisions, {span} UTC"
        if not self.stopped:
            yield "had everything been enforced, nothing more would have been stopped"
            return
        agents = "1 agent" if len(self.agents) == 1 else f"{len(self.agents):,} agents"
        yield f"had everything been enforced, {self.stopped:,} would have been stopped, of {agents}:"
        yield from self._rows()

    def _rows(self) -> Iterator[str]:
        rows = sorted(self.kinds.items(), key=lambda one: (-one[1].count, one[0]))
        shown = rows[:MOST_SHOWN]
        cells = [(f"{seen.count:,} x", *map(clean, (kind.would, kind.rules, kind.action, kind.agent))) for kind, seen in shown]
        for line, (_, seen) in zip(columns(cells, widest=(7, 8, 20, 24, 11)), shown, strict=True):
            yield f"  {line}"
            yield from (cut(f"      {clean(example)}", _WIDTH) for example in seen.examples)
        if len(rows) > MOST_SHOWN:
            yield f"  and {len(rows) - MOST_SHOWN:,} more kinds: --agent, --action, --since, --json"


def _is_stricter(would: str, answer: str) -> bool:
    return would in _STRICT and answer in _STRICT and _STRICT.index(would) > _STRICT.index(answer)


def _rules(fields: Mapping[str, Json], would: str) -> str:
    """Those that ask for it; a request that no rule stops has its reason."""
    found = [_text(rule, "id") for rule in _list(fields.get("rules")) if _text(rule, "effect") == would]
    return ", ".join(dict.fromkeys(found)) or _text(fields, "why") or _text(fields, "reason")


def _action(fields: Mapping[str, Json], would: str) -> str:
    """The first that would have stopped it."""
    actions = _list(fields.get("actions"))
    found = next((action for action in actions if _text(action, "would") == would), actions[0] if actions else None)
    more = f" +{len(actions) - 1}" if len(actions) > 1 else ""
    return f"{_text(found, 'name')}{more}"


def _call(fields: Mapping[str, Json]) -> str:
    asked = fields.get("request")
    return f"{_text(asked, 'method')} {_text(asked, 'host')}{_text(asked, 'path')}"


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list) else []


def _text(value: Json | Mapping[str, Json], key: str) -> str:
    said = value.get(key) if isinstance(value, dict) else None
    return said if isinstance(said, str) else ""
