"""Names for what a document leaves without a good one: operations, services, variables of paths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.access import judge
from outgate.actions.action import Access

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_HOLE = re.compile(r"\{([^{}]*)\}")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_VERSION = re.compile(r"v[0-9][0-9a-z.]*|[0-9.]+")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLING = _set("a an and api apis for http of openapi rest service services spec specification swagger the web")
_ITEM = {"GET": "get", "HEAD": "head", "PUT": "replace", "PATCH": "update", "DELETE": "delete", "POST": "post"}
_COLLECTION = {"GET": "list", "HEAD": "head", "PUT": "replace", "PATCH": "update", "DELETE": "delete_all", "POST": "create"}
LONGEST = 96
"""Characters of a name: what is longer is shown nowhere whole."""


def service_name(title: str) -> str:
    """Make a service's name of a title: `Acme CRM REST API (v2)` is `acme-crm`. Empty where nothing of it can be in one."""
    words = [word for word in re.findall(r"[a-z0-9.]+", title.lower()) if word not in _FILLING and not _VERSION.fullmatch(word)]
    return "-".join(re.sub(r"[^a-z0-9]", "", word) for word in words).strip("-").lstrip("0123456789-")[:40].strip("-")


def snake(name: str) -> str:
    """Give a name in words: `dryRun`, `dry-run` and `DryRun` are `dry_run`."""
    return "_".join(part.lower() for part in _PART.findall(name))


def operation_name(said: str, method: str, template: str) -> str:
    """Give an operationId as rules may write it; of one that has none, what its method and path say."""
    plain = re.sub(r"[^A-Za-z0-9._/:-]+", "_", said.strip())
    plain = re.sub(r"^[^A-Za-z0-9]+", "", plain)[:LONGEST]
    return plain or _told(method, template)


def _told(method: str, template: str) -> str:
    """`GET /v1/contacts/{id}` is `contacts.get`, `POST /v1/contacts/{id}/archive` is `contacts.archive`."""
    segments = [segment for segment in template.split("/") if segment]
    literal = [re.sub(r"[^A-Za-z0-9_]+", "_", segment).strip("_") for segment in segments if "{" not in segment]
    words = [word for word in literal if word and not _VERSION.fullmatch(word.lower())] or ["root"]
    last = segments[-1] if segments else ""
    if "{" in last:
        verb, colon, deed = _ITEM.get(method, method.lower()), *last.rpartition("}")[2].partition(":")[1:]
        return ".".join((*words, deed if colon and deed else verb))
    if method == "POST" and len(words) > 1 and judge(words[-1]).access not in {Access.UNKNOWN, Access.READ, Access.LIST}:
        return ".".join(words)
    return ".".join((*words, _COLLECTION.get(method, method.lower())))


def distinct(name: str, template: str, taken: Collection[str]) -> str:
    """Give a name that nothing has yet: with what is in the path, else with a number."""
    return next(one for one in _others(name, template) if one not in taken)


def _others(name: str, template: str) -> Iterator[str]:
    yield name
    holes = [snake(hole) for hole in _HOLE.findall(template)]
    if holes:
        yield f"{name}_by_{'_'.join(filter(None, holes[-1:])) or 'id'}"
        yield f"{name}_by_{'_'.join(filter(None, holes)) or 'id'}"
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def routed(template: str, others: Collection[str]) -> tuple[str, dict[str, str]]:
    """Write a path's variables as service files do, and say which is which. One in `others`, of another kind, gets `_id`.

    A variable that names a secret is matched and forgotten.
    """
    names: dict[str, str] = {}

    def written(hole: re.Match[str]) -> str:
        said, many = hole[1].removesuffix("+"), "+" if hole[1].endswith("+") and hole[0] == _segment(template, hole) else ""
        if said.startswith("_"):
            name = said
        else:
            name = re.sub(r"[^A-Za-z0-9_]+", "_", said).strip("_") or "id"
            name = name[:1].lower() + name[1:] if name[:1].isalpha() else f"v{name}"
            name = f"{name}_id" if name in others else name
            name = f"_{name}" if is_secret(said) else name
        name = name[:56]
        while name in names.values():
            name += "_2"
        names[said] = name
        return f"{{{name}{many}}}"

    return _HOLE.sub(written, template), names


def _segment(template: str, hole: re.Match[str]) -> str:
    start = template.rfind("/", 0, hole.start()) + 1
    end = template.find("/", hole.end())
    return template[start : len(template) if end < 0 else end]


_SECRET = _set(
    "password passwd passphrase secret token apikey credential credentials otp pin cvv cvc ssn authorization signature"
)
_SECRET_PAIRS = ("api_key", "private_key", "access_key", "card_number", "secret_key")
_NO_SECRET = frozenset({"max_tokens", "page_token", "next_token", "continuation_token", "next_page_token"})


def is_secret(name: str) -> bool:
    """Whether what has this name is kept out of rules and records."""
    plain = snake(name)
    return plain not in _NO_SECRET and (not _SECRET.isdisjoint(plain.split("_")) or any(pair in plain for pair in _SECRET_PAIRS))
