"""Examples of a service file: requests, and what they must be. Each is a test of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from outgate.actions.action import Money
from outgate.actions.identify import identify
from outgate.intake.reading import read
from outgate.intake.request import Unreadable
from outgate.policy.call import call

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Action, Param
    from outgate.actions.catalog import Catalog
    from outgate.document import Document
    from outgate.errors import Problem

_FORM = "application/x-www-form-urlencoded"


def count(document: Document) -> int:
    """How many examples a file has."""
    return len(_listed(document))


def wrong(document: Document, catalog: Catalog) -> tuple[Problem, ...]:
    """Say of each example that does not hold what it says and what came, with its place."""
    found: list[Problem] = []
    for at, example in enumerate(_listed(document)):
        found.extend(document.problem(("examples", at), sentence) for sentence in _tried(example, catalog))
    return tuple(found)


def _listed(document: Document) -> list[Mapping[str, Any]]:
    root = document.value
    listed = root.get("examples") if isinstance(root, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _tried(example: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    line = str(example.get("request", ""))
    try:
        actions = _actions(line, example, catalog)
    except ValueError as error:
        yield str(error)
        return
    names = [action.name for action in actions]
    wanted = example.get("is")
    if names != (wanted if isinstance(wanted, list) else [wanted]):
        yield f"'{line}' is {', '.join(names) or 'no one request'}, not {wanted}"
        return
    first = actions[0]
    said = {"resource": first.resource, "access": first.access.value, "tier": first.tier.name, "instance": first.instance}
    for key in said.keys() & example.keys():
        if example[key] != said[key]:
            yield f"{key} of '{line}' is '{said[key]}', not '{example[key]}'"
    params = example.get("params")
    for name, value in params.items() if isinstance(params, dict) else ():
        if _shown(first.params.get(name)) != value:
            yield f"params.{name} of '{line}' is {_shown(first.params.get(name))}, not {value}"


def _actions(line: str, example: Mapping[str, Any], catalog: Catalog) -> tuple[Action, ...]:
    kind, content = _content(example)
    headers = {"Content-Type": kind} if kind else {}
    said = example.get("headers")
    headers |= {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}
    made = call(line, headers.items(), content)
    request = read(made.raw)
    if isinstance(request, Unreadable):
        return ()
    return identify(replace(request, body=made.body), catalog)


def _content(example: Mapping[str, Any]) -> tuple[str, bytes | None]:
    if "json" in example:
        return "application/json", json.dumps(example["json"]).encode()
    if "form" in example:
        return _FORM, str(example["form"]).encode()
    return "", str(example["text"]).encode() if "text" in example else None


def _shown(value: Param | None) -> str | int | bool | list[str] | None:
    match value:
        case Money():
            return f"{value.minor} {value.currency}"
        case tuple():
            return list(value)
        case _:
            return value
