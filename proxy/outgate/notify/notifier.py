"""Notifier: an Observer that tells people of new approvals, and never holds up who asked."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from outgate.notify.message import message_of
from outgate.notify.post import PostError, send
from outgate.ports import Bystander

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.digest import Json
    from outgate.notify.message import Message
    from outgate.notify.post import Post, Tls
    from outgate.ports import Alarm

WAITING = 100
"""Messages that wait for one place. Beyond, they are dropped: the next says how many."""
MOST, EVERY = 30, 600.0
"""Of one agent, in so many seconds: who is told too often stops reading."""
BACKOFF = (1.0, 4.0, 15.0, 60.0)
"""Seconds before each further try, but for jitter."""
GRACE = 2.0
"""Seconds for what is under way when the gate stops."""
DOING = "notifying people"


class Place(Protocol):
    """Where messages go."""

    @property
    def kind(self) -> str: ...
    def post(self, message: Message, now: int) -> Post: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the outside gives: time in seconds since 1970, jitter in [0, 1), trust by host, where to count and to complain."""

    now: Callable[[], float]
    jitter: Callable[[], float]
    tls: Tls
    counted: Callable[[str, str], None]
    alarm: Alarm
    backoff: tuple[float, ...] = BACKOFF


class Notifier(Bystander):
    """Told of everything, passes on `approval-asked`. One thread a place, so that none waits for another."""

    __slots__ = ("_couriers", "_means", "_recent", "_untold")

    def __init__(self, places: tuple[Place, ...], means: Means) -> None:
        self._means = means
        self._couriers = tuple(_Courier(place, means) for place in places)
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._untold: defaultdict[str, int] = defaultdict(int)

    def start(self) -> None:
        """Begin to send."""
        for courier in self._couriers:
            courier.start()

    def close(self) -> None:
        """Try what waits once more, for a moment; the rest waits on the desk all the same."""
        for courier in self._couriers:
            courier.stop()
        for courier in self._couriers:
            courier.end()

    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None:
        """Never waits, never raises."""
        if what != "approval-asked" or not self._couriers:
            return
        message = message_of(agent, about)
        if message is None:
            return
        if self._too_often(agent):
            self._untold[agent] += 1
            return
        message = replace(message, further=self._untold.pop(agent, 0))
        for courier in self._couriers:
            courier.take(message)

    def _too_often(self, agent: str) -> bool:
        now = self._means.now()
        recent = self._recent[agent]
        while recent and recent[0] <= now - EVERY:
            recent.popleft()
        if len(recent) >= MOST:
            return True
        recent.append(now)
        return False


class _Courier:
    """Brings messages to one place, in their order."""

    def __init__(self, place: Place, means: Means) -> None:
        self._place = place
        self._means = means
        self._messages: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._dropped = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"notify-{place.kind}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, message: Message) -> None:
        try:
            self._messages.put_nowait(replace(message, further=message.further + self._dropped))
            self._dropped = 0
        except queue.Full:
            self._dropped += 1 + message.further
            self._means.counted(self._place.kind, "dropped")

    def stop(self) -> None:
        """One try more for each that waits, and no further message."""
        self._stopping.set()
        with suppress(queue.Full):  # then the thread has something to do, and sees it when that is done
            self._messages.put_nowait(None)

    def end(self) -> None:
        if self._thread.is_alive():
            self._thread.join(GRACE)

    def _run(self) -> None:
        while (message := self._next()) is not None:
            try:
                self._brought(message)
            except PostError as error:
                self._means.counted(self._place.kind, "failed")
                self._means.alarm.raise_for(error, DOING)
            else:
                self._means.counted(self._place.kind, "sent")

    def _next(self) -> Message | None:
        try:
            return self._messages.get(block=not self._stopping.is_set())
        except queue.Empty:
            return None

    def _brought(self, message: Message) -> None:
        """Try, and try again. Raises what the last try raised."""
        for pause in (*self._means.backoff, None):
            try:
                send(self._place.post(message, int(self._means.now())), self._means.tls)
            except PostError as error:
                if pause is None or not error.again or self._stopping.wait(pause * (0.5 + self._means.jitter())):
                    raise
            else:
                return
