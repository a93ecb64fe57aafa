"""What a replay found, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.cli.text import clean, columns, cut, wrapped
from outgate.policy.effect import Effect, Phase
from outgate.receipts.receipt import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.analysis.replay import Change, Changed, Example, Report
    from outgate.digest import Json
    from outgate.policy.rule import Policy

WIDTH = 80
MOST_SHOWN = 12
_EXAMPLES = 2
_SECTIONS = (
    ("let out then, stopped now", True, False),
    ("stopped then, let out now", False, True),
    ("let out by people then, let out without them now", True, True),
    ("stopped then and now, by another answer", False, False),
)


def lines(report: Report, policy: Policy, *, bound: int | None) -> Iterator[str]:
    """The report. `bound` is how many new stops are fine, where somebody said so."""
    yield from wrapped(_head(report, policy), "", WIDTH)
    if report.replayed:
        yield ""
        yield from _matrix(report)
    for title, let_out, loosened in _SECTIONS:
        changes = ((kind, changed) for kind, changed in report.changes.items() if kind.let_out is let_out)
        yield from _section(title, _by_count(one for one in changes if (one[0].after is Effect.ALLOW) is loosened))
    yield from _lost(report)
    yield from _notes(report, policy)
    if bound is not None:
        yield ""
        verdict = "more than" if report.stopped + report.untold > bound else "no more than"
        untold = f", {report.untold:,} that can't be told" if report.untold else ""
        yield f"{_count(report.stopped, 'new stop')}{untold}: {verdict} the {bound:,} that may be"


def fields(report: Report, policy: Policy) -> dict[str, Json]:
    """The same, whole."""
    return {
        "policy": {"name": policy.name, "digest": policy.digest, "mode": str(policy.mode)},
        "decisions": report.decisions,
        "replayed": report.replayed,
        "first": timestamp(report.first) if report.first else None,
        "last": timestamp(report.last) if report.last else None,
        "matrix": {f"{before} -> {after}": count for (before, after), count in sorted(report.matrix.items())},
        "newStops": report.stopped,
        "newlyLetOut": report.freed,
        "delayed": report.delayed,
        "answersNotReplayed": report.answers,
        "messagesNotReplayed": report.messages,
        "changes": [_change(kind, changed) for kind, changed in _by_count(report.changes.items())],
        "changesNotShown": report.further,
        "notThePolicys": dict(sorted(report.fixed.items())),
        "letOutNotReplayable": report.untold,
        "notReplayable": [{"why": why, "count": count} for why, count in report.lost.most_common()],
    }


def _change(kind: Change, changed: Changed) -> dict[str, Json]:
    return {
        "then": str(kind.before),
        "letOut": kind.let_out,
        "now": str(kind.after),
        "rules": list(kind.rules),
        "action": kind.action,
        "agent": kind.agent,
        "count": changed.count,
        "examples": [{"receipt": _place(one), "at": timestamp(one.at), "request": one.call} for one in changed.examples],
    }


def _head(report: Report, policy: Policy) -> str:
    said = f"{_count(report.decisions, 'decision')}, {report.replayed:,} decided again under policy {policy.name}, {policy.mode}d"
    if report.first is None or report.last is None:
        return said
    return f"{said}; {report.first:%Y-%m-%d %H:%M} to {report.last:%Y-%m-%d %H:%M} UTC"


def _matrix(report: Report) -> Iterator[str]:
    """A row for each answer of then, a column for each of now."""
    yield f"{'then / now':10}" + "".join(f"{effect!s:>10}" for effect in Effect)
    for before in Effect:
        counts = [report.matrix[before, after] for after in Effect]
        if any(counts):
            yield f"{before!s:10}" + "".join(f"{f'{count:,}' if count else '·':>10}" for count in counts)


type _Rows = list[tuple[Change, Changed]]


def _by_count(changes: Iterable[tuple[Change, Changed]]) -> _Rows:
    return sorted(changes, key=lambda one: (-one[1].count, one[0].action, one[0].agent))


def _section(title: str, rows: _Rows) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"{title}: {sum(changed.count for _, changed in rows):,}"
    shown = rows[:MOST_SHOWN]
    cells = [_cells(kind, changed) for kind, changed in shown]
    answers = max(len(cell[1]) for cell in cells)
    for line, (_, changed) in zip(columns(cells, widest=(7, answers, 16, 36 - answers, 11)), shown, strict=True):
        yield f"  {line}"
        yield from (f"      {_example(one)}" for one in changed.examples[:_EXAMPLES])
    if len(rows) > MOST_SHOWN:
        yield f"  and {len(rows) - MOST_SHOWN} more kinds: --json"


def _cells(kind: Change, changed: Changed) -> tuple[str, ...]:
    return f"{changed.count:,} x", _answer(kind), clean(", ".join(kind.rules)), clean(kind.action), clean(kind.agent)


def _answer(kind: Change) -> str:
    """What stops it, or did; both where both do."""
    if kind.let_out and kind.after.restricts:
        return str(kind.after)
    return str(kind.before) if not kind.after.restricts else f"{kind.before} > {kind.after}"


def _example(one: Example) -> str:
    return cut(f"{one.at:%H:%M:%S} {_place(one)} {clean(one.call)}", WIDTH - 6)


def _place(one: Example) -> str:
    writer, seq = one.place
    return f"{writer}-{seq}"


def _lost(report: Report) -> Iterator[str]:
    if not report.lost:
        return
    yield ""
    yield f"not replayable: {report.lost.total():,}"
    for why, count in report.lost.most_common(MOST_SHOWN):
        yield from wrapped(clean(why), f"  {count:>6,} x ", WIDTH)


def _notes(report: Report, policy: Policy) -> Iterator[str]:
    notes = [*_said(report, policy)]
    if notes:
        yield ""
    for note in notes:
        yield from wrapped(note, "note: ", WIDTH)


def _said(report: Report, policy: Policy) -> Iterator[str]:
    if report.fixed:
        why = ", ".join(f"{clean(reason)} {count:,}" for reason, count in sorted(report.fixed.items()))
        yield f"{report.fixed.total():,} were refused for what no policy has a say in ({why}) and stay so."
    if any(rule.limit is not None for rule in policy.rules):
        yield "limits begin empty and are charged by the record's times."
    if report.delayed:
        yield f"{report.delayed:,} would have been let out after waiting for a limit."
    if report.answers:
        yield f"a rule looks into the answers of {report.answers:,} that are let out; receipts don't hold answers."
    if report.messages or any(rule.phase is Phase.STREAM for rule in policy.rules):
        seen = f" ({_count(report.messages, 'message')} in the record)" if report.messages else ""
        yield f"what is said in conversations is not decided again{seen}; receipts don't hold messages."
    if report.further:
        yield f"{report.further:,} more changes are of kinds too many to keep apart."


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
