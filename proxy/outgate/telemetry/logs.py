"""Logs: one JSON object a line, to a file or to standard error; never a credential, never onto the agent's terminal."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError
from outgate.inspect.mask import text as masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import TextIOWrapper
    from pathlib import Path

    from outgate.digest import Json
    from outgate.telemetry.metrics import Metrics

LOGGER = logging.getLogger("outgate")
_MOST_BYTES = 16 << 20
_KEPT = 3
_MESSAGE = 2000
_FRAMES = 30
_CAUSES = 5


@contextmanager
def logging_to(file: Path | None, level: str, lost: Callable[[], None]) -> Iterator[None]:
    """Send all logging of this process to `file`, or to standard error where there is none, until the block ends.

    `lost` is called for each line that can't be written. Raises UnavailableError where the file can't be opened.
    """
    handler = _opened(file, lost)
    handler.setFormatter(_JsonLines())
    handler.addFilter(_is_ours_or_grave)
    root = logging.getLogger()
    before, root.handlers = root.handlers, [handler]
    old_level = LOGGER.level
    LOGGER.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        LOGGER.setLevel(old_level)
        root.handlers = before
        _close(handler, lost)


class LogAlarm:
    """The gate's Alarm: written down with where it happened, and counted. Never raises."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def raise_for(self, error: BaseException, doing: str) -> None:
        self._metrics.alarmed(doing)
        LOGGER.error("failed while %s", doing, exc_info=error)


def _is_ours_or_grave(record: logging.LogRecord) -> bool:
    """Other libraries' details hold what they handle: hpack logs every header it decodes."""
    return record.name.partition(".")[0] == LOGGER.name or record.levelno >= logging.WARNING


def _opened(file: Path | None, lost: Callable[[], None]) -> logging.Handler:
    if file is None:
        return _ToStderr(lost)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _ToFile(file, lost)
    except OSError as error:
        raise UnavailableError(f"can't write the log {file}: {error.strerror or error}") from error


def _close(handler: logging.Handler, lost: Callable[[], None]) -> None:
    try:
        handler.close()
    except OSError:  # the disk is still full: what was lost is counted, and the program ends as it would have
        lost()


class _ToFile(RotatingFileHandler):
    """Bounded. What can't be written is counted, since standard error belongs to the agent."""

    def __init__(self, file: Path, lost: Callable[[], None]) -> None:
        super().__init__(file, maxBytes=_MOST_BYTES, backupCount=_KEPT, encoding="utf-8")
        self._lost = lost

    def _open(self) -> TextIOWrapper:
        """Also after each rollover: nobody else reads it."""
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # logging's own name
        self._lost()


class _ToStderr(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs only
    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(sys.stderr)
        self._lost = lost

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # logging's own name
        self._lost()


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Json] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage(), _MESSAGE),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line["fields"] = {str(name): masked(str(value), _MESSAGE) for name, value in fields.items()}
        if record.exc_info and record.exc_info[1] is not None:
            line["errors"] = list(_told(record.exc_info[1]))
        return json.dumps(line)


def _told(error: BaseException | None) -> Iterator[Json]:
    """The error and its causes: kind, masked message and places; no source lines and no locals."""
    for _ in range(_CAUSES):
        if error is None:
            return
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        yield {
            "kind": f"{type(error).__module__}.{type(error).__qualname__}",
            "message": masked(str(error), _MESSAGE),
            "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
