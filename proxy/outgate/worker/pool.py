"""The pool: what is small is read at once, in the loop; what takes long in processes, fairly, one body of an agent at a time."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from outgate.actions.identify import heavy
from outgate.actions.languages import preload
from outgate.errors import UnavailableError
from outgate.inspect.examine import examine
from outgate.intake.bodies import Undecodable
from outgate.intake.codings import codings_of, plain
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody
from outgate.worker.process import Worker
from outgate.worker.tasks import Identify, Name, Review, Search, body_of, done, headers_of

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Body, Request
    from outgate.policy.facts import Answered
    from outgate.worker.tasks import Found, Task

SMALL: Final = 32 * 1024
"""Bytes, decoded, that are read in the loop: the worst that anybody can send takes 20 ms or so."""
DEADLINE: Final = timedelta(seconds=60)
PROCESSES: Final = 2
_MOST_OF_ONE: Final = 256
_MOST: Final = 2048


@dataclass(slots=True, eq=False, kw_only=True)
class _Job:
    """What waits for a process, or has one. `file` is open on its spooled body: what it was may be gone by then."""

    agent: str
    task: Task
    catalog: Catalog | None
    file: int | None
    found: asyncio.Future[Found] = field(default_factory=asyncio.Future)

    def over(self) -> None:
        """Nobody reads its file any more."""
        if self.file is not None:
            os.close(self.file)
            self.file = None


class Pool:
    """A ports.Examiner. Processes are started when something first needs them, and stay."""

    def __init__(self, *, processes: int = PROCESSES, within: timedelta = DEADLINE) -> None:
        self._processes = processes
        self._within = within
        self._waiting: dict[str, deque[_Job]] = {}
        self._count = 0
        self._busy: set[str] = set()
        self._idle: list[Worker] = []
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False
        self._loading: asyncio.Future[None] | None = None

    async def actions(self, agent: str, request: Request, catalog: Catalog, *, data: bool) -> tuple[Action, ...]:
        if is_small(request.body, request.headers):
            if not heavy(request, catalog):
                return examine(request, catalog, data=data)
            self._load()
        found: Any = await self._enqueued(agent, Identify(request=request, data=data), catalog)
        return tuple(found)

    async def digest(self, agent: str, request: Request) -> str | None:
        found: str | None = await self._done(agent, Name(agent=agent, request=request))
        return found

    async def data(self, agent: str, content: bytes) -> frozenset[str]:
        found: frozenset[str] = await self._done(agent, Search(content=content))
        return found

    async def answered(self, agent: str, status: int, headers: tuple[tuple[str, str], ...], body: Body) -> Answered:
        found: Answered = await self._done(agent, Review(status=status, headers=headers, body=body))
        return found

    async def close(self) -> None:
        """End all processes. What waits for them is not done."""
        self._closed = True
        for queue in self._waiting.values():
            for job in queue:
                job.over()
                if not job.found.done():
                    job.found.set_exception(UnavailableError("the gate stops"))
        self._waiting.clear()
        for task in self._running:
            task.cancel()
        while self._running:
            await asyncio.wait(self._running)
        while self._idle:
            await self._idle.pop().end()

    def _load(self) -> None:
        """Import what parses small bodies, beside the loop: until it is there, they are read in a process."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(None, preload)

    async def _done(self, agent: str, task: Task, catalog: Catalog | None = None) -> Any:
        if is_small(body_of(task), headers_of(task)):
            return done(task, catalog)
        return await self._enqueued(agent, task, catalog)

    def _enqueued(self, agent: str, task: Task, catalog: Catalog | None) -> asyncio.Future[Found]:
        if self._closed:
            raise UnavailableError("the gate stops")
        queue = self._waiting.get(agent, ())
        if len(queue) >= _MOST_OF_ONE or self._count >= _MOST:
            raise UnavailableError("too many bodies wait to be read")
        job = _Job(agent=agent, task=task, catalog=catalog, file=_opened(body_of(task)))
        self._waiting.setdefault(agent, deque()).append(job)
        self._count += 1
        self._dispatch()
        return job.found

    def _dispatch(self) -> None:
        while not self._closed and len(self._running) < self._processes and (job := self._next()) is not None:
            self._busy.add(job.agent)
            task = asyncio.get_running_loop().create_task(self._run(job))
            self._running.add(task)
            task.add_done_callback(lambda ended, job=job: self._ended(ended, job))  # type: ignore[misc]  # a default binds it

    def _next(self) -> _Job | None:
        """The next one of whoever waits longest for a turn, and has nothing read right now."""
        for agent in [agent for agent in self._waiting if agent not in self._busy]:
            queue, job = self._waiting.pop(agent), None
            while queue and job is None:
                job = self._still_wanted(queue.popleft())
            if queue:
                self._waiting[agent] = queue  # behind all others
            if job is not None:
                return job
        return None

    def _still_wanted(self, job: _Job) -> _Job | None:
        self._count -= 1
        if not job.found.done():
            return job
        job.over()
        return None

    async def _run(self, job: _Job) -> None:
        worker = await self._worker()
        try:
            found = await worker.do(job.task, job.catalog, job.file, self._within)
        except BaseException:
            await worker.end()
            raise
        self._idle.append(worker)
        if not job.found.done():
            job.found.set_result(found)

    async def _worker(self) -> Worker:
        while self._idle:
            if (worker := self._idle.pop()).alive:
                return worker
            await worker.end()
        return await Worker.start()

    def _ended(self, task: asyncio.Task[None], job: _Job) -> None:
        self._running.discard(task)
        self._busy.discard(job.agent)
        job.over()
        error = UnavailableError("the gate stops") if task.cancelled() else task.exception()
        if error is not None and not job.found.done():
            job.found.set_exception(error)
        self._dispatch()


def is_small(body: Body, headers: tuple[tuple[str, str], ...]) -> bool:
    """Whether reading it takes no time that others would notice, whatever is in it."""
    size = _size(body)
    if size is None or size > SMALL:
        return False
    if not size or all(name != "content-encoding" for name, _ in headers) or not codings_of(headers):
        return True
    return isinstance(body, WholeBody) and not isinstance(plain(headers, body.content, limit=SMALL), Undecodable)


def _size(body: Body) -> int | None:
    """How much of it there is to read in memory; None where it is not in memory."""
    match body:
        case NoBody():
            return 0
        case WholeBody(content):
            return len(content)
        case UnreadBody(head=head):
            return len(head)
        case SpooledBody():
            return None


def _opened(body: Body) -> int | None:
    """Open it again: who has it may close it while this waits."""
    if not isinstance(body, SpooledBody):
        return None
    try:
        return os.open(body.path, os.O_RDONLY)
    except OSError as error:
        raise UnavailableError(f"a body that was kept can't be opened: {error.strerror}") from error
