"""Which fields of an operation become its parameters: what a rule would ask for, and never a secret or what people write."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from outgate.actions.openapi.naming import is_secret, snake
from outgate.actions.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outgate.actions.openapi.fields import Field
    from outgate.actions.vocabulary import Kind

MOST = 12
"""Parameters of one operation, beside those in its path."""
_KINDS: Mapping[str, Kind] = {"string": "string", "integer": "int", "boolean": "bool"}
_LIMITS = frozenset({"limit", "per_page", "page_size", "max_results", "results_per_page"})
_RECIPIENTS = frozenset({"to", "recipients", "to_addresses"})


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TELLING = _set(
    "account bucket cascade channel confirm count currency customer dry_run email force from group id key kind limit mode model "
    "name notify order owner permission project public quantity query reason recipient recursive ref region role scope sender "
    "status subscription table team tenant to type url user username visibility callback_url webhook_url redirect_url webhook"
)
_COSMETIC = _set(
    "page offset cursor after before sort order_by sort_by direction fields include expand format pretty locale lang language "
    "timezone accept content_type user_agent if_match if_none_match page_token next_token continuation_token"
)
_WRITTEN = _set("body comment content description html markdown message note notes subject summary text title")
_MINOR = re.compile(r"\b(cents?|pence|minor (currency )?units?|smallest (currency )?units?)\b", re.IGNORECASE)
_PLAIN = re.compile(r"[^\s.*]{1,100}")
_SUFFIX: Mapping[Kind, str] = {"string": "text", "int": "number", "bool": "flag", "list": "list", "money": "amount"}


def kind_of(field: Field) -> Kind | None:
    """What a field is as a parameter; None where it is no simple thing."""
    if field.type == "array":
        return "list" if field.items == "string" else None
    return _KINDS.get(field.type)


def worth(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Those that rules will ask for, in the order of the document."""
    found = [field for field in fields if _is_worth(field)]
    return tuple(sorted(found, key=_rank)[:MOST])


def _is_worth(field: Field) -> bool:
    name = snake(field.name)
    if field.place == "path" or kind_of(field) is None or not _PLAIN.fullmatch(field.name):
        return False
    if is_secret(field.name) or field.format in {"password", "binary", "byte"} or name in _COSMETIC:
        return False
    if field.place == "header":
        return name in VOCABULARY or field.type == "boolean"
    return _rank(field) < 9


def _rank(field: Field) -> int:
    name = snake(field.name)
    told = (name in VOCABULARY or name in _LIMITS, name in _TELLING, name.endswith(("_ids", "_url")), field.type == "boolean")
    if True in told:
        return told.index(True)
    if field.enum:
        return 4
    return 5 if field.required and name not in _WRITTEN else 9


def is_minor(field: Field) -> bool:
    """Whether a document says that an amount is in the currency's minor unit."""
    return field.type == "integer" and _MINOR.search(field.description) is not None


def name_of(field: Field) -> str:
    """The name that rules have for it: one name for what means the same in every service."""
    plain, kind = snake(field.name), kind_of(field)
    if plain in _LIMITS and kind == "int":
        return "limit"
    if plain in _RECIPIENTS and kind == "list":
        return "recipients"
    if VOCABULARY.get(plain) == kind:
        return plain
    name = re.sub(r"[^A-Za-z0-9_]+", "_", field.name).strip("_")
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,50}", name) else plain[:50] or "value"


def one_kind_each(fields: Iterable[Field], known: Mapping[str, Kind]) -> dict[str, Kind]:
    """Give each name the kind that is known of it, else the one that most fields of that name have."""
    counted: dict[str, Counter[Kind]] = {}
    for field in fields:
        kind = kind_of(field)
        if kind is not None:
            counted.setdefault(name_of(field), Counter())[kind] += 1
    most = {name: max(sorted(kinds), key=lambda kind, kinds=kinds: kinds[kind]) for name, kinds in counted.items()}  # type: ignore[misc]
    return {**most, **VOCABULARY, **known}


def renamed(name: str, kind: Kind, kinds: Mapping[str, Kind]) -> str | None:
    """The name under which a parameter of this kind goes; None where that means another thing as well."""
    if kinds.get(name, kind) == kind:
        return name
    other = f"{name}_{_SUFFIX[kind]}"
    return other if kinds.get(other, kind) == kind else None
