"""People: who may approve and operate, by their public keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PERSON = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
"""Small letters: no two names differ in case alone."""
EVERYBODY = "*"
GROUP = "group:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`keys` are public keys as OpenSSH writes them: `ssh-ed25519 AAAA…`, without the comment."""

    name: str
    groups: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody who is known, by name. `digest` names what was written."""

    by_name: Mapping[str, Person] = field(default_factory=lambda: MappingProxyType({}))
    digest: str = ""

    def among(self, of: Iterable[str]) -> frozenset[str]:
        """The names that a list of names, `group:<name>` and `*` stands for. Who is not known is nobody."""
        found: set[str] = set()
        for said in of:
            if said == EVERYBODY:
                found |= self.by_name.keys()
            elif said.startswith(GROUP):
                found |= {one.name for one in self.by_name.values() if said.removeprefix(GROUP) in one.groups}
            elif said in self.by_name:
                found.add(said)
        return frozenset(found)
