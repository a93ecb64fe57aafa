"""What goes on beside requests in a running gate: the switch, hot reload, the clock, and the doors for its operator."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from outgate.app.gates import socket_path, sweep
from outgate.app.reloading import Reloading
from outgate.app.status import gate_status, unready
from outgate.app.watching import ClockWatch, SwitchWatch, halted_by_scope
from outgate.errors import ConfigError, Problem, UnavailableError
from outgate.telemetry.admin import Door, Pages, Rights, token_of
from outgate.telemetry.places import Endpoint, place_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from outgate.app.grounds import Grounds
    from outgate.app.parts import Parts
    from outgate.digest import Json
    from outgate.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A door that was asked for."""

    place: Path | Endpoint
    what: str
    rights: Rights


class Live:
    """Everything that keeps a gate current, from when it is built until it stops.

    `read` reads what people wrote, as it was read at the start. `doors` are those that were asked for, besides its own.
    `hangup`: SIGHUP has everything read again; without, it ends a program as it always did.
    """

    def __init__(
        self, parts: Parts, *, kind: str, read: Callable[[], Grounds], doors: tuple[Planned, ...] = (), hangup: bool = False
    ) -> None:
        """`parts` are built; nothing listens yet."""
        self._parts = parts
        self._kind = kind
        self._planned = doors
        self._hangup = hangup
        self._since = parts.clock.now()
        again = partial(_decide_again, parts)
        self.switch = SwitchWatch(switch=parts.switch, engine=parts.engine, again=again, notes=parts.gate, alarm=parts.alarm)
        self.clock = ClockWatch(clock=parts.clock, notes=parts.gate, alarm=parts.alarm)
        self.reloading: Reloading[Grounds] = Reloading(
            parts.found,
            read=read,
            adopt=self._adopt,
            now=parts.clock.now,
            notes=parts.gate,
            alarm=parts.alarm,
            counts=parts.metrics,
        )
        self._doors: list[Door] = []
        self._tasks: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        """Listen for the operator, and watch. Raises ConfigError and UnavailableError where what was asked for can't be had."""
        try:
            await self._listen()
        except BaseException:
            self._close()
            raise
        for scope, count in halted_by_scope(self._parts.switch).items():
            self._parts.metrics.halts(scope.value, count)
        self._parts.metrics.held(lambda: self._parts.gate.held)
        self._parts.metrics.connected(lambda: len(self._parts.engine.agents))
        self._in_force()
        self.switch.begin()
        for watch in (self.switch.watch(), self.clock.watch(), self.reloading.watch(), self._parts.asked.watch()):
            self._keep(asyncio.create_task(watch))
        if self._hangup:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload_soon)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._hangup:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        self._close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.switch.settled()

    def reload_soon(self) -> None:
        """Have everything read again."""
        self._keep(asyncio.create_task(self.reloading.now()))

    # doors

    async def _listen(self) -> None:
        parts = self._parts
        await asyncio.to_thread(sweep, parts.found.state)
        await self._own_door()
        for planned in self._planned:
            self._doors.append(await Door.bind(planned.place, planned.what, planned.rights, parts.alarm))
        pages = self._pages()
        for door in self._doors:
            parts.own.update(door.addresses)
            await door.open(pages)

    async def _own_door(self) -> None:
        """Where `outgate halt` and `status` ask. A gate that can't have it watches the switch all the same, and says so."""
        place = socket_path(self._parts.found.state, self._parts.journal.writer)
        try:
            self._doors.append(await Door.bind(place, "the gate", Rights(everything=True), self._parts.alarm))
        except UnavailableError as error:
            self._parts.alarm.raise_for(error, "listening for the operator")

    def _close(self) -> None:
        for door in self._doors:
            door.close()

    def _pages(self) -> Pages:
        return Pages(
            metrics=self._parts.metrics.text,
            unready=partial(unready, self._parts),
            status=self._status,
            refresh=self._refresh,
            reload=self._reload,
        )

    async def _status(self) -> Json:
        said = gate_status(
            self._parts, kind=self._kind, since=self._since, switch=self.switch.said(), reload=self.reloading.said()
        )
        return {**said, "unready": list(await unready(self._parts))}

    async def _refresh(self) -> Json:
        self.switch.look()
        return {**self.switch.said(), "agents": [*self._parts.seen.names, *self._parts.found.agents.by_name]}

    async def _reload(self) -> Json:
        return (await self.reloading.now()).said()

    # what changes

    def _adopt(self, found: Grounds) -> int:
        gone = self._parts.adopt(found, None if self._parts.agents is None else found.agents)
        self._in_force()
        return gone

    def _in_force(self) -> None:
        policy = self._parts.gate.ground.policy
        self._parts.metrics.in_force(policy.digest, str(policy.mode))

    def _keep(self, task: asyncio.Task[object]) -> None:
        """Remember it, and have somebody hear of it if it ends in an error: these only end when they are told to."""
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._parts.alarm.raise_for(error, "watching beside requests")


def doors_of(settings: Settings, metrics: str | None = None) -> tuple[Planned, ...]:
    """What was asked for, `metrics` instead of what the settings say of them. Raises ConfigError."""
    shown = metrics or settings.metrics
    places = [(place_of(settings.admin, "admin"), "admin")] if settings.admin else []
    places += [(place_of(shown), "metrics")] if shown else []
    return tuple(Planned(place=place, what=what, rights=_rights(place, what, settings)) for place, what in places)


def _rights(place: Path | Endpoint, what: str, settings: Settings) -> Rights:
    """Over a socket file, whoever may open it. Over TCP the token, except for metrics that only this machine can ask for.

    Metrics name agents and rules. Raises ConfigError.
    """
    everything = what == "admin"
    if not isinstance(place, Endpoint):
        return Rights(everything=everything)
    if place.is_near and not everything:
        return Rights(everything=False, tcp=True)
    if settings.admin_token_file is None:
        said = f"{place} can be reached by others: name an 'admin_token_file', or the path of a socket"
        raise ConfigError(Problem(source=what, message=said))
    return Rights(everything=everything, token=token_of(settings.admin_token_file), tcp=True)


def _decide_again(parts: Parts) -> None:
    parts.gate.adopt(parts.gate.ground)
