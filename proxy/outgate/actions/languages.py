"""Languages: bodies that say what is done in a language of their own, whatever the path."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from outgate.actions.protocols import batch, bulk, graphql, postgrest, sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.actions.action import Action
    from outgate.actions.arguments import Arguments
    from outgate.actions.operation import Operation, Told
    from outgate.actions.service import Service
    from outgate.intake.request import Request


_NEVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A request whose body says what it does. `action` is the operation that carries it, by method and path."""

    action: Action
    request: Request
    arguments: Arguments
    told: Told
    service: Service
    inner: Callable[[Request], tuple[Action, ...]]
    """What a request inside of this one does. One level deep: of a request in it, what would be inside is unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """`read` gives all actions of the request, mostly the envelope's own among them; at least one."""

    name: str
    read: Callable[[Envelope], tuple[Action, ...]]
    operations: Callable[[str], tuple[Operation, ...]]
    """What a service may be told in it, by the service's name."""
    options: frozenset[str] = frozenset()
    """What `reads:` may say beside the language and where it stands."""
    heavy: int = _NEVER
    """Bytes of a query and a body from which on they are read in a process of its own, however quick the machine."""
    is_loaded: Callable[[], bool] = lambda: True
    """Whether what it is parsed with is there. As long as it is not, all is heavy: importing takes longer than any parsing."""
    preload: Callable[[], None] = lambda: None


LANGUAGES: Mapping[str, Language] = MappingProxyType(
    {
        language.name: language
        for language in (
            Language(
                name="graphql",
                read=graphql.read,
                operations=graphql.operations,
                heavy=graphql.HEAVY,
                is_loaded=graphql.is_loaded,
                preload=graphql.preload,
            ),
            Language(name="postgrest", read=postgrest.read, operations=postgrest.operations),
            Language(name="sql", read=sql.read, operations=sql.operations, options=sql.OPTIONS, heavy=0),
            Language(name="bulk", read=bulk.read, operations=lambda _: ()),
            Language(name="batch-multipart", read=batch.read_multipart, operations=lambda _: ()),
            Language(name="batch-json", read=batch.read_json, operations=lambda _: (), options=frozenset({"below"})),
        )
    }
)
"""By the name that `reads:` says."""


def preload() -> None:
    """Import what small bodies are parsed with where they arrive. What is always heavy is parsed elsewhere."""
    for language in LANGUAGES.values():
        language.preload()
