"""Arguments: what a request says in its query, headers and body, as the typed parameters of an operation."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from outgate.actions.action import Money
from outgate.intake.bodies import Undecodable, form, strict_json
from outgate.intake.codings import codings_of, plain
from outgate.intake.media import media_of
from outgate.intake.multipart import FORM, fields_of
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.action import Param as Value
    from outgate.actions.operation import Param, Place, Source
    from outgate.intake.bodies import JsonValue
    from outgate.intake.multipart import Fields
    from outgate.intake.request import Request

NO_CURRENCY = "X" * 3
"""ISO 4217: an amount whose currency the request does not say."""

_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,17}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_TRUTHS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}
LONGEST = 2048
"""Characters of a text parameter; a longer one is no parameter but content."""


class Unclear(Enum):
    """Said twice, or not of its kind: nothing may be concluded from it."""

    UNCLEAR = "unclear"


UNCLEAR = Unclear.UNCLEAR
_NO_KIND: JsonValue = {}
_URLENCODED = "application/x-www-form-urlencoded"


class Arguments:
    """What one request says. Each part is read once, when it is asked for."""

    def __init__(self, request: Request, *, json: bool = False) -> None:
        """`json`: this service reads bodies as JSON, whatever Content-Type says."""
        self._request = request
        self._is_json = json or is_json(request)
        self._query: tuple[tuple[str, str], ...] | Undecodable | None = None
        self._form: Fields | Undecodable | None = None
        self._json: tuple[JsonValue] | Undecodable | None = None

    @property
    def unread(self) -> bool:
        """Whether there is a body that nobody read."""
        return isinstance(self._request.body, UnreadBody | SpooledBody)

    def json(self) -> JsonValue | Undecodable:
        """Give the JSON body; None without a body."""
        if self._json is None:
            value = self._read_json()
            self._json = value if isinstance(value, Undecodable) else (value,)
        return self._json if isinstance(self._json, Undecodable) else self._json[0]

    def form(self) -> Fields | Undecodable:
        """Give the fields of the form body."""
        if self._form is None:
            self._form = self._read_form()
        return self._form

    def structure(self) -> JsonValue | Undecodable:
        """Give the JSON body, or the fields of a form, each under the last word of its name: `webhook[url]` is `url`."""
        media = media_of(self._request.headers)
        if self._is_json or media is None or media.kind not in {_URLENCODED, FORM}:
            return self.json()
        fields = self.form()
        return fields if isinstance(fields, Undecodable) else [{_last_word(name): value} for name, value in fields]

    def text(self) -> str | Undecodable:
        """Give the body as text; empty without one."""
        content = self._content()
        if isinstance(content, Undecodable):
            return content
        if is_coded(self._request):
            return Undecodable("The text is compressed: a server that does not expect that reads another one.")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return Undecodable("The body is not UTF-8.")

    def query(self) -> tuple[tuple[str, str], ...] | Undecodable:
        """Give the fields of the query."""
        if self._query is None:
            self._query = form(self._request.query) if self._request.query else ()
        return self._query

    def fault(self, params: Iterable[Param]) -> Undecodable | None:
        """Why what these parameters are read from can't be read; None where it can, or where nothing is there."""
        for place in {param.source.place for param in params}:
            for read in self._parts(place):
                if isinstance(read, Undecodable):
                    return read
        return None

    def values(self, source: Source) -> list[JsonValue]:
        """Everything that stands at a source; nothing where it can't be read.

        What is for the body counts in the query too: frameworks hand both to a program as one (Rack, Rails, PHP, Servlets).
        """
        match source.place:
            case "query":
                return _named(self.query(), source.path)
            case "form":
                return [*_named(self.query(), source.path), *_named(self.form(), source.path)]
            case "header":
                return [value for name, value in self._request.headers if name == source.path[0]]
            case "json":
                return [*_named(self.query(), source.path), *_walked(self.json(), source.path)]
            case "args":
                body = _walked(self.json(), source.path) if self._is_json else _named(self.form(), source.path)
                return [*_named(self.query(), source.path), *body]
            case "text":
                text = self.text()
                return [] if isinstance(text, Undecodable) or not text else [text]

    def _parts(self, place: Place) -> Iterator[object]:
        if place == "text":
            yield self.text()
        elif place != "header":
            yield self.query()
        if place == "json" or (place == "args" and self._is_json):
            yield self.json()
        elif place in {"form", "args"}:
            yield self.form()

    def _read_form(self) -> Fields | Undecodable:
        content, media = self._content(), media_of(self._request.headers)
        if isinstance(content, Undecodable) or not content:
            return content or ()
        if media is None or not media.is_utf8 or media.kind not in {_URLENCODED, FORM}:
            return Undecodable("The body is not a form by its Content-Type.")
        if is_coded(self._request):
            return Undecodable("The form is compressed: a server that does not expect that reads other fields.")
        return form(content.decode("latin-1")) if media.kind == _URLENCODED else fields_of(media, content)

    def _read_json(self) -> JsonValue | Undecodable:
        content = self._content()
        if isinstance(content, Undecodable) or not content:
            return content or None
        if not self._is_json:
            return Undecodable("The body is not JSON by its Content-Type.")
        if is_coded(self._request) and self._stands_as_json():
            return Undecodable("The body is compressed, and could be read as JSON as it stands.")
        return strict_json(content)

    def _stands_as_json(self) -> bool:
        """No gzip begins so; some brotli does."""
        body = self._request.body
        return isinstance(body, WholeBody) and body.content.lstrip(b" \t\r\n")[:1] in {b"{", b"["}

    def _content(self) -> bytes | Undecodable:
        match self._request.body:
            case WholeBody(content):
                return plain(self._request.headers, content)
            case NoBody() | SpooledBody() | UnreadBody():
                return b""


def _last_word(name: str) -> str:
    words = _WORDS.findall(name)
    return words[-1] if words else name


_WORDS = re.compile(r"[^\[\].]+")


def is_coded(request: Request) -> bool:
    """Whether a request declares a content coding. Many servers don't look, and read the body as it stands."""
    return bool(codings_of(request.headers))


def media_type(request: Request) -> str:
    """Give the media type without parameters; empty where there is none, or one that says another charset than UTF-8."""
    media = media_of(request.headers)
    return media.kind if media is not None and media.is_utf8 else ""


def is_json(request: Request) -> bool:
    """Whether a request says that its body is JSON."""
    media = media_type(request)
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def read_param(param: Param, arguments: Arguments) -> Value | Unclear | None:
    """Give the one value of a parameter; None where it is not said."""
    found = arguments.values(param.source)
    if param.kind == "list":
        return _texts(found) if found else None
    if not found:
        return None
    if len(found) > 1 and len({repr(value) for value in found}) > 1:
        return UNCLEAR
    value = found[0]
    if value is None:
        return None
    return _money(value, param, arguments) if param.kind == "money" else _TYPED[param.kind](value)


def _named(pairs: Fields | Undecodable, path: tuple[str, ...]) -> list[JsonValue]:
    """Find a field, written `a[b][c]` where the path is longer, as Rails and Stripe do. A file is of no kind."""
    if isinstance(pairs, Undecodable):
        return []
    name = path[0] + "".join(f"[{step}]" for step in path[1:])
    return [_NO_KIND if value is None else value for key, value in pairs if key == name]


def _walked(value: JsonValue | Undecodable, path: tuple[str, ...]) -> list[JsonValue]:
    return [] if isinstance(value, Undecodable) else list(_walk(value, path))


def _walk(value: JsonValue, path: tuple[str, ...]) -> Iterator[JsonValue]:
    if not path:
        yield value
    elif path[0] == "*" and isinstance(value, list):
        for item in value:
            yield from _walk(item, path[1:])
    elif isinstance(value, dict):
        if path[0] in value:
            yield from _walk(value[path[0]], path[1:])
        if _has_variant(value, path[0]):
            yield _NO_KIND


def _has_variant(value: dict[str, JsonValue], name: str) -> bool:
    """Whether a key differs from a name in case alone: some servers (Go's) take it for the same, others don't."""
    size, folded = len(name), name.casefold()
    # the loop is written out: this runs for every parameter of every request
    for key in value:  # noqa: SIM110
        if len(key) == size and key != name and key.casefold() == folded:
            return True
    return False


def has_variants(value: Mapping[str, JsonValue], names: frozenset[str]) -> bool:
    """Whether some key is one of these names but for its case: .NET and Go take it for the same."""
    return any(key not in names and key.lower() in _lowered(names) for key in value)


@lru_cache(maxsize=64)
def _lowered(names: frozenset[str]) -> frozenset[str]:
    return frozenset(map(str.lower, names))


def _text(value: JsonValue) -> str | Unclear:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and len(value) <= LONGEST else UNCLEAR


def _int(value: JsonValue) -> int | Unclear:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and _INT.fullmatch(value) else UNCLEAR


def _bool(value: JsonValue) -> bool | Unclear:
    if isinstance(value, bool):
        return value
    return _TRUTHS.get(value, UNCLEAR) if isinstance(value, str) else UNCLEAR


_TYPED = {"string": _text, "int": _int, "bool": _bool}


def _texts(values: list[JsonValue]) -> tuple[str, ...] | Unclear:
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    texts = [value for value in flat if isinstance(value, str) and len(value) <= LONGEST]
    return tuple(texts) if len(texts) == len(flat) else UNCLEAR


def _money(value: JsonValue, param: Param, arguments: Arguments) -> Money | Unclear:
    minor = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        minor = int(value)
    said = [] if param.currency is None else arguments.values(param.currency)
    currencies = {c.upper() if isinstance(c, str) and _CURRENCY.fullmatch(c) else "" for c in said} or {NO_CURRENCY}
    if minor is None or minor < 0 or len(currencies) != 1 or "" in currencies:
        return UNCLEAR
    return Money(minor=minor, currency=currencies.pop())
