"""Run Outgate and stock mitmdump in turn, and compare: what each manages, and what it takes for it."""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig import Direct, Mitmdump, Outgate, rig
from stages import stages


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is promised of one number: `at_least` or `at_most`."""

    what: str
    of: Callable[[dict[str, Any]], float]
    at_least: float | None = None
    at_most: float | None = None

    def row(self, found: dict[str, Any]) -> dict[str, Any]:
        value = self.of(found)
        met = (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)
        bound = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        return {"what": self.what, "value": value, "goal": bound, "met": met}


def ratio(name: str, key: str) -> Callable[[dict[str, Any]], float]:
    """Of each round, so that what slows the machine down for a while slows both down."""
    return lambda found: statistics.median(
        b[key] / a[key] for a, b in zip(found[name]["mitmdump"], found[name]["outgate"], strict=True)
    )


def ours(name: str, key: str) -> Callable[[dict[str, Any]], float]:
    return lambda found: statistics.median(row[key] for row in found[name]["outgate"])


def added(found: dict[str, Any]) -> float:
    rounds = zip(found["first event"]["direct"], found["first event"]["outgate"], strict=True)
    return statistics.median(b["first_ms"] - a["first_ms"] for a, b in rounds)


def each_kb(found: dict[str, Any]) -> float:
    return statistics.median(row["kept_mb"] * 1000 / row["connections"] for row in found["idle"]["outgate"])


GOALS = (
    Goal(what="keep-alive HTTPS, requests/s, against mitmdump", of=ratio("keep-alive", "per_second"), at_least=1.3),
    Goal(what="keep-alive HTTPS, CPU per request, against mitmdump", of=ratio("keep-alive", "cpu_us_each"), at_most=1),
    Goal(what="new client connections/s, against mitmdump", of=ratio("new", "per_second"), at_least=1.5),
    Goal(what="download, throughput, against mitmdump", of=ratio("download", "mb_per_second"), at_least=0.9),
    Goal(what="download, memory grown while it flows, MB", of=ours("download", "grew_mb"), at_most=20),
    Goal(what="upload, throughput, against mitmdump", of=ratio("upload", "mb_per_second"), at_least=0.9),
    Goal(what="upload, memory grown while it flows, MB", of=ours("upload", "grew_mb"), at_most=20),
    Goal(what="idle connections, memory each, KB", of=each_kb, at_most=60),
    Goal(what="first server-sent event, added to direct, ms", of=added, at_most=5),
)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with rig() as made:
        found["start to end of `outgate run -- true`, seconds"] = statistics.median(Outgate(made).idle() for _ in range(3))
        small = {"mitmdump": Mitmdump(made), "outgate": Outgate(made)}
        large = {"mitmdump": Mitmdump(made, streams=True), "outgate": Outgate(made, policy="lets-all-out")}
        few = max(1, asked.rounds // 3)
        try:
            for name, words, sides, rounds in (
                ("keep-alive", ("keepalive", str(asked.seconds), "8"), small, asked.rounds),
                ("new", ("new", str(asked.seconds), "8"), small, asked.rounds),
                ("first event", ("events", "30"), {"direct": Direct(made), **small}, asked.rounds),
                ("download", ("download", str(asked.bytes)), large, few),
                ("upload", ("upload", str(asked.bytes)), large, few),
                ("idle", ("idle", str(asked.idle)), small, few),
                ("asked", ("asked", str(asked.idle)), small, few),
            ):
                if not asked.only or name in asked.only:
                    found[name] = in_turn(sides, words, rounds)
                    print(name, json.dumps(found[name]), file=sys.stderr)
        finally:
            small["mitmdump"].close()
            large["mitmdump"].close()
    found["stages, µs"] = stages()
    found["goals"] = [goal.row(found) for goal in GOALS if not asked.only or _is_of(goal, found)]
    return found


def in_turn(sides: dict[str, Any], words: tuple[str, ...], rounds: int) -> dict[str, list[dict[str, float]]]:
    """One after the other, and the other way round the next time."""
    rows: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for turn in range(rounds):
        for side in reversed(sides) if turn % 2 else sides:
            rows[side].append(sides[side].run(*words))
    return rows


def _is_of(goal: Goal, found: dict[str, Any]) -> bool:
    try:
        goal.of(found)
    except KeyError:
        return False
    return True


def show(found: dict[str, Any]) -> None:
    for name in ("keep-alive", "new", "first event", "download", "upload", "idle", "asked"):
        for side, rows in found.get(name, {}).items():
            said = "  ".join(f"{key} {statistics.median(row[key] for row in rows):.1f}" for key in rows[0])
            print(f"{name:14}{side:10}{said}")
    for stage, micro in found["stages, µs"].items():
        print(f"{'stage':14}{stage:18}{micro:8.1f} µs")
    print(f"{'start':14}`outgate run -- true`  {found['start to end of `outgate run -- true`, seconds']:.2f} s\n")
    for row in found["goals"]:
        print(f"{'met' if row['met'] else 'MISSED':8}{row['value']:8.2f}  {row['goal']:8}  {row['what']}")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument(
        "--rounds", type=int, default=6, help="of what is quick; a third of it for large bodies and idle connections"
    )
    ask.add_argument("--seconds", type=float, default=4, help="each measurement of a rate")
    ask.add_argument("--bytes", type=int, default=1_000_000_000, help="of a large body")
    ask.add_argument("--idle", type=int, default=2000, help="idle connections")
    ask.add_argument("--only", nargs="*", default=[], help="keep-alive, new, 'first event', download, upload, idle, asked")
    ask.add_argument("--json", type=Path, help="where all numbers go too")
    asked = ask.parse_args()
    found = measure(asked)
    show(found)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2))


main()
