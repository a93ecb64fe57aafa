"""Fields: what a request says to AWS in a form or in CBOR, read as if it were said in the way that the catalog has it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from outgate.actions.arguments import Arguments
from outgate.actions.protocols.aws import cbor
from outgate.intake.bodies import Undecodable
from outgate.intake.codings import plain
from outgate.intake.request import WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.actions.operation import Param, Source
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

_NUMBER = "[0-9]{1,4}"


@lru_cache(maxsize=1024)
def _numbered(before: str, member: str, after: str) -> re.Pattern[str]:
    return re.compile(f"{re.escape(before)}{member}\\.{_NUMBER}{re.escape(after)}")


class Cbor(Arguments):
    """A body in CBOR: names and shapes are those of JSON."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, json=True)
        self._value: tuple[JsonValue | Undecodable] | None = None

    def json(self) -> JsonValue | Undecodable:
        if self._value is None:
            self._value = (self._read_cbor(),)
        return self._value[0]

    def _read_cbor(self) -> JsonValue | Undecodable:
        body = self._request.body
        if not isinstance(body, WholeBody):
            return None
        content = plain(self._request.headers, body.content)
        return content if isinstance(content, Undecodable) else cbor.read(content)


class Query(Arguments):
    """A form, its fields in the query or in the body; lists are numbered: `InstanceId.1`, `Names.member.1`."""

    def __init__(self, request: Request, pairs: tuple[tuple[str, str], ...]) -> None:
        super().__init__(request)
        self._pairs = pairs
        self._named = dict(pairs)

    def fault(self, params: Iterable[Param]) -> None:
        """None: what could not be read has been refused before."""

    def values(self, source: Source) -> list[JsonValue]:
        if source.place not in {"form", "json", "args", "query"}:
            return super().values(source)
        if "*" not in source.path:
            value = self._named.get(".".join(source.path))
            return [] if value is None else [value]
        before, *after = ".".join(source.path).split(".*", 1)
        member = "" if before.endswith(".member") or source.place == "form" else "(?:\\.member)?"
        pattern = _numbered(before, member, "".join(after))
        return [value for name, value in self._pairs if pattern.fullmatch(name)]
