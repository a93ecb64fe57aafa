"""Form: what a file of canned answers may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.service import METHODS
from outgate.policy.shapes import Anything, Count, Many, Named, Scalar, Table, Text, Words, schema

if TYPE_CHECKING:
    from outgate.digest import Json
    from outgate.policy.shapes import Shape

LANGUAGE = "mocks/v1alpha"
DEEDS = ("create", "read", "list", "update", "delete")

_NAME = r"[a-z][a-z0-9_]{0,62}"
_name = Text("a name", _NAME, "small letters, digits and '_'")
_text = Text("text", r"(?s).+", "text, perhaps with holes like {path.id}")
_header = r"[a-z][a-z0-9-]{0,63}"
_headers = Named("headers", _text, _header)
_field = Text("a field", r"[A-Za-z_][A-Za-z0-9_-]{0,63}", "the name of a field")
_value = r"(?:body|query|path|header)(?:\.[A-Za-z0-9_-]+)+"

_REPLY: dict[str, Shape] = {
    "status": Count("a status", 200),
    "headers": _headers,
    "type": Text("a media type", r"[a-z]+/[A-Za-z0-9.+-]+(?:; *[a-z]+=[A-Za-z0-9-]+)?", "as in application/json"),
    "json": Anything("a body"),
    "text": Text("a body", r"(?s).*", "text"),
    "stream": Many(
        Table(what="an event", keys={"event": _text, "json": Anything("data"), "text": Text("data", r"(?s).*", "text")}),
        bare=False,
    ),
}
REPLY = Table(what="an answer", keys=_REPLY)

ANSWER = Table(
    what="an answer",
    keys={
        **_REPLY,
        "on": Many(Text("a route", rf"(?:{'|'.join(METHODS)}) /\S*", "a method and a path, as in GET /v1/things/{id}")),
        "if": Named("conditions", Scalar("a value"), _value),
        "needs": Many(Text("a value", _value, "body.FIELD, query.FIELD, path.NAME or header.NAME")),
        **dict.fromkeys(DEEDS, _name),
        "set": Named("fields", Anything("a value"), r"[A-Za-z_][A-Za-z0-9_]{0,63}"),
    },
    required=frozenset({"on"}),
)

COLLECTION = Table(
    what="a collection",
    keys={
        "key": _field,
        "by": _field,
        "id": Anything("a new one's key"),
        "within": Many(_field),
        "new": Anything("a new one"),
        "takes": Many(_field),
        "root": _field,
        "list": REPLY,
        "order": Words("order", ("oldest", "newest")),
        "filters": Many(_field),
        "page": Table(
            what="'page'",
            keys={
                "size": _field,
                "default": Count("'default'"),
                "most": Count("'most'"),
                "after": _field,
                "number": _field,
                "offset": _field,
                "cursor": _field,
            },
        ),
        "strangers": Words("word for strangers", ("missing", "accepted")),
    },
)

FORM = Table(
    what="a file of canned answers",
    keys={
        "outgate": Words("language", (LANGUAGE,)),
        "service": Text("a service", r"[a-z][a-z0-9._-]{0,62}", "the name of a service in the catalog, or any other"),
        "docs": _text,
        "headers": _headers,
        "missing": REPLY,
        "invalid": REPLY,
        "otherwise": REPLY,
        "collections": Named("collections", COLLECTION, _NAME),
        "answers": Many(ANSWER, bare=False),
    },
    required=frozenset({"outgate", "service", "answers"}),
)


def mocks_schema() -> dict[str, Json]:
    """The form as JSON Schema, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Outgate {LANGUAGE}",
        **schema(FORM),
    }
