"""The card: what a person sees before signing, from the bytes that are signed, with hostile text made harmless."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from outgate.approvals.approval import State
from outgate.cli.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.approvals.quorum import Standing, Tally
    from outgate.approvals.statement import Shown, ShownAction
    from outgate.cli.before import Before

WIDTH = 80
_LEAD = 10
_MORE = "        | "
"""Before lines that go on: nothing that an agent wrote begins where a label would."""
_LONGEST = 600
_MOST_MARKED = 3
_SPACES = re.compile(r" {3,}")
_OURS = "…·"
"""Not ASCII, and put there by us."""


def card(shown: Shown, standing: Standing, before: Before, now: datetime) -> Iterator[str]:
    """Give its lines, none wider than 80 columns."""
    left = shown.expires - now
    over = f", expires in {span(left)}" if standing.state in {State.PENDING, State.GRANTED} else ""
    yield f"approval {shown.id}  {standing.state.value}, asked {_clock(shown.asked, now)}{over}"
    yield ""
    yield from row("who", _who(shown, before, now))
    for number, action in enumerate(shown.actions, 1):
        yield from _action(action, f"what {number}" if len(shown.actions) > 1 else "what")
    if shown.actions_left_out:
        yield from row("", f"and {shown.actions_left_out} more that are not shown: deny what you can't see")
    yield from row("request", f"{shown.method} {shown.url}")
    yield from row("stopped", shown.why or "by policy")
    yield from row("told", shown.tell)
    for tally in standing.tallies:
        yield from row("needs", _needs(tally))
    if shown.hardware:
        yield from row("", "only hardware keys (sk-…) count: this agent runs without a fence")
    yield from row("before", _before(before))
    for at, answer, what in before.last:
        yield from row("", f"{_clock_of(at)} {answer} {what}")


def standing_line(standing: Standing, expires: datetime, now: datetime) -> str:
    """Say in one sentence how far it is, and what is missing."""
    match standing.state:
        case State.GRANTED:
            return f"granted: passes once, now if held, else within {span(expires - now)}"
        case State.DENIED:
            return f"denied by {', '.join(sorted(vote.person for vote in standing.denied))}"
        case State.EXPIRED:
            return "expired: nobody decided in time"
        case State.USED:
            return "used: the approved request was sent"
        case State.PENDING:
            missing = "; ".join(_missing(tally) for tally in standing.tallies if tally.missing)
            return f"{missing}; expires in {span(expires - now)}"


def span(time: timedelta) -> str:
    """A length of time in one unit, rounded down: `23 h`, `5 min`, `40 s`."""
    seconds = max(0, int(time.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (size < 86400 and seconds >= size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def row(label: str, text: str) -> Iterator[str]:
    """One field: a label, its text wrapped, and below it what in that text may not be what it looks like."""
    if not text:
        return
    safe = harmless(text)
    lines = _wrapped(safe, WIDTH - _LEAD)
    for number, line in enumerate(lines):
        yield f"{label:{_LEAD}}{line}" if number == 0 else f"{_MORE}{line}"
    if marked := foreign(safe):
        yield from (f"{_MORE}{line}" for line in _wrapped(f"! not ASCII: {marked}", WIDTH - _LEAD))


def harmless(text: str) -> str:
    """Cut, with what drives terminals or stacks on other characters shown as escapes, and runs of spaces counted."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 200]} …({len(text) - _LONGEST + 100} characters)… {text[-100:]}"
    spaced = _SPACES.sub(lambda found: f" ({len(found[0])} spaces) ", cut)
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c).startswith("M") else c for c in clean(spaced))


def foreign(text: str) -> str:
    """Name the characters that are not ASCII: letters of other scripts look like Latin ones."""
    found = list(dict.fromkeys(c for c in text if not c.isascii() and c not in _OURS))
    named = [f"{c} {unicodedata.name(c, 'unnamed')}" for c in found[:_MOST_MARKED]]
    more = f" and {len(found) - _MOST_MARKED} more" if len(found) > _MOST_MARKED else ""
    return ", ".join(named) + more


def _who(shown: Shown, before: Before, now: datetime) -> str:
    about = [f"team {shown.team}"] if shown.team else []
    about += [f"owner {shown.owner}"] if shown.owner else []
    if before.since:
        about.append(f"known for {span(now - datetime.fromisoformat(before.since))}")
    elif before.first:
        about.append(f"in the log since {_day_of(before.first)}")
    else:
        about.append("never seen before")
    return f"{shown.agent} ({', '.join(about)})"


def _action(action: ShownAction, label: str) -> Iterator[str]:
    tier = f"T{action.tier}" if action.mapped else f"T{action.tier}?"
    times = f", {action.count} times" if action.count != 1 else ""
    yield from row(label, f"{action.name}{times} · {action.access} · {tier}{f' · {action.why}' if action.why else ''}")
    yield from row("on what", action.resource)
    yield from row("how much", ", ".join(action.money))
    yield from row("data", ", ".join(action.data))
    for name, value in action.params:
        if value not in action.money and value != action.resource:
            yield from row("with", f"{name} = {value}")
    if action.params_left_out:
        yield from row("", f"and {action.params_left_out} more that are not shown")


def _needs(tally: Tally) -> str:
    panel = tally.panel
    signed = f"; signed by {', '.join(sorted(tally.have))}" if tally.have else "; nobody has signed"
    return f"{tally.need} of {', '.join(panel.of)} ({panel.name}){signed}"


def _missing(tally: Tally) -> str:
    have = len(tally.have)
    if tally.missing > len(tally.able):
        return f"{have} of {tally.need}; nobody is left who could sign for {tally.panel.name}"
    who = ", ".join(sorted(tally.able))
    return f"{have} of {tally.need}; still needed: {_number(tally.missing)} of {who}"


def _number(count: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(count, str(count))


def _before(before: Before) -> str:
    total = before.answers.total()
    if not total:
        return "nothing is known of this agent"
    counts = ", ".join(f"{count} {answer}" for answer, count in before.answers.most_common())
    newest = "" if before.whole else " (the newest part of the log)"
    return f"{total} decision{'s' if total > 1 else ''} since {_day_of(before.first)}: {counts}{newest}"


def _clock(at: datetime, now: datetime) -> str:
    local = at.astimezone()
    return local.strftime("%H:%M") if local.date() == now.astimezone().date() else local.strftime("%d %b %H:%M")


def _clock_of(at: str) -> str:
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%d %b %H:%M")
    except ValueError:
        return "?"


def _day_of(at: str) -> str:
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%d %B %Y")
    except ValueError:
        return "?"


def _wrapped(text: str, width: int) -> list[str]:
    """Lines no wider than a terminal shows them: some characters take two columns."""
    lines: list[str] = []
    for line in textwrap.wrap(text, width, break_long_words=True, break_on_hyphens=False) or [""]:
        lines += _narrow(line, width)
    return lines


def _narrow(line: str, width: int) -> Iterator[str]:
    start, used = 0, 0
    for at, character in enumerate(line):
        columns = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used + columns > width:
            yield line[start:at]
            start, used = at, 0
        used += columns
    yield line[start:]
