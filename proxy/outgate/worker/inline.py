"""Inline: examines at once, whatever the size. For tests, and for what is small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.approvals.request import request_digest
from outgate.inspect.examine import examine
from outgate.inspect.secrets import SECRET, secrets_in
from outgate.policy.answered import answered_of

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Body, Request
    from outgate.policy.facts import Answered


class Inline:
    """A ports.Examiner that does all of it in the loop."""

    async def actions(self, request: Request, catalog: Catalog, *, data: bool) -> tuple[Action, ...]:
        return examine(request, catalog, data=data)

    async def digest(self, agent: str, request: Request) -> str | None:
        return request_digest(agent, request)

    async def data(self, content: bytes) -> frozenset[str]:
        return frozenset({SECRET} if secrets_in(content) else ())

    async def answered(self, status: int, headers: tuple[tuple[str, str], ...], body: Body) -> Answered:
        return answered_of(status, headers, body)
