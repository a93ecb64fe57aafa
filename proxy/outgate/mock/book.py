"""Canned answers, checked and ready: the routes of a service, and what each answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.router import Router
    from outgate.intake.bodies import JsonValue
    from outgate.mock.template import Name, Template

type Deed = Literal["create", "read", "list", "update", "delete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a stream; `text` where its data is no JSON."""

    event: Template | None = None
    data: Template
    text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How an answer looks. `body` None: the item, or nothing. `status` 0: what is usual."""

    status: int = 0
    headers: tuple[tuple[str, Template], ...] = ()
    kind: str = ""
    body: Template | None = None
    text: bool = False
    stream: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """How a list comes in pieces: `size` and `at` are names in the query; `style` says what `at` means."""

    size: str = ""
    default: int = 100
    most: int = 100
    style: Literal["after", "number", "offset", "cursor"] = "after"
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Things of one kind. `key` is their field that tells them apart, `by` the variable of a route that says which.

    `takes` are the fields that a request may set, None for all; `strangers` are changed too.
    """

    name: str
    key: str
    by: str
    id: Template
    within: tuple[str, ...] = ()
    new: Template
    takes: frozenset[str] | None = None
    root: str = ""
    listed: Reply = field(default_factory=Reply)
    newest: bool = False
    filters: tuple[str, ...] = ()
    page: Page = field(default_factory=Page)
    strangers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What a route answers, where its conditions hold."""

    conditions: tuple[tuple[Name, JsonValue], ...] = ()
    needs: tuple[Name, ...] = ()
    deed: Deed | None = None
    collection: Collection | None = None
    changes: Template | None = None
    reply: Reply = field(default_factory=Reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The answers of one route, in their order: the first whose conditions hold."""

    captures: tuple[str, ...]
    answers: tuple[Answering, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """All canned answers of one service."""

    service: str
    routes: Router[Route]
    headers: tuple[tuple[str, Template], ...] = ()
    missing: Reply | None = None
    invalid: Reply | None = None
    otherwise: Reply | None = None
    listed: tuple[str, ...] = ()
    """Every route as it is written, for people."""
    collections: Mapping[str, Collection] = field(default_factory=lambda: MappingProxyType({}))
