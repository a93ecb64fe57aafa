"""`outgate status`: what runs, who is halted, what waits for people, what is over its limit."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgate.cli.card import span
from outgate.cli.text import clean, columns, wrapped
from outgate.receipts.receipt import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from outgate.app.gates import Answered
    from outgate.app.survey import Survey
    from outgate.approvals.approval import Approval
    from outgate.halt import Halt

app = typer.Typer(rich_markup_mode=None, add_completion=False)

MOST_ROWS = 30
"""Of a kind that are shown; --json has them all."""
_ANSWERS = ("allow", "throttle", "escalate", "sandbox", "block")


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: everything, as JSON.")] = False,
    state: Annotated[Path | None, typer.Option(metavar="DIR", help="The state folder. Default: yours.")] = None,
) -> None:
    """Show the gates of a state folder, and what they see. Exits with 1 where something needs attention."""
    from outgate.app.survey import survey
    from outgate.settings import state_folder

    found = survey(state or state_folder(os.environ))
    if as_json:
        typer.echo(json.dumps(_told(found)))
    else:
        for line in lines(found, datetime.now(UTC)):
            typer.echo(line)
    if not found.sound:
        raise typer.Exit(1)


def lines(found: Survey, now: datetime) -> Iterator[str]:
    """The page that a person reads, at most 80 columns wide."""
    blocks = (_gates(found, now), _agents(found, now), _halted(found), _pending(found, now), _limits(found, now))
    shown = [list(block) for block in blocks]
    yield from list(chain.from_iterable([*block, ""] for block in shown if block))[:-1]


def _gates(found: Survey, now: datetime) -> Iterator[str]:
    if not found.gates:
        yield "no gate runs here"
    for gate in found.gates:
        if gate.wrong:
            yield from wrapped(f"gate {gate.writer}: {clean(gate.wrong)}", "")
        else:
            yield from _gate(gate, now)


def _gate(gate: Answered, now: datetime) -> Iterator[str]:
    said, policy = gate.said, gate.said["policy"]
    yield f"gate {gate.writer}  {said['kind']}  pid {said['pid']}  since {_ago(said['since'], now)}"
    yield from _row("policy", f"{clean(policy['name'])}, {policy['mode']}, {policy['digest'][:19]}")
    yield from _row("open", f"{_many(said['clients'], 'client')}, {_many(said['upstreams'], 'upstream')}, {said['held']} held")
    yield from _row("log", f"{_many(said['receipts'], 'receipt')} by this gate")
    if (reload := said["reload"]) is not None:
        what = "ok" if reload["ok"] else "FAILED, and what held before still does:"
        yield from _row("reload", f"{_ago(reload['at'], now)}: {what}")
        yield from _told_of(reload["problems"])
        if reload["restart"]:
            yield from _row("restart", f"needed for what was changed of {', '.join(map(clean, reload['restart']))}")
    if said["unready"]:
        yield from _row("NOT READY", "")
        yield from _told_of(said["unready"])


def _agents(found: Survey, now: datetime) -> Iterator[str]:
    """Of all gates together: an agent may come in by several."""
    agents: dict[str, dict[str, Any]] = {}
    for one in chain.from_iterable(gate.said.get("agents", ()) for gate in found.gates):
        into = agents.setdefault(one["agent"], {"connections": 0, "answers": {}, "last": ""})
        into["connections"] += one["connections"]
        into["last"] = max(into["last"], one["last"] or "")
        for answer, count in one["answers"].items():
            into["answers"][answer] = into["answers"].get(answer, 0) + count
    rows = sorted(agents.items(), key=lambda row: row[1]["last"], reverse=True)
    shown = [(clean(name), str(row["connections"]), _last(row["last"], now), _answers(row["answers"])) for name, row in rows]
    yield from _table(("agent", "open", "last", "answers"), shown, (24, 6, 8, 0))


def _halted(found: Survey) -> Iterator[str]:
    if found.switch:
        yield from wrapped(clean(found.switch), "the switch: ")
    cut = dict(_cut(found))
    yield from _table(
        ("halted", "cut", "since", "by", "why"),
        [_halt(halt, cut.get((halt.scope.value, halt.name), 0)) for halt in found.halts.halts],
        (24, 5, 16, 10, 17),
    )


def _halt(halt: Halt, cut: int) -> tuple[str, ...]:
    since = timestamp(halt.at)[:16].replace("T", " ") if halt.at else ""
    return clean(str(halt)), str(cut), since, clean(halt.by), clean(halt.why)


def _cut(found: Survey) -> Iterator[tuple[tuple[str, str], int]]:
    counts: dict[tuple[str, str], int] = {}
    for one in chain.from_iterable(gate.said.get("switch", {}).get("halts", ()) for gate in found.gates):
        of = one["scope"], one["name"]
        counts[of] = counts.get(of, 0) + one["cut"]
    yield from counts.items()


def _pending(found: Survey, now: datetime) -> Iterator[str]:
    if found.desk:
        yield from wrapped(clean(found.desk), "what waits for people can't be told: ")
    rows = [_approval(one, now) for one in found.pending]
    yield from _table(("waits for people", "agent", "signed", "asked", "for"), rows, (17, 24, 9, 11, 8))
    if rows:
        yield "  see `outgate approvals`"


def _approval(one: Approval, now: datetime) -> tuple[str, ...]:
    signed = f"{len(one.votes)} of {sum(panel.need for panel in one.panels)}"
    return one.id, clean(one.agent), signed, f"{span(now - one.asked)} ago", span(one.expires - now)


def _limits(found: Survey, now: datetime) -> Iterator[str]:
    """What is over. What comes near is not known before it is: a limit says how much is left when it refuses."""
    over = list(chain.from_iterable(gate.said.get("limits", ()) for gate in found.gates))
    rows = [(clean(one["rule"]), clean(_whose(one["limit"])), str(one["left"]), _until(one["until"], now)) for one in over]
    yield from _table(("over a limit", "whose", "left", "room in"), rows, (24, 30, 8, 10))


def _whose(key: str) -> str:
    """Whose limit it is, from the counter's name: after the rule and what is counted, the facts; or their digest."""
    counted, _, facts = key.partition(" ")[2].partition(" ")
    try:
        whose = json.loads(facts)
    except ValueError:
        return counted or key
    return " ".join(map(str, whose.values())) if isinstance(whose, dict) else counted


def _told_of(problems: Sequence[str]) -> Iterator[str]:
    for problem in problems[:MOST_ROWS]:
        yield from wrapped(clean(problem), "    ")
    if len(problems) > MOST_ROWS:
        yield f"    and {len(problems) - MOST_ROWS} more"


def _row(label: str, text: str) -> Iterator[str]:
    yield from wrapped(f"{label:<9} {text}".rstrip(), "  ")


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], widest: tuple[int, ...]) -> Iterator[str]:
    if rows:
        yield from columns([heads, *rows[:MOST_ROWS]], widest)
    if len(rows) > MOST_ROWS:
        yield f"  and {len(rows) - MOST_ROWS} more"


def _answers(counts: dict[str, int]) -> str:
    return " ".join(f"{answer} {counts[answer]}" for answer in _ANSWERS if counts.get(answer))


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _ago(at: str, now: datetime) -> str:
    return f"{span(now - datetime.fromisoformat(at))} ago"


def _last(at: str, now: datetime) -> str:
    return span(now - datetime.fromisoformat(at)) if at else "-"


def _until(at: str | None, now: datetime) -> str:
    return span(max(timedelta(0), datetime.fromisoformat(at) - now)) if at else "unknown"


def _told(found: Survey) -> dict[str, object]:
    return {
        "gates": [gate.said for gate in found.gates if not gate.wrong],
        "silent": [{"gate": gate.writer, "wrong": gate.wrong} for gate in found.gates if gate.wrong],
        "halted": list(_halts(found.halts.halts)),
        "switch": found.switch,
        "pending": [_waits(one) for one in found.pending],
        "desk": found.desk,
    }


def _halts(halts: Iterable[Halt]) -> Iterator[dict[str, str | None]]:
    for halt in halts:
        since = timestamp(halt.at) if halt.at else None
        yield {"scope": halt.scope.value, "name": halt.name, "why": halt.why, "by": halt.by, "since": since}


def _waits(one: Approval) -> dict[str, object]:
    return {
        "approval": one.id,
        "agent": one.agent,
        "signed": [vote.person for vote in one.votes],
        "need": sum(panel.need for panel in one.panels),
        "asked": timestamp(one.asked),
        "expires": timestamp(one.expires),
    }
