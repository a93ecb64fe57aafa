"""Answer from a book of canned answers: what was created is read back, listed, changed and deleted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from outgate.mock.exchange import Answer
from outgate.mock.names import Names
from outgate.mock.pages import Paging
from outgate.mock.template import ABSENT, Absent, fill, of_kind, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.intake.bodies import JsonValue
    from outgate.mock.book import Answering, Book, Collection, Deed, Reply, Route
    from outgate.mock.exchange import Asked
    from outgate.mock.shelves import Item, Place, Shelf
    from outgate.mock.template import Name, Template

_USUAL: Mapping[Deed, int] = {"create": 201, "read": 200, "list": 200, "update": 200, "delete": 204}
_NOT_FOUND: dict[str, JsonValue] = {"message": "Not found. This is a sandbox: only what was created in it is there."}


def answer(asked: Asked, book: Book, shelf: Shelf) -> Answer | None:
    """Give the answer of the route; None where the book has none for it."""
    found = book.routes.find(asked.method, asked.path)
    if found is None and asked.method == "HEAD":
        found = book.routes.find("GET", asked.path)
    if found is None:
        return None if book.otherwise is None else _Turn.of(asked, book, shelf, {}).say(book.otherwise, 404)
    captures = dict(zip(found.value.captures, map(unquote, found.captures), strict=True))
    turn = _Turn.of(asked, book, shelf, captures)
    chosen = _chosen(found.value, turn.names)
    return None if chosen is None else turn.answer(chosen)


def _chosen(route: Route, names: Names) -> Answering | None:
    return next((one for one in route.answers if all(_is(names.look(name), wanted) for name, wanted in one.conditions)), None)


def _is(value: JsonValue | Absent, wanted: JsonValue) -> bool:
    """A form has only text: `true` is said there by its letters."""
    return not isinstance(value, Absent) and plain(value) == plain(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One answer while it is made."""

    asked: Asked
    book: Book
    shelf: Shelf
    captures: Mapping[str, str]
    names: Names

    @classmethod
    def of(cls, asked: Asked, book: Book, shelf: Shelf, captures: Mapping[str, str]) -> _Turn:
        shelf.answers += 1
        return cls(
            asked=asked,
            book=book,
            shelf=shelf,
            captures=captures,
            names=Names(asked=asked, captures=captures, serial=shelf.answers),
        )

    def answer(self, chosen: Answering) -> Answer:
        lacks = next((name for name in chosen.needs if self.names.look(name) in (ABSENT, "", None)), None)
        if lacks is not None:
            return self._invalid(lacks)
        if chosen.deed is None or chosen.collection is None:
            return self.say(chosen.reply, 200)
        match chosen.deed:
            case "create":
                return self._create(chosen, chosen.collection)
            case "list":
                return self._list(chosen, chosen.collection)
            case "read" | "update" | "delete":
                return self._one(chosen, chosen.collection, chosen.deed)

    # what is done

    def _create(self, chosen: Answering, collection: Collection) -> Answer:
        place = self._place(collection)
        names = replace(self.names, number=self.shelf.number(place))
        key = fill(collection.id, names.look)
        item = self._set(chosen, self._made(collection, names, key))
        if not self.shelf.put(place, plain(item[collection.key]), item):
            return Answer(status=413)
        return self.say(chosen.reply, _USUAL["create"], item, names=names)

    def _one(self, chosen: Answering, collection: Collection, deed: Deed) -> Answer:
        place, key = self._place(collection), self.captures[collection.by]
        item = self.shelf.get(place, key)
        if item is None:
            if deed == "read" or not collection.strangers or self.shelf.removed(place, key):
                return self._missing()
            item = self._stranger(collection, key)
        if deed == "delete":
            self.shelf.remove(place, key)
            return self.say(chosen.reply, _USUAL[deed], item, bare=True)
        if deed == "update":
            item = self._changed(chosen, collection, item)
            if not self.shelf.put(place, key, item):
                return Answer(status=413)
        return self.say(chosen.reply, 200, item)

    def _changed(self, chosen: Answering, collection: Collection, item: Item) -> Item:
        return self._set(chosen, item | self._taken(collection, item))

    def _set(self, chosen: Answering, item: Item) -> Item:
        changes = None if chosen.changes is None else fill(chosen.changes, self._with(item).look)
        return item | changes if isinstance(changes, dict) else item

    def _made(self, collection: Collection, names: Names, key: JsonValue | Absent) -> Item:
        identity: Item = {collection.key: None if isinstance(key, Absent) else key}
        made = fill(collection.new, replace(names, more={"item": identity}).look)
        item = {**identity, **(made if isinstance(made, dict) else {})}
        return item | self._taken(collection, item)

    def _stranger(self, collection: Collection, key: str) -> Item:
        """Something of the real service's, that was never here: as it might be."""
        written: JsonValue = key
        if isinstance(fill(collection.id, replace(self.names, number=1).look), int):
            written = of_kind(key, "int")
        return self._made(collection, self.names, written) | {collection.key: written}

    def _taken(self, collection: Collection, item: Item) -> Item:
        """The fields that the request sets. Text of a form takes the kind of what stood there before."""
        said = self.asked.said
        if collection.root:
            said = said.get(collection.root) if isinstance(said, dict) else None
        if not isinstance(said, dict):
            return {}
        takes = collection.takes
        return {
            name: _alike(value, item.get(name))
            for name, value in said.items()
            if (name in takes if takes is not None else name != collection.key)
        }

    def _list(self, chosen: Answering, collection: Collection) -> Answer:
        items = [item for _, item in self.shelf.all(self._place(collection)) if self._passes(collection, item)]
        page = Paging(collection, self.asked).page(items[::-1] if collection.newest else items)
        reply = chosen.reply if chosen.reply.body is not None else collection.listed
        names = replace(self.names, more={"page": page})
        if reply.body is None:
            return self.say(replace(reply, status=chosen.reply.status or reply.status), 200, page["items"], names=names)
        return self.say(reply, chosen.reply.status or 200, names=names)

    def _passes(self, collection: Collection, item: Item) -> bool:
        asked = ((name, self.asked.asked_for.get(name)) for name in collection.filters)
        return all(
            value in {None, "", "all"} or plain(item.get(name)) == value
            for name, value in asked
            if not isinstance(value, (dict, list))
        )

    # what is said

    def say(
        self,
        reply: Reply,
        usual: int,
        item: JsonValue = None,
        *,
        names: Names | None = None,
        bare: bool = False,
    ) -> Answer:
        """Say a reply. `bare`: the item is not said where the reply has no body of its own."""
        names = names or self.names
        names = replace(names, more={"item": item, **names.more})
        status = reply.status or usual
        headers = tuple(self._headers((*self.book.headers, *reply.headers), names))
        if reply.stream:
            return Answer(
                status=status,
                headers=(("content-type", reply.kind or "text/event-stream; charset=utf-8"), *headers),
                pieces=tuple(self._events(reply, names)),
            )
        if reply.body is None and (item is None or bare):
            return Answer(status=status, headers=headers)
        body = item if reply.body is None else fill(reply.body, names.look)
        return _with_body(status, headers, reply, None if isinstance(body, Absent) else body)

    def _events(self, reply: Reply, names: Names) -> list[bytes]:
        made: list[bytes] = []
        for event in reply.stream:
            data = fill(event.data, names.look)
            text = plain(data if not isinstance(data, Absent) else None) if event.text else _json(data)
            name = "" if event.event is None else f"event: {plain(_known(fill(event.event, names.look)))}\n"
            made.append(f"{name}data: {text}\n\n".encode("utf-8", "replace"))
        return made

    def _headers(self, headers: tuple[tuple[str, Template], ...], names: Names) -> list[tuple[str, str]]:
        """A header that needs something that is not there is left out; one can't be made into two."""
        made = {name: _known(fill(value, names.look)) for name, value in headers}
        return [(name, _one_line(plain(value))) for name, value in made.items() if value is not None]

    def _missing(self) -> Answer:
        if self.book.missing is None:
            return _with_body(404, (), None, _NOT_FOUND)
        return self.say(self.book.missing, 404)

    def _invalid(self, lacks: Name) -> Answer:
        field = ".".join(lacks[1:])
        if self.book.invalid is None:
            return _with_body(400, (), None, {"message": f"{field} is required"})
        return self.say(self.book.invalid, 400, names=replace(self.names, more={"lacks": field}))

    def _with(self, item: Item) -> Names:
        return replace(self.names, more={"item": item})

    def _place(self, collection: Collection) -> Place:
        return (self.book.service, collection.name, *(self.captures[name] for name in collection.within))


def _alike(value: JsonValue, before: JsonValue) -> JsonValue:
    if isinstance(before, bool):
        return of_kind(value, "bool")
    return of_kind(value, "int") if isinstance(before, int) else value


def _with_body(status: int, headers: tuple[tuple[str, str], ...], reply: Reply | None, body: JsonValue) -> Answer:
    text = reply is not None and reply.text
    kind = (reply.kind if reply else "") or ("text/plain; charset=utf-8" if text else "application/json")
    content = plain(body) if text else _json(body)
    return Answer(status=status, headers=(("content-type", kind), *headers), pieces=(content.encode("utf-8", "replace"),))


def _json(value: JsonValue | Absent) -> str:
    return json.dumps(_known(value), ensure_ascii=False, separators=(",", ":"))


def _known(value: JsonValue | Absent) -> JsonValue:
    return None if isinstance(value, Absent) else value


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in text)[:4096]
