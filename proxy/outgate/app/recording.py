"""Keeps real answers for the sandbox as they pass, where an operator asked for it: bounded, redacted, beside the gate's loop."""

from __future__ import annotations

from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, UnavailableError
from outgate.inspect.credentials import without_credentials
from outgate.stores.recordings import Recording, RecordingSwitch, keep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from outgate.actions.catalog import Catalog
    from outgate.admission import Admitted
    from outgate.intake.request import Request
    from outgate.mock.recording import Recorded
    from outgate.ports import Alarm, Clock

LOOK_EVERY = 1.0
"""Seconds. How soon a gate sees that recording begins or ends."""
LARGEST = 256 * 2**10
"""Bytes of one answer; a larger one is not kept. As in mock/recording.py, which is imported only when something is."""
_WAITING = 64
"""Answers that wait to be written. More are let go: nobody waits for a recording."""


class Recorder:
    """Gives who reads an answer along, for answers that are to be kept.

    What goes wrong in keeping one goes to `alarm`; the answer itself is never touched.
    """

    def __init__(self, state: Path, *, catalog: Callable[[], Catalog], clock: Clock, alarm: Alarm) -> None:
        self._switch = RecordingSwitch(state)
        self._catalog = catalog
        self._clock = clock
        self._alarm = alarm
        self._known: Recording | None = None
        self._looked: float | None = None
        self._waiting: SimpleQueue[tuple[Path, Recorded] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def tap(self, admitted: Admitted) -> AnswerTap | None:
        """Who reads the answer to this request along; None where nobody asked for it. Never raises."""
        recording = self._current()
        if recording is None or admitted.mocked or admitted.request.websocket or len(admitted.services) != 1:
            return None
        (service,) = admitted.services
        if not recording.covers(service, self._clock.now()) or self._waiting.qsize() >= _WAITING:
            return None
        request = without_credentials(admitted.request, self._catalog())
        return AnswerTap(service=service, request=request, keep=partial(self._put, recording.folder / f"{service}.yaml"))

    def close(self) -> None:
        """Write what waits, and end."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(timeout=5)

    def _current(self) -> Recording | None:
        now = self._clock.monotonic()
        if self._looked is None or now - self._looked >= LOOK_EVERY:
            self._known, self._looked = self._switch.current(), now
        return self._known

    def _put(self, path: Path, recorded: Recorded) -> None:
        self._waiting.put((path, recorded))
        if self._thread is None:
            self._thread = Thread(target=self._work, name="outgate-recorder", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            try:
                _write(*waiting)
            except (ConfigError, UnavailableError) as error:
                self._alarm.raise_for(error, "keeping an answer for the sandbox")


def _write(path: Path, recorded: Recorded) -> None:
    from outgate.mock.recording import entry, merged, written

    made = entry(recorded)
    if made is not None:
        keep(path, lambda known: written(recorded.service, merged(known, made)))


class AnswerTap:
    """Reads one answer along, and keeps no more of it than may be recorded."""

    def __init__(self, *, service: str, request: Request, keep: Callable[[Recorded], None]) -> None:
        self._service = service
        self._request = request
        self._keep = keep
        self._body: bytearray | None = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Read what just came."""
        if self._body is not None:
            self._body += chunk
            if len(self._body) > LARGEST:
                self._body = None

    def end(self, status: int, headers: tuple[tuple[str, str], ...], *, whole: bool) -> None:
        """Hand it on, where all of it came."""
        from outgate.mock.recording import Recorded

        body, self._body = self._body, None
        if whole and body is not None and 200 <= status < 500:
            recorded = Recorded(service=self._service, request=self._request, status=status, headers=headers, body=bytes(body))
            self._keep(recorded)
