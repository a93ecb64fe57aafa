"""Look up names with the system's resolver: in our own threads, bounded in time, in number and in memory."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from outgate.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

type Address = IPv4Address | IPv6Address
type Addresses = tuple[Address, ...]

_FOUND_FOR = timedelta(seconds=30)
_MISSED_FOR = timedelta(seconds=2)
_REMEMBERED = 4096
_ASKED_AT_ONCE = 256
_MOST_ADDRESSES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What was found, in the order of preference; empty where the name has no address."""

    addresses: Addresses
    until: float


class Lookup:
    """Names to addresses.

    Threads are our own and daemons: the event loop's pool is for files, and a nameserver that never answers must hold up
    neither other work nor the program's end.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        ask: Callable[[str], Addresses] | None = None,
        threads: int = 8,
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        self._monotonic = monotonic
        self._ask = ask or system_addresses
        self._most_threads = threads
        self._patience = patience
        self._questions: SimpleQueue[tuple[str, Future[Addresses]] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._asked: dict[str, asyncio.Future[Addresses]] = {}
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def addresses(self, name: str) -> Addresses:
        """All addresses of a canonical name. Raises UnavailableError with a sentence where there are none, or none in time."""
        kept = self._kept.get(name)
        if kept is None or kept.until <= self._monotonic():
            kept = self._keep(name, await self._answered(name))
        if not kept.addresses:
            raise UnavailableError(f"the name {name} has no address")
        return kept.addresses

    def forget(self, name: str) -> None:
        """Ask again next time: what was found does not work."""
        self._kept.pop(name, None)

    def close(self) -> None:
        """Let idle threads end. Those that wait for a nameserver end with the program."""
        for _ in self._threads:
            self._questions.put(None)
        self._threads.clear()

    async def _answered(self, name: str) -> Addresses:
        asked = self._asked.get(name) or self._start(name)
        try:
            return await asyncio.wait_for(asyncio.shield(asked), self._patience.total_seconds())
        except TimeoutError as error:
            raise UnavailableError(f"the name {name} could not be looked up in time") from error
        except socket.gaierror as error:
            if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
                return ()
            raise UnavailableError(f"the name {name} could not be looked up") from error
        except (OSError, UnicodeError) as error:
            raise UnavailableError(f"the name {name} could not be looked up") from error

    def _start(self, name: str) -> asyncio.Future[Addresses]:
        if len(self._asked) >= _ASKED_AT_ONCE:
            raise UnavailableError("too many names are being looked up at once")
        if len(self._threads) < self._most_threads:
            thread = Thread(target=_work, args=(self._questions, self._ask), name="outgate-names", daemon=True)
            self._threads.append(thread)
            thread.start()
        question: Future[Addresses] = Future()
        self._asked[name] = asked = asyncio.wrap_future(question)
        asked.add_done_callback(lambda done: self._ended(name, done))
        self._questions.put((name, question))
        return asked

    def _ended(self, name: str, done: asyncio.Future[Addresses]) -> None:
        self._asked.pop(name, None)
        if not done.cancelled():
            done.exception()  # seen: whoever asked may have left

    def _keep(self, name: str, addresses: Addresses) -> _Kept:
        lasting = _FOUND_FOR if addresses else _MISSED_FOR
        kept = _Kept(addresses=addresses[:_MOST_ADDRESSES], until=self._monotonic() + lasting.total_seconds())
        self._kept[name] = kept
        self._kept.move_to_end(name)
        while len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
        return kept


def system_addresses(name: str) -> Addresses:
    """Ask the system, blocking: its hosts file, its nameservers, its order of preference (RFC 6724). Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ip_address(str(place[0]).partition("%")[0]) for *_, place in found))


def _work(questions: SimpleQueue[tuple[str, Future[Addresses]] | None], ask: Callable[[str], Addresses]) -> None:
    while (question := questions.get()) is not None:
        name, future = question
        try:
            future.set_result(ask(name))
        except (OSError, UnicodeError) as error:
            future.set_exception(error)
