"""What a running gate keeps an eye on besides requests: the switch, and the machine's clock."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from outgate.app.clock import STEP
from outgate.errors import UnavailableError
from outgate.halt import Scope
from outgate.receipts.receipt import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.app.clock import SystemClock
    from outgate.digest import Json
    from outgate.halt import Halt
    from outgate.intake.agents import Agent
    from outgate.ports import Alarm
    from outgate.stores.switch import SwitchFile

_SHOWN = 100
EVERY = 0.1
"""Seconds between two looks at the switch. What is cut must be cut within one."""


class Notes(Protocol):
    """Who writes events down: the gate."""

    async def note(self, what: str, agent: Agent | None, about: Mapping[str, Json]) -> None: ...


class Cuts(Protocol):
    """Who carries the traffic: the engine."""

    def cut(self, covers: Callable[[Agent, frozenset[str]], bool]) -> int:
        """Drop what is under way for these agents and services, now, mid-byte. Gives how many requests or clients that were."""
        ...


class SwitchWatch:
    """Keeps one gate's switch current: what a new halt covers is cut, and what waits is decided again."""

    def __init__(self, *, switch: SwitchFile, engine: Cuts, again: Callable[[], None], notes: Notes, alarm: Alarm) -> None:
        """`again` has what is held decided again."""
        self._switch = switch
        self._engine = engine
        self._again = again
        self._notes = notes
        self._alarm = alarm
        self._to_cut: list[Halt] = []
        self._cut: dict[tuple[Scope, str], int] = {}
        self._told = ""
        self._owed: set[asyncio.Task[None]] = set()

    def look(self) -> None:
        """Take up what the switch says now. Everything that is newly halted is cut when this returns; only then written down."""
        added, removed = self._switch.refresh()
        for halt in removed:
            self._cut.pop(halt.of, None)
            self._note("resumed", _about(halt))
        self._to_cut.extend(added)
        while self._to_cut:
            halt = self._to_cut[0]
            self._cut[halt.of] = self._engine.cut(halt.covers)
            del self._to_cut[0]  # only now: what could not be cut is cut with the next look
            self._note("cut", {**_about(halt), "cut": self._cut[halt.of]})
        if added or removed:
            self._again()
        self._tell(self._switch.problem)

    def begin(self) -> None:
        """Write down what is halted as the gate begins."""
        if halts := self._switch.halts.halts:
            self._note("halted", {"halts": [str(halt) for halt in halts[:_SHOWN]], "all": len(halts)})
        self._tell(self._switch.problem)

    async def watch(self, every: float = EVERY) -> None:
        """Look, again and again. Whatever happens, the next look comes: a switch that nobody watches halts nobody."""
        while True:
            await asyncio.sleep(every)
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  # see above; what failed is told to people
                self._alarm.raise_for(error, "watching the switch")

    async def settled(self) -> None:
        """Wait until everything is written down, or could not be."""
        while self._owed:
            await asyncio.wait(tuple(self._owed))

    def said(self) -> dict[str, Json]:
        """What is halted, with how much each halt cut here."""
        halts = self._switch.halts.halts
        return {
            "halts": [{**_about(halt), "cut": self._cut.get(halt.of, 0)} for halt in halts],
            "problem": self._switch.problem,
        }

    def _tell(self, problem: str) -> None:
        """Once each time that it changes."""
        if problem and problem != self._told:
            self._alarm.raise_for(UnavailableError(problem), "reading the switch")
        self._told = problem

    def _note(self, what: str, about: Mapping[str, Json]) -> None:
        task = asyncio.get_running_loop().create_task(self._noted(what, about))
        self._owed.add(task)
        task.add_done_callback(self._owed.discard)

    async def _noted(self, what: str, about: Mapping[str, Json]) -> None:
        try:
            await self._notes.note(what, None, about)
        except Exception as error:  # noqa: BLE001  # the halt holds without its receipt; that one is missing is told
            self._alarm.raise_for(error, f"recording '{what}'")


class ClockWatch:
    """Writes down each step of the machine's clock, and raises an alarm for a large one."""

    def __init__(self, *, clock: SystemClock, notes: Notes, alarm: Alarm) -> None:
        """Be told of steps from now on, whoever notices them."""
        self._clock = clock
        self._notes = notes
        self._alarm = alarm
        self._steps: asyncio.Queue[float] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        clock.stepped = self._stepped

    async def watch(self, every: float = 1.0) -> None:
        """Look at the clock although nobody asks what time it is, and write down what is found."""
        while True:
            self._clock.now()
            try:
                async with asyncio.timeout(every):
                    step = await self._steps.get()
            except TimeoutError:
                continue
            await self.told(step)

    def _stepped(self, seconds: float) -> None:
        """In whichever thread it was noticed."""
        with suppress(RuntimeError):  # the loop is closed, and with it the log
            self._loop.call_soon_threadsafe(self._steps.put_nowait, seconds)

    async def told(self, step: float) -> None:
        """Write one down."""
        if abs(step) > STEP:
            said = (
                f"the machine's clock stepped by {step:+.1f} s: until it has been steady, rules that ask for the time can't tell"
            )
            self._alarm.raise_for(UnavailableError(said), "reading the clock")
        try:
            await self._notes.note("clock-stepped", None, {"milliseconds": round(step * 1000), "large": abs(step) > STEP})
        except Exception as error:  # noqa: BLE001  # a journal that is closed lets nothing out by itself
            self._alarm.raise_for(error, "recording a step of the clock")


def halted_by_scope(switch: SwitchFile) -> Mapping[Scope, Callable[[], int]]:
    """How many halts of each scope there are, for whoever asks."""

    def count(scope: Scope) -> int:
        return sum(halt.scope is scope for halt in switch.halts.halts)

    return {scope: partial(count, scope) for scope in Scope}


def _about(halt: Halt) -> dict[str, Json]:
    at = timestamp(halt.at) if halt.at else ""
    return {"scope": halt.scope.value, "name": halt.name, "why": halt.why, "by": halt.by, "since": at}
