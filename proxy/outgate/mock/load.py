"""Load canned answers: every problem in every file, with its place, before anything is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from outgate.actions.router import Router, variables
from outgate.errors import ConfigError, Problem
from outgate.mock.book import Answering, Book, Collection, Event, Page, Reply, Route
from outgate.mock.form import DEEDS, FORM
from outgate.mock.names import fault
from outgate.mock.template import Said, has_each, holes, template
from outgate.policy.shapes import meant, problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outgate.document import Document
    from outgate.mock.book import Deed
    from outgate.mock.template import Template

type Steps = tuple[str | int, ...]

_ITEM = frozenset({"item"})
_LIST = frozenset({"page"})


def load(documents: Sequence[Document]) -> Book:
    """Read the files of one service; what a later one says of a route, a collection or a case replaces what an earlier one says.

    Where all that a later one says of a route has conditions, the earlier answers where they don't hold.

    Raises ConfigError with every problem.
    """
    found = [problem for document in documents for problem in problems(FORM, document)]
    if found:
        raise ConfigError(*sorted(found))
    files = [_File(document) for document in documents]
    merged = _Merged()
    for file in files:
        file.read(merged)
    found = [problem for file in files for problem in file.found]
    if found:
        raise ConfigError(*sorted(set(found)))
    return merged.book(documents[0].value["service"])


@dataclass(slots=True)
class _Merged:
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)

    def book(self, service: str) -> Book:
        router: Router[Route] = Router()
        for (method, path), route in self.routes.items():
            router.add(method, path, route)
        return Book(
            service=service,
            routes=router,
            listed=tuple(f"{method} {path}" for method, path in self.routes),
            collections=self.collections,
            **self.said,
        )


@dataclass(slots=True)
class _File:
    """One file while it is read."""

    document: Document
    found: list[Problem] = field(default_factory=list)

    def read(self, merged: _Merged) -> None:
        value = self.document.value
        own = {name: self._collection(name) for name in value.get("collections", {})}
        merged.collections |= own
        for key in ("missing", "invalid", "otherwise"):
            if key in value:
                merged.said[key] = self._reply((key,), frozenset(), frozenset({"lacks"}) if key == "invalid" else frozenset())
        if "headers" in value:
            merged.said["headers"] = tuple(self._headers(("headers",), frozenset(), frozenset()))
        routes: dict[tuple[str, str], list[tuple[Answering, int]]] = {}
        for number in range(len(value["answers"])):
            for route in self._on(number):
                routes.setdefault(route, []).append((self._answer(number, route, merged.collections), number))
        for route, answers in routes.items():
            self._route(route, answers, merged)

    def say(self, path: Steps, message: str, *, key: bool = False) -> None:
        self.found.append(self.document.problem(path, message, key=key))

    def at(self, path: Steps) -> Any:
        value = self.document.value
        for step in path:
            value = value[step]
        return value

    def _route(self, route: tuple[str, str], answers: list[tuple[Answering, int]], merged: _Merged) -> None:
        *before, _ = answers
        for answer, number in before:
            if not answer.conditions:
                self.say(("answers", number), f"nothing after this is ever answered to '{' '.join(route)}', add `if`")
        check: Router[Route] = Router()
        earlier = merged.routes[route].answers if route in merged.routes and answers[-1][0].conditions else ()
        made = Route(captures=variables(route[1]), answers=(*(answer for answer, _ in answers), *earlier))
        try:
            for method, path in {**merged.routes, route: made}:
                check.add(method, path, made)
        except ValueError as error:
            self.say(("answers", answers[0][1], "on"), str(error))
            return
        merged.routes[route] = made

    def _on(self, number: int) -> Iterator[tuple[str, str]]:
        said = self.at(("answers", number, "on"))
        for one in said if isinstance(said, list) else [said]:
            method, _, path = one.partition(" ")
            try:
                variables(path)
            except ValueError as error:
                self.say(("answers", number, "on"), str(error))
            else:
                yield method, path

    def _answer(self, number: int, route: tuple[str, str], collections: dict[str, Collection]) -> Answering:
        path: Steps = ("answers", number)
        said, captures = self.at(path), frozenset(variables(route[1]))
        deeds = [deed for deed in DEEDS if deed in said]
        if len(deeds) > 1:
            self.say(path, f"an answer does one thing, keep one of {', '.join(deeds)}")
        deed = cast("Deed", deeds[0]) if deeds else None
        collection = self._used((*path, deed), route, collections) if deed else None
        more = frozenset[str]() if deed is None else _LIST if deed == "list" else _ITEM
        if "set" in said and deed not in {"create", "update"}:
            self.say((*path, "set"), "only what is created or updated is set", key=True)
        return Answering(
            conditions=tuple(self._conditions((*path, "if"), captures)),
            needs=tuple(self._needs((*path, "needs"), captures)),
            deed=deed,
            collection=collection,
            changes=self._template((*path, "set"), captures, more) if "set" in said else None,
            reply=self._reply(path, captures, more),
        )

    def _used(self, path: Steps, route: tuple[str, str], collections: dict[str, Collection]) -> Collection | None:
        name, captures = self.at(path), variables(route[1])
        collection = collections.get(name)
        if collection is None:
            self.say(path, f"no collection '{name}' is in this file{meant(name, collections)}")
            return None
        deed = path[-1]
        wanted = (*collection.within, *([] if deed in {"create", "list"} else [collection.by]))
        for variable in wanted:
            if variable not in captures:
                self.say(path, f"to {deed} {name}, '{' '.join(route)}' must name {{{variable}}}")
        if deed == "create" or (deed in {"update", "delete"} and collection.strangers):
            for one in (collection.new, *([collection.id] if deed == "create" else [])):
                for hole in holes(one):
                    if hole[0] == "path" and hole[1:2] and hole[1] not in captures:
                        self.say(path, f"a new one of {name} needs {{{hole[1]}}}, which '{' '.join(route)}' does not name")
        return collection

    def _collection(self, name: str) -> Collection:
        path: Steps = ("collections", name)
        said = self.at(path)
        page = said.get("page", {})
        styles = [style for style in ("after", "number", "offset", "cursor") if style in page]
        if len(styles) > 1:
            self.say((*path, "page"), f"a list goes on in one way, keep one of {', '.join(styles)}")
        default = page.get("default", 100)
        return Collection(
            name=name,
            key=said.get("key", "id"),
            by=said.get("by", said.get("key", "id")),
            id=self._template((*path, "id"), None, frozenset()) if "id" in said else template("{new.text.24}"),
            within=tuple(_many(said.get("within", []))),
            new=self._template((*path, "new"), None, _ITEM) if "new" in said else template({}),
            takes=frozenset(_many(said["takes"])) if "takes" in said else None,
            root=said.get("root", ""),
            listed=self._reply((*path, "list"), None, _LIST) if "list" in said else Reply(),
            newest=said.get("order") == "newest",
            filters=tuple(_many(said.get("filters", []))),
            page=Page(
                size=page.get("size", ""),
                default=default,
                most=page.get("most", max(default, 100)),
                style=cast("Any", styles[0]) if styles else "after",
                at=page[styles[0]] if styles else "",
            ),
            strangers=said.get("strangers") != "missing",
        )

    def _conditions(self, path: Steps, captures: frozenset[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if path[-1] not in self.at(path[:-1]):
            return
        for name, value in self.at(path).items():
            steps = tuple(name.split("."))
            self._check((*path, name), [steps], captures, frozenset())
            yield steps, value

    def _needs(self, path: Steps, captures: frozenset[str]) -> Iterator[tuple[str, ...]]:
        for name in _many(self.at(path[:-1]).get(path[-1], [])):
            self._check(path, [tuple(name.split("."))], captures, frozenset())
            yield tuple(name.split("."))

    def _reply(self, path: Steps, captures: frozenset[str] | None, more: frozenset[str]) -> Reply:
        said = self.at(path)
        bodies = [key for key in ("json", "text", "stream") if key in said]
        if len(bodies) > 1:
            self.say(path, f"an answer has one body, keep one of {', '.join(bodies)}")
        status = said.get("status", 0)
        if status > 599:
            self.say((*path, "status"), f"{status} is no status")
        key = next((key for key in bodies if key != "stream"), None)
        return Reply(
            status=status,
            headers=tuple(self._headers((*path, "headers"), captures, more)) if "headers" in said else (),
            kind=said.get("type", ""),
            body=self._template((*path, key), captures, more) if key else None,
            text=key == "text",
            stream=tuple(self._events((*path, "stream"), captures, more)) if "stream" in said else (),
        )

    def _events(self, path: Steps, captures: frozenset[str] | None, more: frozenset[str]) -> Iterator[Event]:
        for number, said in enumerate(self.at(path)):
            place = (*path, number)
            if ("json" in said) == ("text" in said):
                self.say(place, "an event has json, or text: one of them")
                continue
            key = "json" if "json" in said else "text"
            yield Event(
                event=self._template((*place, "event"), captures, more) if "event" in said else None,
                data=self._template((*place, key), captures, more),
                text=key == "text",
            )

    def _headers(self, path: Steps, captures: frozenset[str] | None, more: frozenset[str]) -> Iterator[tuple[str, Template]]:
        for name in self.at(path):
            if name in {"content-length", "transfer-encoding", "connection", "content-type"}:
                self.say((*path, name), f"'{name}' is not set here, `type` says what a body is", key=True)
            yield name, self._template((*path, name), captures, more)

    def _template(self, path: Steps, captures: frozenset[str] | None, more: frozenset[str]) -> Template:
        try:
            made = template(self.at(path))
        except ValueError as error:
            self.say(path, str(error))
            return Said(None)
        self._check(path, holes(made), captures, more | ({"each"} if has_each(made) else set()))
        return made

    def _check(self, path: Steps, names: Any, captures: frozenset[str] | None, more: frozenset[str]) -> None:
        for name in names:
            if captures is None and name[0] == "path" and len(name) == 2:
                continue  # known where it is used
            if (wrong := fault(name, captures or frozenset(), more)) != "":
                self.say(path, wrong)


def _many(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
