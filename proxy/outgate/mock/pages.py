"""Lists come in pieces: by size and number, by offset, by a cursor, or after one that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from outgate.mock.template import Absent, inside, plain

if TYPE_CHECKING:
    from outgate.intake.bodies import JsonValue
    from outgate.mock.book import Collection
    from outgate.mock.exchange import Asked
    from outgate.mock.shelves import Item


@dataclass(frozen=True, slots=True)
class Paging:
    """The piece of a list that was asked for."""

    collection: Collection
    asked: Asked

    def page(self, items: list[Item]) -> dict[str, JsonValue]:
        page = self.collection.page
        size = max(1, min(self._number(page.size, page.default), page.most))
        start = self._start(items, size)
        here, more = items[start : start + size], start + size < len(items)
        last = plain(here[-1].get(self.collection.key)) if here else ""
        made: dict[str, JsonValue] = {
            "items": list(here),
            "more": more,
            "total": len(items),
            "count": len(here),
            "last": last,
        }
        if more and page.at:
            made["next"] = self._next(start, size, last)
        return made

    def _start(self, items: list[Item], size: int) -> int:
        page = self.collection.page
        match page.style:
            case "number":
                return (max(1, self._number(page.at, 1)) - 1) * size
            case "offset" | "cursor":
                return max(0, self._number(page.at, 0))
            case "after":
                after = self._text(page.at)
                keys = [plain(item.get(self.collection.key)) for item in items]
                return keys.index(after) + 1 if after in keys else 0

    def _next(self, start: int, size: int, last: str) -> str:
        """Where the list goes on: a page's address, or for a cursor its text."""
        page = self.collection.page
        at = {"number": str(start // size + 2), "after": last}.get(page.style, str(start + size))
        if page.style == "cursor":
            return at
        others = [pair for pair in self.asked.query.split("&") if pair and pair.partition("=")[0] != page.at]
        return f"{self.asked.origin}{self.asked.path}?{'&'.join([*others, f'{page.at}={quote(at)}'])}"

    def _number(self, name: str, default: int) -> int:
        text = self._text(name)
        return int(text) if text.isdecimal() and text.isascii() and len(text) < 9 else default

    def _text(self, name: str) -> str:
        """From the query, or from the body where the service takes its arguments there."""
        value = self.asked.asked_for.get(name) if name else None
        if value is None and name:
            inner = inside(self.asked.said, (name,))
            value = None if isinstance(inner, Absent) else inner
        return plain(value)
