"""Inline: examines at once, whatever the size. For tests, and for commands that decide without a gate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from outgate.intake.request import SpooledBody
from outgate.worker.tasks import Identify, Name, Review, Search, body_of, done, made_whole

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Body, Request
    from outgate.policy.facts import Answered
    from outgate.worker.tasks import Task


class Inline:
    """A ports.Examiner that does all of it in the loop."""

    async def actions(self, agent: str, request: Request, catalog: Catalog, *, data: bool) -> tuple[Action, ...]:  # noqa: ARG002
        found: tuple[Action, ...] = _done(Identify(request=request, data=data), catalog)
        return found

    async def digest(self, agent: str, request: Request) -> str | None:
        found: str | None = _done(Name(agent=agent, request=request))
        return found

    async def data(self, agent: str, content: bytes) -> frozenset[str]:  # noqa: ARG002  # nobody waits for anybody here
        found: frozenset[str] = _done(Search(content=content))
        return found

    async def answered(self, agent: str, status: int, headers: tuple[tuple[str, str], ...], body: Body) -> Answered:  # noqa: ARG002
        found: Answered = _done(Review(status=status, headers=headers, body=body))
        return found


def _done(task: Task, catalog: Catalog | None = None) -> Any:
    body = body_of(task)
    if isinstance(body, SpooledBody):
        descriptor = os.open(body.path, os.O_RDONLY)
        try:
            task = made_whole(task, descriptor)
        finally:
            os.close(descriptor)
    return done(task, catalog)
