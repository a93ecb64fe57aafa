"""What `outgate run` says before and after the agent; nothing in between."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from outgate.cli.text import clean, columns, cut, wrapped
from outgate.policy.effect import Effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.app.run import Begun, RunReport
    from outgate.fence.watch import Attempt
    from outgate.telemetry.tally import Stop, Tally

INDENT = " " * 9
MOST_SHOWN = 8
_WORDS = {Effect.THROTTLE: "throttled", Effect.ESCALATE: "escalated", Effect.SANDBOX: "sandboxed"}
"""Of what was stopped; what was blocked is the rest."""


def opening_lines(begun: Begun) -> Iterator[str]:
    """Who, under what, and how to watch; then what differs from the usual."""
    doing = "enforcing" if begun.enforcing else "observing"
    fence = "not fenced" if begun.unfenced else "fenced"
    yield f'outgate  agent "{begun.agent}", policy {begun.policy}, {doing}, {fence}. Live: outgate log -f'
    if begun.unfenced:
        why = "" if begun.unfenced == "as asked" else f" ({begun.unfenced.removeprefix('no fence: ')})"
        yield from wrapped(f"not fenced: same user, can go around{why}", INDENT)
    if begun.unturned:
        yield from wrapped(f"only programs that use the proxy get out, others nowhere ({begun.unturned})", INDENT)
    if begun.via:
        yield INDENT + f"upstream proxy from the environment: {begun.via}"
    if begun.roots:
        yield INDENT + f"also trusting the certificates of {', '.join(begun.roots)}"


def closing(report: RunReport) -> Iterator[str]:
    """The summary's lines."""
    tally = report.tally
    yield f"outgate  {report.agent} ended ({report.code}) after {_duration(report.seconds)}: {_totals(tally)}"
    if tally.accesses:
        yield INDENT + "  " + " · ".join(f"{n} {access}" for access, n in tally.accesses.most_common())
    yield from _answers(tally)
    yield from _stops(tally)
    yield from _people(tally)
    yield from _around(report)
    yield from (INDENT + line for line in _proof(report))
    yield from _next(report)


def _totals(tally: Tally) -> str:
    if not tally.requests:
        return "no requests came this way"
    requests = _count(tally.requests, "request")
    services = _count(len(tally.services), "service")
    fate = f"{tally.stopped_requests} stopped" if tally.stopped_requests else "all let through"
    return f"{requests}, {services}, {fate}"


def _answers(tally: Tally) -> Iterator[str]:
    """What else than allow and block was answered, and what went out only because of somebody or something."""
    counts = {word: tally.answers[effect] for effect, word in _WORDS.items()}
    counts["let out by people"] = tally.approved
    counts["answer withheld" if tally.kept_back == 1 else "answers withheld"] = tally.kept_back
    said = [f"{n} {word}" for word, n in counts.items() if n]
    if tally.mocked:
        said.append(f"{tally.mocked} answered by a mock")
    if said:
        yield INDENT + "  " + " · ".join(said)
    if tally.over:
        rules = [f"{clean(rule)}" + (f" x {n}" if n > 1 else "") for rule, n in tally.over.most_common(MOST_SHOWN)]
        more = len(tally.over) - MOST_SHOWN
        rules += [f"{more} more"] if more > 0 else []
        yield from wrapped(f"limits reached: {', '.join(rules)}", INDENT)


def _people(tally: Tally) -> Iterator[str]:
    if not tally.asked:
        return
    yield INDENT + f"asked people: {len(tally.asked)}   outgate approvals"
    for approval, what in list(tally.asked.items())[:MOST_SHOWN]:
        yield INDENT + f"  {clean(approval)}  {cut(clean(what), 80 - len(INDENT) - 18)}"
    if len(tally.asked) > MOST_SHOWN:
        yield INDENT + f"  and {len(tally.asked) - MOST_SHOWN} more"


def _stops(tally: Tally) -> Iterator[str]:
    if tally.stopped_requests:
        yield INDENT + f"stopped, {tally.stopped_requests} of {tally.requests}:"
        yield from _rows(tally.stopped.most_common(), "outgate log")
    if tally.would_stop_requests:
        yield INDENT + f"had you enforced, {tally.would_stop_requests} of {tally.requests} would have been stopped:"
        yield from _rows(tally.would_stop.most_common(), "outgate log --would")


def _rows(counted: list[tuple[Stop, int]], more: str) -> Iterator[str]:
    shown = [_row(stop, n) for stop, n in counted[:MOST_SHOWN]]
    yield from (INDENT + "  " + line for line in columns(shown, widest=(8, 23, 14, 2, 14)))
    if len(counted) > MOST_SHOWN:
        yield INDENT + f"  and {len(counted) - MOST_SHOWN} more: {more}"


def _row(stop: Stop, n: int) -> tuple[str, ...]:
    again = f" x {n}" if n > 1 else ""
    return str(stop.effect), clean(stop.name), clean(stop.resource), stop.tier, cut(clean(stop.why), 14 - len(again)) + again


def _around(report: RunReport) -> Iterator[str]:
    tunnels = report.tally.tunnels
    if tried := report.around.total() + report.around_untold + tunnels.total():
        yield INDENT + f"tried to go around: {tried}"
    rows = [f"{_attempt(attempt)}   fence: refused" for attempt in report.around]
    rows += [
        f"not HTTP: {clean(place)}" + (f"  x {n}" if n > 1 else "") + "   gate: refused" for place, n in tunnels.most_common()
    ]
    yield from (INDENT + f"  {row}" for row in rows[:MOST_SHOWN])
    if len(rows) > MOST_SHOWN:
        yield INDENT + f"  and {len(rows) - MOST_SHOWN} more: outgate log --json"
    if report.tally.untrusting:
        names = ", ".join(sorted(clean(host) for host in report.tally.untrusting)[:MOST_SHOWN])
        yield INDENT + f"did not trust our certificate: {names}   see outgate doctor"
    for planted in report.planted[:MOST_SHOWN]:
        yield INDENT + f"would have run later, outside: {clean(str(planted.path))}   moved to {clean(planted.aside.name)}"


def _attempt(attempt: Attempt) -> str:
    who = f"{clean(attempt.process)} {attempt.pid} -> " if attempt.process else ""
    address = f"[{attempt.address}]" if ":" in attempt.address else attempt.address
    where = f"{address}:{attempt.port}" if attempt.port is not None else f"{attempt.protocol} {address}"
    asked = f" for {clean(attempt.name)}" if attempt.name else ""
    return f"{who}{where}{'/udp' if attempt.protocol == 'udp' else ''}{asked}"


def _proof(report: RunReport) -> Iterator[str]:
    decisions, outcomes = _count(report.log.decisions, "decision"), _count(report.log.outcomes, "outcome")
    state = "log verified" if not report.broken else f"LOG DOES NOT VERIFY: {report.broken}"
    yield f"proof: {decisions}, {outcomes}, {state} ({report.log.writer})"
    if report.lost:
        yield from wrapped(f"LOG BROKE OFF, and what came after was refused: {report.lost}", "       ", 80 - len(INDENT))


def _next(report: RunReport) -> Iterator[str]:
    if report.enforced or not report.tally.requests:
        return
    command = shlex.join(report.command)
    yield INDENT + "next:  outgate policy suggest > outgate.yaml"
    yield INDENT + f"       outgate run --policy outgate.yaml --enforce -- {command if len(command) <= 40 else '…'}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
