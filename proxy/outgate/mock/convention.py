"""Answer for a service that nobody described, by what most APIs do: POST creates, GET reads and lists, PUT and PATCH change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.mock.exchange import Answer, in_json
from outgate.mock.names import Names

if TYPE_CHECKING:
    from outgate.mock.exchange import Asked
    from outgate.mock.shelves import Item, Place, Shelf

NOT_FOUND = "Not found. This is a sandbox: only what was created in it is there."
TOO_LARGE = "This is more than the sandbox keeps."
_LIKE_A_KEY = re.compile(r"[0-9]+|[0-9a-fA-F-]{16,}|[A-Za-z]+_[A-Za-z0-9]{6,}|.*[0-9].*")
"""The last part of a path that names one thing rather than many."""
_MOST_LISTED = 1000
_METHODS = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"


def answer(asked: Asked, shelf: Shelf) -> Answer:
    """Give the answer that is usual for the method. Total."""
    shelf.answers += 1
    path = asked.path.rstrip("/") or "/"
    around, _, last = path.rpartition("/")
    own: Place = (asked.origin, path)
    one: Place = (asked.origin, around or "/")
    match asked.method:
        case "POST":
            return _post(asked, shelf, own, (one, last))
        case "GET" | "HEAD":
            return _get(shelf, own, (one, last))
        case "PUT" | "PATCH":
            return _put(asked, shelf, one, last)
        case "DELETE":
            return _delete(shelf, own, (one, last))
        case "OPTIONS":
            return Answer(status=204, headers=(("allow", _METHODS),))
        case _:
            return in_json({"message": f"The sandbox knows no {asked.method[:32]}."}, 501)


def _post(asked: Asked, shelf: Shelf, own: Place, one: tuple[Place, str]) -> Answer:
    """Create; where it is said of one thing that is here, change that."""
    known = shelf.get(*one)
    if known is not None:
        return _kept(shelf, one, known | _said(asked), 200)
    names = Names(asked=asked, captures={}, serial=shelf.answers, number=shelf.number(own))
    said = _said(asked)
    given = said.get("id")
    key = given if isinstance(given, (str, int)) and given != "" else names.made("text", 20)
    made: Item = {"id": key, **said, "created_at": asked.now.strftime("%Y-%m-%dT%H:%M:%SZ")} | {"id": key}
    where = (("location", f"{asked.path.rstrip('/')}/{key}"),) if _plain_key(str(key)) else ()
    return _kept(shelf, (own, str(key)), made, 201, where)


def _get(shelf: Shelf, own: Place, one: tuple[Place, str]) -> Answer:
    item = shelf.get(*one)
    if item is not None:
        return in_json(item)
    if shelf.removed(*one):
        return in_json({"message": NOT_FOUND}, 404)
    if not shelf.known(own) and (_LIKE_A_KEY.fullmatch(one[1]) or shelf.known(one[0])):
        return in_json({"message": NOT_FOUND}, 404)
    return in_json([item for _, item in shelf.all(own)[:_MOST_LISTED]])


def _put(asked: Asked, shelf: Shelf, place: Place, key: str) -> Answer:
    known = shelf.get(place, key)
    if known is None and asked.method == "PATCH" and shelf.removed(place, key):
        return in_json({"message": NOT_FOUND}, 404)
    said = _said(asked)
    item = {**({"id": key} if "id" not in said else {}), **(known or {} if asked.method == "PATCH" else {}), **said}
    return _kept(shelf, (place, key), item, 201 if known is None and asked.method == "PUT" else 200)


def _delete(shelf: Shelf, own: Place, one: tuple[Place, str]) -> Answer:
    if shelf.removed(*one):
        return in_json({"message": NOT_FOUND}, 404)
    shelf.remove(*one)
    for key, _ in shelf.all(own):
        shelf.remove(own, key)
    return Answer(status=204)


def _kept(shelf: Shelf, where: tuple[Place, str], item: Item, status: int, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    if not shelf.put(*where, item):
        return in_json({"message": TOO_LARGE}, 413)
    return in_json(item, status, headers)


def _said(asked: Asked) -> Item:
    """The body's fields; of what is no table, the whole of it."""
    said = asked.said
    if isinstance(said, dict):
        return said
    if said is not None:
        return {"value": said}
    return {"size": len(asked.body)} if asked.body else {}


def _plain_key(key: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._~-]{1,200}", key) is not None
