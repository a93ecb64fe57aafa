"""Answer as an OpenAPI document says: the examples of the response, else a value of its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from outgate.actions.openapi.operations import METHODS
from outgate.actions.openapi.references import is_remote, references, resolve
from outgate.actions.router import Router
from outgate.errors import ConfigError, Problem
from outgate.mock.exchange import Answer, in_json, in_text
from outgate.mock.schema import Maker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate import document as documents
    from outgate.intake.bodies import JsonValue
    from outgate.mock.exchange import Asked

_NOTHING = {204, 205, 304}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a document says of the answer to one operation."""

    status: int
    kind: str
    body: JsonValue
    empty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An OpenAPI document (3.0, 3.1 or Swagger 2.0), read whole. Paths stand below `base`, or below nothing."""

    title: str
    base: str
    routes: Router[Said]
    listed: tuple[str, ...]

    def answer(self, asked: Asked) -> Answer:
        """Give what the document says of this operation."""
        for path in dict.fromkeys((asked.path.removeprefix(self.base), asked.path)):
            found = self.routes.find(asked.method, path or "/")
            if found is None and asked.method == "HEAD":
                found = self.routes.find("GET", path or "/")
            if found is not None:
                return _answer(found.value)
        return in_json({"message": f"{self.title} describes no {asked.method} {asked.path[:200]}"}, 404)


def _answer(said: Said) -> Answer:
    if said.empty:
        return Answer(status=said.status)
    if isinstance(said.body, str) and "json" not in said.kind:
        return in_text(said.body, said.status, said.kind)
    return in_json(said.body, said.status, kind=said.kind)


def read_openapi(file: documents.Document) -> Document:
    """Read a document. Raises ConfigError with every problem: what is none, references that lead out, paths that clash."""
    return _Reading(file).whole()


@dataclass(slots=True)
class _Reading:
    file: documents.Document

    def whole(self) -> Document:
        root = self.file.value
        if not isinstance(root, dict) or not isinstance(root.get("paths"), dict) or not {"openapi", "swagger"} & set(root):
            raise ConfigError(Problem(source=self.file.source, message="is no OpenAPI document: it has no `openapi` and `paths`"))
        found = [
            self.file.problem(path, f"'{ref}' leads out of this document, which is never followed: bundle it into one file")
            for path, ref in references(root)
            if is_remote(ref)
        ]
        routes: Router[Said] = Router()
        listed: list[str] = []
        for path, method, operation in self._operations():
            try:
                routes.add(method.upper(), _plain(path), self._said(operation))
                listed.append(f"{method.upper()} {path}")
            except ValueError as error:
                found.append(self.file.problem(("paths", path), str(error), key=True))
        if found:
            raise ConfigError(*sorted(found))
        info = root.get("info")
        title = str(info.get("title", "")) if isinstance(info, dict) else ""
        return Document(title=title or "The document", base=self._base(), routes=routes, listed=tuple(listed))

    def _operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, written in self.file.value["paths"].items():
            item = self._followed(written)
            for method in METHODS:
                operation = item.get(method)
                if isinstance(operation, dict):
                    yield path, method, operation

    def _base(self) -> str:
        root = self.file.value
        servers = root.get("servers")
        first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
        url = first.get("url") or root.get("basePath") or ""
        return "" if not isinstance(url, str) or "{" in url else urlsplit(url).path.rstrip("/")

    def _said(self, operation: dict[str, Any]) -> Said:
        responses = operation.get("responses")
        code, response = _best(responses if isinstance(responses, dict) else {})
        response = self._followed(response)
        kind, media = self._media(response, operation)
        if media is None or code in _NOTHING:
            return Said(status=code, kind="", body=None, empty=True)
        return Said(status=code, kind=kind, body=self._body(media), empty=False)

    def _media(self, response: dict[str, Any], operation: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
        """What is said in JSON where there is a choice. Swagger 2.0 has the schema in the response."""
        content = response.get("content")
        if isinstance(content, dict) and content:
            kind = next((kind for kind in content if "json" in kind), next(iter(content)))
            return kind if "*" not in kind else "application/json", self._followed(content[kind])
        if "schema" in response or "examples" in response:
            produces = operation.get("produces") or self.file.value.get("produces") or ["application/json"]
            return str(produces[0]) if isinstance(produces, list) and produces else "application/json", self._old(response)
        return "", None

    def _old(self, response: dict[str, Any]) -> dict[str, Any]:
        examples = response.get("examples")
        first = next(iter(examples.values())) if isinstance(examples, dict) and examples else None
        return {"schema": response.get("schema"), **({"example": first} if first is not None else {})}

    def _body(self, media: dict[str, Any]) -> JsonValue:
        if "example" in media:
            example: JsonValue = media["example"]
            return example
        examples = media.get("examples")
        if isinstance(examples, dict) and examples:
            value: JsonValue = self._followed(next(iter(examples.values()))).get("value")
            return value
        return Maker(self._resolved).value(media.get("schema"))

    def _followed(self, value: Any) -> dict[str, Any]:
        for _ in range(8):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                break
            value = self._resolved(value["$ref"])
        return value if isinstance(value, dict) else {}

    def _resolved(self, ref: str) -> JsonValue:
        found: JsonValue = resolve(self.file.value, ref)
        return found


def _best(responses: dict[str, Any]) -> tuple[int, Any]:
    """The first that says it went well; 2XX and `default` stand for 200."""
    codes = sorted(code for code in responses if code[:1] == "2")
    if codes:
        return (int(codes[0]) if codes[0].isdecimal() else 200), responses[codes[0]]
    return 200, responses.get("default", {})


def _plain(path: str) -> str:
    """Variables get names that the router takes: what they are called means nothing here."""
    parts, number = [], 0
    for part in path.split("{"):
        name, brace, rest = part.partition("}")
        if brace:
            parts.append(f"{{v{number}}}{rest}")
            number += 1
        else:
            parts.append(name)
    return "".join(parts).replace("?", "")
