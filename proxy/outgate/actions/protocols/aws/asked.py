"""Asked: one request while it is read, and which operation it turns out to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgate.actions.arguments import Arguments
    from outgate.actions.mined import Part
    from outgate.actions.protocols.aws.atlas import Atlas
    from outgate.actions.protocols.aws.hosts import Endpoint
    from outgate.actions.protocols.aws.scope import Signature
    from outgate.actions.service import Service
    from outgate.intake.request import Request

type Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request at a host of AWS's, and who signed it. `parts` are the services that it may be for."""

    request: Request
    service: Service
    atlas: Atlas
    endpoint: Endpoint
    signed: Signature
    parts: tuple[str, ...]
    query: Pairs

    def speaking(self, *protocols: str) -> tuple[Part, ...]:
        """Give the services among them that declare one of these protocols."""
        wanted = frozenset(protocols)
        return tuple(self.atlas.parts[name] for name in self.parts if wanted & self.atlas.protocols[name])

    def headers(self, name: str) -> list[str]:
        """Give every value of a header."""
        return [value for key, value in self.request.headers if key == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Which operation it is. `how` is what said so; `also` are operations of other services that look just like it.

    `bucket` and `key` are what S3 is asked about: the key as it is stored, byte for byte where it is no text.
    """

    part: Part
    index: int
    how: str
    arguments: Arguments
    captures: tuple[str, ...] = ()
    also: tuple[tuple[Part, int], ...] = ()
    bucket: str = ""
    key: str = ""

    @property
    def operation(self) -> str:
        """Its name in AWS's catalog: `ec2.TerminateInstances`."""
        return self.part.facts[self.index].name


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why it can't be told which operation a request is."""

    why: str
