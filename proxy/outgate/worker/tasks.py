"""Tasks: what is asked of whoever reads bodies, and how each is done, in whichever process that is."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from outgate.approvals.request import request_digest
from outgate.errors import UnavailableError
from outgate.inspect.examine import examine
from outgate.inspect.secrets import SECRET, secrets_in
from outgate.intake.bodies import WHOLE_LIMIT
from outgate.intake.request import BODY_HEAD, SpooledBody, UnreadBody, WholeBody
from outgate.policy.answered import answered_of

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Body, Request
    from outgate.policy.facts import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """What a request does; with the `data` in it where that is asked for."""

    request: Request
    data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """Its request_digest."""

    agent: str
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which classes of data are in some bytes."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What an answer says."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: Body = field(repr=False)


type Task = Identify | Name | Search | Review
type Found = tuple[Action, ...] | str | frozenset[str] | Answered | None


def done(task: Task, catalog: Catalog | None) -> Found:
    """Do it. Its body, if it has one, is whole. A catalog is there where something is to be identified."""
    match task:
        case Identify(request=request, data=data):
            assert catalog is not None
            return examine(request, catalog, data=data)
        case Name(agent=agent, request=request):
            return request_digest(agent, request)
        case Search(content=content):
            return frozenset({SECRET} if secrets_in(content) else ())
        case Review(status=status, headers=headers, body=body):
            return answered_of(status, headers, body)


def body_of(task: Task) -> Body:
    """Whatever must be read for it."""
    match task:
        case Identify(request=request) | Name(request=request):
            return request.body
        case Search(content=content):
            return WholeBody(content)
        case Review(body=body):
            return body


def headers_of(task: Task) -> tuple[tuple[str, str], ...]:
    """What is said of its body."""
    match task:
        case Identify(request=request) | Name(request=request):
            return request.headers
        case Search():
            return ()
        case Review(headers=headers):
            return headers


def made_whole(task: Task, descriptor: int) -> Task:
    """The same with its spooled body in memory. Raises UnavailableError where the file is not what was written down.

    What is too large for that is unread; its digest names it all the same.
    """
    body = body_of(task)
    assert isinstance(body, SpooledBody)
    whole = _whole(body, descriptor)
    match task:
        case Identify():
            return replace(task, request=replace(task.request, body=whole))
        case Name():
            named = whole if isinstance(whole, WholeBody) else body
            return replace(task, request=replace(task.request, body=named))
        case Review():
            return replace(task, body=whole)
        case Search():
            return task


def _whole(body: SpooledBody, descriptor: int) -> Body:
    if body.size > WHOLE_LIMIT:
        return UnreadBody(length=body.size, too_large=True, head=os.pread(descriptor, BODY_HEAD, 0))
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        content = file.read(body.size + 1)
    if len(content) != body.size or f"sha256:{hashlib.sha256(content).hexdigest()}" != body.digest:
        raise UnavailableError("a body that was kept is not what it was when it came")
    return WholeBody(content)
