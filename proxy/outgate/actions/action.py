"""Action: what a request does."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Access(StrEnum):
    """What kind of thing is done."""

    READ = "read"
    LIST = "list"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"
    EXECUTE = "execute"
    PAY = "pay"
    SEND = "send"
    AUTH = "auth"
    PUBLISH = "publish"
    UNKNOWN = "unknown"

    @property
    def only_reads(self) -> bool:
        """Nothing changes at the other side."""
        return self in {Access.READ, Access.LIST}


class Tier(IntEnum):
    """How bad the worst case is: read · write, send, execute · delete, config, money · bulk, irreversible."""

    T0 = 0
    T1 = 1
    T2 = 2
    T3 = 3


class Confidence(StrEnum):
    """Where the mapping comes from. `heuristic` and `unknown` are unmapped: policy says so separately."""

    OVERRIDE = "override"
    CATALOG = "catalog"
    PROTOCOL = "protocol"
    HEURISTIC = "heuristic"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in the currency's minor unit (ISO 4217): 1999 GBP is £19.99."""

    minor: int
    currency: str


type Param = str | int | bool | Money | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that a request does.

    `operation` is the vendor's own name where there is one. `resource` is what it is done to, for people and for `match`;
    `instance` whose that is: `bucket:logs`, `organisation:acme`, `account:123456789012`; empty where the request does not say.
    `data` are the classes of data that go out with it. `count` is how many times it is done (aliases, keys, rows asked).
    `exact`: its path has one reading, as whoever serves it takes every byte of it as it is sent. `why` says in a word or a
    sentence what the tier comes from; `evidence` names the table or rule that mapped it.
    """

    service: str
    operation: str
    resource: str = ""
    instance: str = ""
    access: Access = Access.UNKNOWN
    tier: Tier = Tier.T2
    params: Mapping[str, Param] = field(default_factory=lambda: MappingProxyType({}))
    data: frozenset[str] = frozenset()
    count: int = 1
    confidence: Confidence = Confidence.UNKNOWN
    exact: bool = False
    why: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`service.operation`: what rules, logs and people say."""
        return f"{self.service}.{self.operation}"

    @property
    def mapped(self) -> bool:
        """A table or a protocol's grammar says what this is; no guess was needed."""
        return self.confidence in {Confidence.OVERRIDE, Confidence.CATALOG, Confidence.PROTOCOL}
