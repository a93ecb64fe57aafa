"""Processes that share a ledger or a desk, as many and as short-lived as a test wants, to be killed at any point.

    python sharing.py WHAT PATH WORDS

reads a number a line, forks a process for each that does WHAT with it, and answers with its id. What such a process has to
say it appends to WORDS, a line each, once it is true: `took 3`. At the end of the input all that are left are waited for.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.policy.decision import Match
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import Charge, Hold, Limit, Window
from outgate.stores.desk_sqlite import SqliteDesk
from outgate.stores.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(__file__).parents[2] / "proxy"
NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
KEYS = ("quota", "rate")
AT_ONCE = 25
LONGEST = 30
"""Seconds after which whatever still runs is ended."""


def charges(amount: int, size: int) -> tuple[Charge, ...]:
    """One of a quota and one of a rate, each of that size."""
    match = Match(rule="a", effect=Effect.THROTTLE, mode=Mode.ENFORCE)
    quota = Limit(amount=size, unit="count", window=Window.MONTH)
    rate = Limit(amount=size, unit="count", window=Window.HOUR)
    return tuple(
        Charge(key=key, limit=limit, amount=amount, hold=Hold.BINDING, match=match)
        for key, limit in zip(KEYS, (quota, rate), strict=True)
    )


async def take_at_once(path: Path, size: int, say: Callable[[str], None]) -> None:
    """AT_ONCE requests in parallel, of one each."""
    ledger = SqliteLedger.open(path)
    found = await asyncio.gather(*[ledger.reserve(charges(1, size), NOW) for _ in range(AT_ONCE)])
    say(f"took {sum(bool(one.taken) for one in found)}")
    await ledger.close()


async def take_and_settle(path: Path, seed: int, say: Callable[[str], None]) -> None:
    """Take three again and again, of a limit of 6000, sometimes use but one of them."""
    ledger, choice = SqliteLedger.open(path), random.Random(seed)

    async def one() -> None:
        for _ in range(1000):
            reserved = await ledger.reserve(charges(3, 6000), NOW)
            if not reserved.taken:
                say("over")
                return
            if choice.random() < 0.7:
                say("took 3")
            else:
                say("took 1")  # said before: it is the least that may be counted from here on
                await ledger.settle(reserved, dict.fromkeys(KEYS, 1))

    await asyncio.gather(*[one() for _ in range(4)])
    await ledger.close()


async def use_at_once(path: Path, many: int, say: Callable[[str], None]) -> None:
    """Ten requests in parallel, each with every grant."""
    desk = SqliteDesk.open(path)
    for n in range(many):
        used = await asyncio.gather(*[desk.use(f"grant-{n}", NOW) for _ in range(10)])
        for _ in range(used.count(True)):
            say(f"used grant-{n}")
    await desk.close()


async def use_and_restore(path: Path, seed: int, say: Callable[[str], None]) -> None:
    """Use grants in some order until killed; give some back that never left."""
    desk, choice = SqliteDesk.open(path), random.Random(seed)
    names = [f"grant-{n}" for n in range(300)]
    choice.shuffle(names)
    for name in names:
        if not await desk.use(name, NOW):
            continue
        if choice.random() < 0.3:
            say(f"restores {name}")
            await desk.restore(name)
        else:
            say(f"used {name}")
    await desk.close()


DOES = {one.__name__: one for one in (take_at_once, take_and_settle, use_at_once, use_and_restore)}


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Processes that do one thing with one file."""

    program: subprocess.Popen[str]
    words: Path

    def start(self, number: int) -> int:
        """Start one; give its process id."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(f"{number}\n")
        self.program.stdin.flush()
        return int(self.program.stdout.readline())

    def said(self) -> list[tuple[str, str]]:
        """What was said so far: a word and what follows it."""
        return [(word, rest) for word, _, rest in (line.partition(" ") for line in self.words.read_text().splitlines())]

    def end(self) -> None:
        """Wait for all."""
        assert self.program.stdin is not None
        self.program.stdin.close()
        assert self.program.wait(LONGEST) == 0

    def kill_many(self, many: int, choice: random.Random) -> None:
        """Start that many, a few at a time, and kill each at some point."""
        running: list[int] = []
        for number in range(many):
            running.append(self.start(number))
            time.sleep(choice.uniform(0.001, 0.03))
            if len(running) == 3:
                os.kill(running.pop(choice.randrange(3)), signal.SIGKILL)
        for process in running:
            os.kill(process, signal.SIGKILL)


@contextmanager
def sharing(what: Callable[..., object], path: Path) -> Iterator[Shared]:
    """Run this program."""
    words = path.with_name("words")
    words.touch()
    command = [sys.executable, __file__, what.__name__, str(path), str(words)]
    environ = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield Shared(program=program, words=words)
        finally:
            program.kill()


def tell(sink: int, word: str) -> None:
    os.write(sink, f"{word}\n".encode())


def forks(what: str, path: Path, words: Path) -> None:
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            signal.alarm(LONGEST)
            sink = os.open(words, os.O_WRONLY | os.O_APPEND)
            asyncio.run(DOES[what](path, int(line), partial(tell, sink)))
            os._exit(0)
        print(process, flush=True)
    with suppress(ChildProcessError):
        while True:
            _, status = os.wait()
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            if status and not killed:
                sys.exit(1)


if __name__ == "__main__":
    forks(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
