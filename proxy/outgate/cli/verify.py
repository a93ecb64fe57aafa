"""`outgate verify`: is the record whole, signed, and as it was written? Names the first receipt that is not."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.text import clean, wrapped
from outgate.errors import ConfigError, EvidenceError, Problem
from outgate.keys.ed25519 import VerifyKey, parse_vkey
from outgate.settings import state_folder
from outgate.stores.keyfile import public_key
from outgate.stores.logs import check_logs, log_folder, size_of, writers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outgate.receipts.verify import Verdict

app = typer.Typer(rich_markup_mode=None, add_completion=False)

INDENT = " " * 5
MOST_NAMED = 5


@app.command()
def verify(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A state folder, or one writer's log. Default: your state folder.")
    ] = None,
    *,
    key: Annotated[
        str | None, typer.Option(metavar="VKEY", help="The public key to check against, or its file. Default: the one beside.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check chain, signatures and completeness, offline. Exits 0 if the log is good, 1 if not."""
    state, folders = _found(folder or state_folder(os.environ))
    trusted = _key(key) if key is not None else public_key(state)
    progress = _Progress(sum(map(size_of, folders)), shown=sys.stderr.isatty())
    verdict = check_logs(folders, trusted, progress.read)
    progress.clear()
    print(json.dumps(_plain(verdict, trusted), indent=2) if as_json else "\n".join(_said(verdict, trusted, own=key is None)))  # noqa: T201
    raise SystemExit(0 if verdict.good else 1)


def _found(place: Path) -> tuple[Path, Sequence[Path]]:
    """Give the state folder and its logs, whichever of the three folders was named."""
    if folders := writers(log_folder(place)):
        return place, folders
    if place.is_dir() and any(place.glob("*.jsonl")):
        return place.resolve().parent.parent, [place]
    if folders := [folder for folder in writers(place) if any(folder.glob("*.jsonl"))]:
        return place.resolve().parent, folders
    raise ConfigError(Problem(source=str(place), message="there is no log here, name a state folder or a log's own"))


def _key(given: str) -> VerifyKey:
    try:
        path = Path(given)
        return parse_vkey(path.read_text("ascii") if path.is_file() else given)
    except (EvidenceError, UnicodeDecodeError) as error:
        raise ConfigError(Problem(source="--key", message=f"{error}")) from error
    except OSError as error:
        raise ConfigError(Problem(source="--key", message=f"{given}: {error.strerror}")) from error


def _said(verdict: Verdict, key: VerifyKey, *, own: bool) -> Iterator[str]:
    for first, problem in enumerate(verdict.problems):
        yield from wrapped(clean(problem), "bad  " if not first else INDENT)
    if verdict.good:
        yield "ok   " + _counted(verdict)
        yield INDENT + f"chain whole, signatures good, by {key.name}"
    for note in _notes(verdict):
        yield from wrapped(note, INDENT)
    if own:
        yield INDENT + "by the key beside the log; with --key, by one that you keep elsewhere"


def _counted(verdict: Verdict) -> str:
    decisions = sum(log.decisions for log in verdict.logs)
    outcomes = sum(log.outcomes for log in verdict.logs)
    logs = f"{len(verdict.logs)} logs, " if len(verdict.logs) > 1 else ""
    return f"{logs}{_n(decisions, 'decision')}, {_n(outcomes, 'outcome')}"


def _notes(verdict: Verdict) -> Iterator[str]:
    if verdict.open:
        yield f"still open, their writer runs: {_some(verdict.open)}"
    if verdict.unknown:
        yield f"let out, and nobody knows what came of it: {_some(verdict.unknown)}"
    for log in verdict.logs:
        if log.bad is None and (log.uncovered or log.torn):
            left = " and ".join(
                [*([_n(log.uncovered, "receipt")] if log.uncovered else []), *([f"{log.torn} bytes"] if log.torn else [])]
            )
            yield f"log {log.writer}: {left} after receipt {log.size - 1} without a signature; nothing they say took effect"


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return ", ".join(places[:MOST_NAMED]) + more


def _n(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _plain(verdict: Verdict, key: VerifyKey) -> dict[str, object]:
    return {
        "good": verdict.good,
        "key": key.vkey,
        "problems": list(verdict.problems),
        "open": list(verdict.open),
        "unknown": list(verdict.unknown),
        "logs": [
            {
                "writer": log.writer,
                "size": log.size,
                "root": log.root,
                "decisions": log.decisions,
                "outcomes": log.outcomes,
                "stopped": log.stopped,
                "uncovered": log.uncovered,
                "torn": log.torn,
                "bad": None if log.bad is None else {"seq": log.bad.seq, "why": log.bad.why, "follows": log.bad.follows},
            }
            for log in verdict.logs
        ],
    }


@dataclass(slots=True)
class _Progress:
    """Says how far it is, on a terminal, once it takes longer than a second."""

    total: int
    shown: bool = field(kw_only=True)
    done: int = 0
    began: float = field(default_factory=monotonic)
    said: int = -1

    def read(self, size: int) -> None:
        self.done += size
        percent = self.done * 100 // max(self.total, 1)
        if self.shown and percent > self.said and monotonic() - self.began > 1:
            self.said = percent
            print(f"\r{INDENT}{percent} %", end="", file=sys.stderr, flush=True)  # noqa: T201

    def clear(self) -> None:
        if self.said >= 0:
            print("\r" + " " * 12 + "\r", end="", file=sys.stderr, flush=True)  # noqa: T201
