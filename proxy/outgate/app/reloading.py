"""Hot reload: what people wrote is read again whole, found good, and adopted in one turn; or nothing changes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from outgate.app.looking import Looking, changed, young
from outgate.errors import ConfigError, EvidenceError, Problem, UnavailableError
from outgate.receipts.receipt import timestamp
from outgate.telemetry.logs import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from outgate.app.looking import Look
    from outgate.app.watching import Notes
    from outgate.digest import Json
    from outgate.ports import Alarm

EVERY = 1.0
"""Seconds between two looks at what people wrote. What still changes from one look to the next is not read yet."""
_YOUNG = 10.0
"""Seconds. What was written as shortly before a gate began may not be what it read."""
_TRIES = 3
_MOST_TOLD = 100
_MOST_RECORDED = 20


class Grounds(Protocol):
    """What was read whole, and found good."""

    @property
    def digests(self) -> Mapping[str, str]:
        """What it is, part by part."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """Where it was read, or would be."""
        ...

    def unlike(self, other: object) -> tuple[str, ...]:
        """What is not as in another one, and takes a restart."""
        ...


class Counts(Protocol):
    """Who counts reloads."""

    def reloaded(self, ok: bool) -> None: ...  # noqa: FBT001  # the one thing that it says


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What came of reading everything again. `problems`: then nothing changed.

    `restart`: what is not as it was when the gate began, and takes one.
    """

    at: datetime
    changed: bool = False
    problems: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """It was read, and holds now."""
        return not self.problems

    def said(self) -> dict[str, Json]:
        """For who asks."""
        return {
            "at": timestamp(self.at),
            "ok": self.ok,
            "changed": self.changed,
            "problems": list(self.problems[:_MOST_TOLD]),
            "restart": list(self.restart),
        }


class Reloading[G: Grounds]:
    """Reads what people wrote again when it changed, or when told to.

    `read` raises ConfigError where anything is wrong: then the last good one stays, people are told, and nothing is taken of
    what was read. It runs in a thread. `adopt` swaps, at once, and gives how many clients had to go.
    """

    def __init__(  # noqa: PLR0913  # one argument a port
        self,
        held: G,
        *,
        read: Callable[[], G],
        adopt: Callable[[G], int],
        now: Callable[[], datetime],
        notes: Notes,
        alarm: Alarm,
        counts: Counts,
    ) -> None:
        """`held` is what holds as the gate begins."""
        self.last: Reloaded | None = None
        self._began = held
        self._held = held
        self._read = read
        self._adopt = adopt
        self._now = now
        self._notes = notes
        self._alarm = alarm
        self._counts = counts
        self._looking = Looking()
        self._seen: Look = self._looking.look(held.files)
        self._doubtful = young(held.files, time.time(), _YOUNG)
        self._coming: Look | None = None
        self._blamed: tuple[Path, ...] = ()
        self._one = asyncio.Lock()

    async def watch(self, every: float = EVERY) -> None:
        """Look, again and again, whatever goes wrong in one of them."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # a watch that ended would keep what is old for good
                self._alarm.raise_for(error, "watching what people wrote")

    async def look(self) -> Reloaded | None:
        """Read everything again if a file changed and stays as it is. None: nothing did, or it is still being written."""
        seen = await self._looked()
        if seen == self._seen and not self._doubtful:
            self._coming = None
            return None
        if seen != self._coming:
            self._coming = seen
            return None
        return await self.now()

    async def now(self) -> Reloaded:
        """Read everything again. One at a time. Gives what came of it, and never raises."""
        async with self._one:
            before, came = await self._settled()
            result = await self._taken(came, changed(self._seen, before))
            self._doubtful = False
            self._blamed = _blamed(came)
            after = await self._looked()
            self._seen, self._coming = {**after, **before}, None  # what changed since is seen by the next look
            self.last = result
        return result

    def said(self) -> Json:
        """The last reload; None where there was none."""
        return self.last.said() if self.last else None

    @property
    def _restart(self) -> tuple[str, ...]:
        """What waited for a restart when everything was last read, and still does."""
        return self.last.restart if self.last else ()

    async def _looked(self) -> Look:
        return await asyncio.to_thread(self._looking.look, (*self._held.files, *self._blamed))

    async def _settled(self) -> tuple[Look, G | Exception]:
        """Everything, read while no file changed; after a few tries, that there is no such time."""
        before = await self._looked()
        for _ in range(_TRIES):
            came = await asyncio.to_thread(self._all)
            after = await self._looked()
            if not changed(before, after):
                return before, came
            before = after
        return before, ConfigError("the files change while they are read, write them first")

    def _all(self) -> G | Exception:
        """In a thread."""
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001  # whatever is wrong with what was written, what holds is not it
            return error

    async def _taken(self, came: G | Exception, files: tuple[Path, ...]) -> Reloaded:
        if isinstance(came, Exception):
            return await self._refused(came, files)
        was = self._held
        try:
            gone = self._adopt(came)
        except Exception as error:  # noqa: BLE001  # a defect of ours is told as loudly as one of theirs
            return await self._refused(error, files)
        self._held = came
        self._counts.reloaded(ok=True)
        result = Reloaded(
            at=self._now(), changed=bool(files) or was.digests != came.digests, restart=came.unlike(self._began), files=files
        )
        if result.changed:
            LOGGER.info("reloaded %s", ", ".join(map(str, files)) or "everything")
            await self._note("reload", {**_digests(was, came), **_named(files), "gone": gone, "restart": list(result.restart)})
        for what in set(result.restart).difference(self._restart):
            LOGGER.warning("'%s' was changed, and holds from the next start on", what)
        return result

    async def _refused(self, error: Exception, files: tuple[Path, ...]) -> Reloaded:
        """Nothing changes; everything that is wrong is named."""
        problems = tuple(map(str, _problems(error)))
        self._counts.reloaded(ok=False)
        self._alarm.raise_for(error, "reloading what people wrote")
        for problem in problems[:_MOST_TOLD]:
            LOGGER.error("not reloaded: %s", problem)
        await self._note("reload-refused", {**_named(files), "problems": list(problems[:_MOST_RECORDED]), "all": len(problems)})
        return Reloaded(at=self._now(), problems=problems, restart=self._restart, files=files)

    async def _note(self, what: str, about: dict[str, Json]) -> None:
        try:
            await self._notes.note(what, None, about)
        except (EvidenceError, UnavailableError) as error:  # a log that is closed lets nothing out, whatever it is decided by
            self._alarm.raise_for(error, f"recording '{what}'")


def _problems(error: Exception) -> tuple[Problem | str, ...]:
    if isinstance(error, ConfigError):
        return error.problems
    return (f"{type(error).__name__}: {error}",)


def _blamed(came: object) -> tuple[Path, ...]:
    """The files that something is wrong in, also those that nothing good names yet: putting them right is a change."""
    problems = came.problems if isinstance(came, ConfigError) else ()
    return tuple(dict.fromkeys(Path(one.source) for one in problems if Path(one.source).is_absolute()))


def _digests(was: Grounds, now: Grounds) -> dict[str, Json]:
    """Each part that is another now, as it was and as it is."""
    return {
        part: {"was": was.digests.get(part, ""), "is": digest}
        for part, digest in now.digests.items()
        if was.digests.get(part, "") != digest
    }


def _named(files: tuple[Path, ...]) -> dict[str, Json]:
    return {"files": [str(path) for path in files[:_MOST_RECORDED]]}
