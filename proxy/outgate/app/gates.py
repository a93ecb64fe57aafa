"""The gates that run in a state folder: where each can be asked, and what they answer."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outgate.errors import UnavailableError
from outgate.stores.logs import is_running, log_folder, writers
from outgate.telemetry.places import connected, is_served

if TYPE_CHECKING:
    import socket
    from pathlib import Path

PATIENCE = 2.0
"""Seconds in which a gate answers."""
_MOST = 16 << 20
_SUFFIX = ".sock"
_AT_ONCE = 16
_POLL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What one gate answered. `wrong` says why it did not; empty where it did."""

    writer: str
    said: dict[str, Any]
    wrong: str = ""


def gates_folder(state: Path) -> Path:
    """Where each running gate of a state folder has its socket."""
    return state / "gates"


def socket_path(state: Path, writer: str) -> Path:
    """The socket of one gate, named by its log."""
    return gates_folder(state) / f"{writer}{_SUFFIX}"


def sweep(state: Path) -> None:
    """Remove the sockets of gates that are gone: nobody holds their log, and nobody listens."""
    for path in _sockets(state):
        with suppress(OSError, UnavailableError):  # it stays, and nobody answers there
            if not is_running(log_folder(state) / path.stem) and not is_served(path):
                path.unlink(missing_ok=True)


def ask(state: Path, method: str, page: str, patience: float = PATIENCE) -> tuple[Answered, ...]:
    """Ask every gate that runs, all at once.

    Who holds a log and can't be asked may be a command that is about to end, or a gate that is about to listen: that is
    waited for. One that stays like that is told of.
    """
    end = time.monotonic() + patience
    answers = _asked(_sockets(state), method, page, patience)
    while silent := _running(state) - answers.keys():
        if time.monotonic() > end:
            answers |= {writer: Answered(writer=writer, said={}, wrong="it runs, and can't be asked") for writer in silent}
            break
        time.sleep(_POLL)
        answers |= _asked([path for path in _sockets(state) if path.stem in silent], method, page, patience)
    return tuple(answers[writer] for writer in sorted(answers))


def _asked(paths: list[Path], method: str, page: str, patience: float) -> dict[str, Answered]:
    if not paths:
        return {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(paths))) as pool:
        given = pool.map(lambda path: _ask(path, method, page, patience), paths)
        return {answer.writer: answer for answer in given if answer is not None}


def _ask(path: Path, method: str, page: str, patience: float) -> Answered | None:
    """None where nobody is there."""
    try:
        with connected(path) as link:
            link.settimeout(patience)
            link.sendall(f"{method} {page} HTTP/1.1\r\nHost: gate\r\n\r\n".encode("ascii"))
            return _answered(path.stem, _all(link))
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except TimeoutError:
        return Answered(writer=path.stem, said={}, wrong=f"it did not answer within {patience:g} seconds")
    except OSError as error:
        return Answered(writer=path.stem, said={}, wrong=error.strerror or str(error))


def _all(link: socket.socket) -> bytes:
    pieces, size = [], 0
    while size < _MOST and (piece := link.recv(1 << 16)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _answered(writer: str, answer: bytes) -> Answered:
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ")[1:2] != [b"200"]:
        said = body.decode("utf-8", "replace").strip() or "it closed without an answer"
        return Answered(writer=writer, said={}, wrong=said)
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return Answered(writer=writer, said={}, wrong="it answered something that is not understood")
    return Answered(writer=writer, said=value)


def _sockets(state: Path) -> list[Path]:
    try:
        return sorted(gates_folder(state).glob(f"*{_SUFFIX}"))
    except OSError:
        return []


def _running(state: Path) -> set[str]:
    """The writers that hold their log, as far as that can be told."""
    with suppress(UnavailableError):
        return {folder.name for folder in writers(log_folder(state)) if is_running(folder)}
    return set()
