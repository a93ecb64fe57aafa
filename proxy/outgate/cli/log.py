"""`outgate log`: the decisions of all writers, newest last, one line each; `-f` goes on as they come."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path  # typer reads the annotation
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from outgate.cli.log_lines import Entry, Fold, Wanted, day_of, line_of, owes
from outgate.cli.would_lines import Would
from outgate.errors import ConfigError, Problem
from outgate.receipts.receipt import timestamp
from outgate.settings import state_folder
from outgate.stores.logs import LogTail, all_receipts, log_folder, may_grow, writers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.receipts.chain import Receipt

app = typer.Typer(rich_markup_mode=None, add_completion=False)

POLL = 0.2
"""Seconds between looks at growing logs."""
PATIENCE = 1.0
"""Seconds that a decision waits for its outcome before it is shown without one."""
MOST_BEFORE = 10
"""Decisions shown before following."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Answer(StrEnum):
    """What was done with a request."""

    ALLOW = "allow"
    THROTTLE = "throttle"
    ESCALATE = "escalate"
    SANDBOX = "sandbox"
    BLOCK = "block"


@app.command()
def log(  # noqa: PLR0913  # one parameter an option
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, of every gate here.")] = False,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only this agent's.")] = None,
    answer: Annotated[
        Answer | None,
        typer.Option(metavar="ANSWER", help="Only what was answered so: allow, throttle, escalate, sandbox, block."),
    ] = None,
    action: Annotated[str | None, typer.Option(metavar="PATTERN", help="Only actions like 'github.*'.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only from then on: 10m, 2h, 3d, or 2026-01-31T08:00.")
    ] = None,
    would: Annotated[
        bool,
        typer.Option("--would", help="What enforcing would stop: counted by rule and agent. With -f or --json, those alone."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The receipts themselves, one a line.")] = False,
    state: Annotated[Path | None, typer.Option(metavar="DIR", help="The state folder. Default: yours.")] = None,
) -> None:
    """Show decisions: time, answer, tier, action, what came of it, agent. ~block: let out, enforcing would block it."""
    start = timestamp(_since(since, datetime.now(UTC))) if since is not None else ""
    wanted = Wanted(agent=agent, answer=answer.value if answer else None, action=action, since=start, would=would)
    logs = log_folder(state or state_folder(os.environ))
    view = _Receipts(wanted) if as_json else _Counts(wanted) if would and not follow else _Lines(wanted)
    try:
        if follow:
            _follow(logs, view, whole=since is not None)
        view.take(all_receipts(logs, _warn))
        view.finish()
        if isinstance(view, _Lines) and not view.shown:
            _warn(f"nothing of that is in {logs}" if wanted != Wanted() else f"{logs} is empty, begin with: outgate run -- CMD…")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read us left; there is nobody to flush to
        raise SystemExit(141) from None


class _Receipts:
    """The receipts themselves; outcomes follow the decisions that are wanted."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._owed: set[tuple[str, int]] = set()

    def take(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            if self._has(receipt):
                _say(receipt.line.decode())

    def wait(self) -> None:
        """Nothing is held back."""

    def finish(self) -> None:
        """Nothing is held back."""

    def _has(self, receipt: Receipt) -> bool:
        match receipt.fields:
            case {"type": "outcome", "of": {"writer": str(writer), "seq": int(seq)}}:
                if (writer, seq) not in self._owed:
                    return False
                self._owed.discard((writer, seq))
                return True
            case {"type": "decision"} as fields if owes(fields) and self._wanted.has(receipt):
                self._owed.add((receipt.writer, receipt.seq))
                return True
            case _:
                return self._wanted.has(receipt)


class _Lines:
    """One line each, the day before the first of each day."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._fold = Fold()
        self._day = ""
        self._held_since: float | None = None
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def take(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            if receipt.type == "outcome" or self._wanted.has(receipt):
                self._show(self._fold.add(receipt))

    def wait(self) -> None:
        """Show what has waited for its outcome long enough: people watch."""
        now = time.monotonic()
        if not self._fold.holds:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = now
        elif now - self._held_since > PATIENCE:
            self.finish()

    def finish(self) -> None:
        self._show(self._fold.flush())
        self._held_since = None

    @property
    def shown(self) -> bool:
        """Whether there was a line."""
        return bool(self._day)

    def _show(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if (day := day_of(entry)) != self._day:
                self._day = day
                _say(f"--- {day}")
            _say(line_of(entry, shutil.get_terminal_size((80, 24)).columns, colour=self._colour))


class _Counts:
    """No line each: what would have been stopped, counted."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = replace(wanted, would=False)
        self._counted = Would()

    def take(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            if self._wanted.has(receipt):
                self._counted.add(receipt)

    def wait(self) -> None:
        """Nobody waits: it is said at the end."""

    def finish(self) -> None:
        for line in self._counted.lines():
            _say(line)


def _follow(logs: Path, view: _Receipts | _Lines | _Counts, *, whole: bool) -> NoReturn:
    """Show what comes, of writers that run and of those that begin. Without `whole`, only the last few from before."""
    seen = {folder.name for folder in writers(logs)}
    before = [folder for folder in writers(logs) if whole or may_grow(folder)]
    tails = {folder.name: LogTail(folder, newest=not whole) for folder in before}
    view.take(_batch(tails) if whole else deque(_batch(tails), maxlen=2 * MOST_BEFORE))
    while True:
        for folder in writers(logs):
            if folder.name not in seen:
                seen.add(folder.name)
                tails[folder.name] = LogTail(folder)
        view.take(_batch(tails))
        view.wait()
        time.sleep(POLL)


def _batch(tails: dict[str, LogTail]) -> list[Receipt]:
    """Read what every log has gained, in the order of time; leave those whose writer is gone."""
    found: list[Receipt] = []
    for name, tail in list(tails.items()):
        running = may_grow(tail.folder)
        found += tail.receipts(_warn)
        if not running:
            tail.close()
            del tails[name]
    return sorted(found, key=lambda receipt: str(receipt.fields["at"]))


def _since(said: str, now: datetime) -> datetime:
    if found := re.fullmatch(r"([0-9]{1,6})([smhdw])", said):
        return now - timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    try:
        return datetime.fromisoformat(said).astimezone()
    except ValueError as error:
        message = f"'{said}' is no time: use 10m, 2h, 3d, 2026-01-31 or 2026-01-31T08:00"
        raise ConfigError(Problem(source="--since", message=message)) from error


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _warn(problem: str) -> None:
    print(f"outgate: {problem}", file=sys.stderr)  # noqa: T201
