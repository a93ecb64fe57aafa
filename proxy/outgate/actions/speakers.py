"""Speakers: the protocols that hosts speak, each of which says what a request in it does."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from outgate.actions.protocols import (
    a2a,
    aws,
    azure,
    google,
    graphql,
    grpc,
    kubernetes,
    msgraph,
    oauth,
    oci,
    packages,
    soap,
    webdav,
)
from outgate.actions.unreadable import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.actions.operation import Operation
    from outgate.actions.service import Service
    from outgate.intake.request import Request


def _as_sent(request: Request, _: Service) -> Request:
    """Give a request as it is. No lambda: a plug-in's speaker goes to another process by the names of its functions."""
    return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A protocol.

    `identify` gives every action of a request; none says that the request is not in this protocol: then method and path count.
    `wants_body` says from the head alone whether `identify` must see the body. `operations` are those that no file lists.
    """

    name: str
    wants_body: Callable[[Request, Service, Catalog], bool]
    identify: Callable[[Request, Service, Catalog], tuple[Action, ...]]
    operations: Callable[[str], tuple[Operation, ...]]
    """Of a service by its name."""
    plainly: Callable[[Request, Service], Request] = _as_sent
    """The request as method and path are looked up, where a path can be written in several ways."""
    overrides: bool = False
    """Its servers go by the method that a header names (see `overriding.py`), and not by that of the request line."""
    shared: bool = False
    """All hosts that speak it are one service, of its own name: the protocol alone says what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesser:
    """A protocol as it is recognised at a host that nobody declared: all that it says is a guess."""

    name: str
    may_be: Callable[[Request], bool]
    """From the head alone."""
    wants_body: Callable[[Request], bool]
    """Of a request that may be one: whether its body must be seen to know."""
    identify: Callable[[Request], tuple[Action, ...]]
    heavy: Callable[[Request], bool] = lambda _: False
    """Whether it takes long to parse, however small it is."""


def _never(_request: Request, _service: Service, _catalog: Catalog) -> bool:
    return False


def _nothing(_request: Request, _service: Service, _catalog: Catalog) -> tuple[Action, ...]:
    """Method and path say it all, as soon as it is known which ones count."""
    return ()


def _none(_service: str) -> tuple[Operation, ...]:
    return ()


class _Grammar(Protocol):
    """A module that reads a protocol of its own by the request alone."""

    OPERATIONS: tuple[Operation, ...]

    def may_be(self, request: Request, /) -> bool: ...
    def wants_body(self, request: Request, /) -> bool: ...
    def identify(self, request: Request, /, *, declared: bool) -> tuple[Action, ...]: ...


def _speaker(name: str, grammar: _Grammar) -> Speaker:
    return Speaker(
        name=name,
        wants_body=lambda request, _service, _catalog: grammar.wants_body(request),
        identify=lambda request, _service, _catalog: grammar.identify(request, declared=True),
        operations=lambda _: grammar.OPERATIONS,
        shared=True,
    )


def _guesser(name: str, grammar: _Grammar) -> Guesser:
    return Guesser(
        name=name,
        may_be=grammar.may_be,
        wants_body=grammar.wants_body,
        identify=lambda request: grammar.identify(request, declared=False),
    )


_GRAMMARS: Mapping[str, _Grammar] = {
    "kubernetes": kubernetes,
    "oci": oci,
    "packages": packages,
    "oauth": oauth,
    "a2a": a2a,
    "webdav": webdav,
}

SPEAKERS: Mapping[str, Speaker] = MappingProxyType(
    {
        speaker.name: speaker
        for speaker in (
            Speaker(name="aws", wants_body=aws.wants_body, identify=aws.identify, operations=aws.operations),
            Speaker(name="azure", wants_body=azure.wants_body, identify=azure.identify, operations=azure.operations, shared=True),
            Speaker(name="grpc", wants_body=grpc.wants_body, identify=grpc.identify, operations=grpc.operations),
            Speaker(
                name="google",
                wants_body=_never,
                identify=_nothing,
                operations=_none,
                plainly=google.plainly,
                overrides=True,
            ),
            Speaker(
                name="msgraph",
                wants_body=_never,
                identify=_nothing,
                operations=_none,
                plainly=msgraph.plainly,
                overrides=True,
            ),
            Speaker(name="soap", wants_body=soap.wants_body, identify=soap.identify, operations=soap.operations),
            Speaker(
                name="graphql",
                wants_body=lambda request, _service, _catalog: graphql.may_be(request) and graphql.wants_body(request),
                identify=lambda request, service, _catalog: graphql.spoken(request, service) if graphql.may_be(request) else (),
                operations=lambda _: graphql.OPERATIONS,
                shared=True,
            ),
            *(_speaker(name, grammar) for name, grammar in _GRAMMARS.items()),
        )
    }
)
"""By the name that `speaks:` says. `rest`, `git` and `mcp` are known to `identify.py` itself."""

GUESSERS: tuple[Guesser, ...] = (
    Guesser(name="grpc", may_be=grpc.speaks, wants_body=lambda _: False, identify=lambda request: grpc.identify(request, None)),
    Guesser(name="soap", may_be=soap.speaks, wants_body=soap.speaks, identify=lambda request: soap.identify(request, None)),
    Guesser(name="azure", may_be=azure.may_be, wants_body=lambda _: False, identify=azure.guess),
    *(_guesser(name, grammar) for name, grammar in _GRAMMARS.items()),
    Guesser(name="graphql", may_be=graphql.may_be, wants_body=graphql.wants_body, identify=graphql.guess, heavy=graphql.heavy),
)
"""In the order in which they are asked."""

__all__ = ["GUESSERS", "SPEAKERS", "Guesser", "Speaker", "unreadable"]
