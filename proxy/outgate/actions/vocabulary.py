"""Vocabulary: parameters that mean the same thing in every service, and so have one kind."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

type Kind = Literal["string", "int", "bool", "money", "list"]
"""What a parameter is; one name has one kind in the whole catalog, so that `params.amount` always means the same type."""


def _names(kind: Kind, names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), kind)


VOCABULARY: Mapping[str, Kind] = MappingProxyType(
    _names("money", "amount")
    | _names("int", "limit max_tokens")
    | _names("list", "ids names recipients tables columns tools scopes images")
    | _names("string", "path url query model region account bucket key project tenant table statement")
    | _names("bool", "force dry_run recursive public where")
)
"""`limit` is how many rows or items are asked for; `where` whether something says which; `public` whether everybody may read."""
