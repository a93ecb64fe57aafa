"""An overlay: what a person says of somebody else's document, in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from outgate.actions.openapi.operations import METHODS, SAYABLE
from outgate.actions.openapi.references import Spot
from outgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from outgate.document import Document
    from outgate.errors import Problem

LANGUAGE = "overlay/v1alpha"
_KEYS = ("outgate", "service", "operations")
_SERVICE = ("name", "title", "docs", "hosts", "auth", "bodies", "resources", "otherwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """`service` is as `x-outgate-service`; `operations` are as `x-outgate-action`, by operationId or by `METHOD /path`."""

    service: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    operations: Mapping[str, Spot] = field(default_factory=lambda: MappingProxyType({}))
    document: Document | None = None

    def strays(self, known: Collection[str]) -> list[Problem]:
        """Name the operations that the document has not."""
        if self.document is None:
            return []
        stray = [name for name in self.operations if name not in known]
        message = "the document has no operation '{}', name one by its operationId or as `GET /path`"
        return [self.document.problem(self.operations[name].path, message.format(name), key=True) for name in stray]


NOTHING = Overlay()


def read_overlay(document: Document) -> Overlay:
    """Read an overlay. Raises ConfigError with everything that is wrong in its form."""
    found: list[Problem] = []
    root = document.value
    if not isinstance(root, dict) or root.get("outgate") != LANGUAGE:
        raise ConfigError(document.problem((), f"an overlay starts with `outgate: {LANGUAGE}`"))
    _check(document, (), root, _KEYS, found)
    _check(document, ("service",), root.get("service"), _SERVICE, found)
    operations = root.get("operations") or {}
    if not isinstance(operations, dict):
        raise ConfigError(document.problem(("operations",), "`operations` is a table by operationId, or by `METHOD /path`"))
    for name, said in operations.items():
        _check(document, ("operations", name), said, SAYABLE, found)
    if found:
        raise ConfigError(*sorted(found))
    return Overlay(
        service=root.get("service") or {},
        operations={_canonical(name): Spot(said or {}, ("operations", name)) for name, said in operations.items()},
        document=document,
    )


def _check(document: Document, path: tuple[str, ...], said: Any, keys: tuple[str, ...], found: list[Problem]) -> None:
    if said is not None and not isinstance(said, dict):
        found.append(document.problem(path, f"this is a table of {', '.join(keys)}"))
        return
    stray = [key for key in said or () if key not in keys]
    message = "unknown key '{}', use one of " + ", ".join(keys)
    found.extend(document.problem((*path, key), message.format(key), key=True) for key in stray)


def _canonical(name: str) -> str:
    method, space, template = name.partition(" ")
    return f"{method.upper()} {template.strip()}" if space and method.lower() in METHODS else name
