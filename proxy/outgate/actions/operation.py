"""Operation: one thing that a service can do, how requests for it look, and what is read from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.action import Access, Tier
    from outgate.actions.vocabulary import Kind

type Place = Literal["query", "header", "form", "json", "args", "text"]
"""Where in a request: `args` is the query and the body together, JSON or form, as it comes; `text` is the whole body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a service can do. `name` may end in `*`: the rest is chosen by the request (`mcp.tools/call:*`)."""

    service: str
    operation: str
    access: Access
    tier: Tier
    params: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))
    why: str = ""
    evidence: tuple[str, ...] = ()
    """The tables and rules that say so; none where it is its service's file."""
    name: str = field(init=False)
    """`service.operation`, as rules say it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.service}.{self.operation}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where in a request a value stands. In `path`, `*` is every item of a list."""

    place: Place
    path: tuple[str, ...]

    @property
    def in_body(self) -> bool:
        return self.place in {"form", "json", "args", "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A typed parameter and where it comes from. `currency` is an amount's."""

    name: str
    kind: Kind
    source: Source
    currency: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """An operation is this when its parameters are those: `force: true`. It also is when they can't be read."""

    when: Mapping[str, str | bool]
    tier: Tier
    access: Access | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A body that says what is done, in a language of its own: `reads: {sql: json.statement, dialect: snowflake}`."""

    language: str
    source: Source | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


type Template = tuple[str, ...]
"""Text and names in turn, text first: `owner/repo` is `("", "owner", "/", "repo", "")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What people say of an operation that was mined. What is None stays as it was."""

    access: Access | None = None
    tier: Tier | None = None
    why: str | None = None
    resource: Template = ()
    instance: Template = ()
    params: tuple[Param, ...] = ()
    worse: tuple[Worse, ...] = ()
    egress: bool = False
    reads: Told | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How requests for one operation look, and what is read from them."""

    operation: Operation
    captures: tuple[str, ...] = ()
    resource: Template = ()
    """Empty: the path."""
    instance: Template = ()
    """Whose it is: `organisation:{owner}`."""
    params: tuple[Param, ...] = ()
    worse: tuple[Worse, ...] = ()
    egress: bool = False
    """The body may tell the service to fetch from elsewhere or to call others: those are actions too."""
    reads: Told | None = None

    @property
    def reads_body(self) -> bool:
        return self.egress or self.reads is not None or any(param.source.in_body for param in self.params)
