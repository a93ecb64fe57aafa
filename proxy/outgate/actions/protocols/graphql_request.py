"""GraphQL over HTTP: which documents a request brings, with which variables, however it is sent."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.actions.arguments import is_coded
from outgate.intake.bodies import Undecodable, strict_json
from outgate.intake.codings import plain
from outgate.intake.media import media_of
from outgate.intake.multipart import FORM
from outgate.intake.request import WholeBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.arguments import Arguments
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

MOST_CALLS = 100
"""In one batch."""

_TEXT = "application/graphql"
_FORMS = frozenset({"application/x-www-form-urlencoded", FORM})
_IDS = ("documentId", "document_id", "doc_id", "queryId", "query_id", "id")
"""What stands for a document that the server has."""
_KEYS = ("query", "variables", "operationName", "extensions", *_IDS)
_FOLDED = {key.casefold(): key for key in _KEYS}
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_EMPTY: dict[str, JsonValue] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One document and what comes with it. `stored` names one that only the server has: `document` is empty then."""

    document: str
    operation: str = ""
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    stored: str = ""


def calls_of(request: Request, arguments: Arguments) -> tuple[Call, ...] | Undecodable:
    """Give every document of a request, none if there is none at all. What is said in two places must be said alike."""
    if arguments.unread:
        return Undecodable("The body is too large to see what it does.")
    query, body = arguments.query(), _body(request, arguments)
    if isinstance(body, Undecodable):
        return body
    said = query if isinstance(query, Undecodable) else _fields(query)
    if isinstance(said, Undecodable):
        return said
    if not isinstance(body, list):
        return _together(said, _EMPTY if body is None else body)
    if said or not body or len(body) > MOST_CALLS:
        return Undecodable("The batch is empty or too long, or the URL says something besides.")
    return _all([_together(_EMPTY, one) for one in body])


def _all(found: list[tuple[Call, ...] | Undecodable]) -> tuple[Call, ...] | Undecodable:
    faults = [one for one in found if isinstance(one, Undecodable)]
    return faults[0] if faults else tuple(call for one in found if not isinstance(one, Undecodable) for call in one)


def _body(request: Request, arguments: Arguments) -> JsonValue | Undecodable:
    if not isinstance(request.body, WholeBody) or not request.body.content:
        return None
    media = media_of(request.headers)
    if media is not None and media.kind == _TEXT:
        return _text(request, request.body.content) if media.is_utf8 else Undecodable("The document is not UTF-8.")
    return _form(arguments) if media is not None and media.kind in _FORMS else arguments.json()


def _text(request: Request, content: bytes) -> JsonValue | Undecodable:
    decoded = plain(request.headers, content)
    if isinstance(decoded, Undecodable) or is_coded(request):
        return decoded if isinstance(decoded, Undecodable) else Undecodable("The document is compressed.")
    try:
        return {"query": decoded.decode("utf-8")}
    except UnicodeDecodeError:
        return Undecodable("The document is not UTF-8.")


def _form(arguments: Arguments) -> JsonValue | Undecodable:
    """A form with `operations` is GraphQL's multipart request: its other fields say where files go. Else it is like a query."""
    fields = arguments.form()
    if isinstance(fields, Undecodable):
        return fields
    operations = [value for name, value in fields if name == "operations"]
    said = _fields(tuple((name, value) for name, value in fields if value is not None))
    if not operations:
        return said
    if len(operations) > 1 or operations[0] is None or said:
        return Undecodable("The form says twice what is to be done.")
    return strict_json(operations[0].encode())


def _fields(pairs: tuple[tuple[str, str], ...]) -> dict[str, JsonValue] | Undecodable:
    """What a query or a form says of GraphQL. Empty values say nothing."""
    found: dict[str, JsonValue] = {}
    for name, value in pairs:
        key = _FOLDED.get(name.casefold())
        if key is None or key == "id" or not value:
            continue
        if key != name or key in found:
            return Undecodable(f"'{key}' is said twice, or in other letters.")
        found[key] = value
    return found


def _together(said: dict[str, JsonValue], body: JsonValue) -> tuple[Call, ...] | Undecodable:
    """One call, of what the URL says and what the body does: servers differ in which they believe."""
    if not isinstance(body, dict):
        return Undecodable("The body is no GraphQL request.")
    for name in body:
        if _FOLDED.get(name.casefold(), name) != name:
            return Undecodable(f"'{name}' differs from a key of GraphQL in case alone.")
    both = [key for key in said if body.get(key) is not None and body[key] != said[key]]
    if both:
        return Undecodable(f"'{both[0]}' is said twice.")
    call = _call({key: value for key in _KEYS if (value := body.get(key, said.get(key))) is not None})
    return call if isinstance(call, Undecodable) else (call,)


def _call(said: dict[str, JsonValue]) -> Call | Undecodable:
    document, operation = said.get("query", ""), said.get("operationName", "")
    if not isinstance(document, str) or not isinstance(operation, str):
        return Undecodable("'query' or 'operationName' is no text.")
    variables, extensions = _object(said.get("variables")), _object(said.get("extensions"))
    if isinstance(variables, Undecodable) or isinstance(extensions, Undecodable):
        return Undecodable("'variables' or 'extensions' is no object.")
    named = _stored(said, extensions)
    if isinstance(named, Undecodable):
        return named
    if document.strip() and named:
        digest = _SHA256.fullmatch(named.lower())
        if digest is None or hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest() != digest[1]:
            return Undecodable("The request brings a document and names another one.")
    if not document.strip() and not named:
        return Undecodable("The request has no document.")
    return Call(document=document, operation=operation, variables=variables, stored="" if document.strip() else named)


def _object(value: JsonValue) -> dict[str, JsonValue] | Undecodable:
    if isinstance(value, str):
        value = strict_json(value.encode("utf-8", "surrogatepass")) if value.strip() else None  # type: ignore[assignment]  # is checked
    if value is None:
        return {}
    return value if isinstance(value, dict) else Undecodable("It is no object.")


def _stored(said: dict[str, JsonValue], extensions: dict[str, JsonValue]) -> str | Undecodable:
    """The one name of a stored document; empty where there is none."""
    persisted = extensions.get("persistedQuery")
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if persisted is not None and not isinstance(digest, str):
        return Undecodable("The persisted query has no hash.")
    names = [digest, *(said.get(key) for key in _IDS)]
    found = {str(name) for name in names if isinstance(name, str | int) and name != ""}
    if len(found) > 1 or any(not isinstance(name, str | int) for name in names if name is not None):
        return Undecodable("The request names more than one stored document.")
    return found.pop() if found else ""
