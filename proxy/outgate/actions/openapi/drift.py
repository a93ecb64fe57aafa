"""Where a service file and the document that it was made of have come apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HOLE = re.compile(r"\{[^{}]*?(\+?)\}")
_TIERS = ("T0", "T1", "T2", "T3")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Difference:
    """One difference. `milder` is no drift but what a person may have meant: the file says less than would be judged."""

    kind: Literal["new", "gone", "host", "milder"]
    what: str
    said: str = ""

    @property
    def drifts(self) -> bool:
        """Whether the file no longer says what the document does."""
        return self.kind != "milder"

    def __str__(self) -> str:
        match self.kind:
            case "new":
                return f"in the document, not in the file: {self.what}"
            case "gone":
                return f"in the file, not in the document: {self.what}"
            case "host":
                return f"hosts: {self.what}"
            case "milder":
                return f"milder than it would be judged: {self.what}, {self.said}"


def drift(file: Mapping[str, Any], draft: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Compare a service file with what the document gives now. An operation is its method and path, whatever it is called."""
    return tuple(sorted({*_hosts(file, draft), *_routes(file, draft)}))


def _hosts(file: Mapping[str, Any], draft: Mapping[str, Any]) -> Iterator[Difference]:
    ours, theirs = (frozenset(map(_shape, _many(one.get("hosts")))) for one in (file, draft))
    yield from (Difference(kind="host", what=f"{host} is not in the file") for host in theirs - ours)
    yield from (Difference(kind="host", what=f"{host} is not in the document") for host in ours - theirs)


def _routes(file: Mapping[str, Any], draft: Mapping[str, Any]) -> Iterator[Difference]:
    ours, theirs = _by_route(file), _by_route(draft)
    for route in theirs.keys() - ours.keys():
        name, value = theirs[route]
        yield Difference(kind="new", what=f"{route}  {name}, {value.get('access')}, {value.get('tier')}")
    for route in ours.keys() - theirs.keys():
        yield Difference(kind="gone", what=f"{route}  {ours[route][0]}")
    for route in theirs.keys() & ours.keys():
        (name, said), (_, judged) = ours[route], theirs[route]
        if _weight(said) < _weight(judged):
            told = f"{said.get('access')} {said.get('tier')}, judged {judged.get('access')} {judged.get('tier')}"
            yield Difference(kind="milder", what=name, said=told)


def _weight(value: Mapping[str, Any]) -> int:
    tier = value.get("tier")
    return _TIERS.index(tier) if tier in _TIERS else len(_TIERS)


def _by_route(file: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    operations = file.get("operations")
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for name, value in operations.items() if isinstance(operations, dict) else ():
        for on in _many(value.get("on")) if isinstance(value, dict) else ():
            methods, _, template = on.partition(" ")
            for method in methods.split("|"):
                found[f"{method} {_shape(template.strip())}"] = (name, value)
    return found


def _shape(template: str) -> str:
    return _HOLE.sub(r"{\1}", template)


def _many(said: Any) -> list[str]:
    listed = said if isinstance(said, list) else [said]
    return [one for one in listed if isinstance(one, str)]
