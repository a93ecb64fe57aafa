"""Part: a place in a policy file, with what is written there and somewhere to say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outgate.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.document import Document, Path
    from outgate.policy.conditions import Complaint


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What stands at `path`. `found` is shared: problems of all parts end up in it."""

    document: Document
    text: str
    """The whole file, for places inside of a value."""
    found: list[Problem]
    path: Path = ()

    @property
    def value(self) -> Any:
        """Plain values of the file; None where nothing stands here."""
        value = self.document.value
        for step in self.path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    @property
    def name(self) -> str:
        return str(self.path[-1])

    @property
    def place(self) -> Problem:
        """Where it is, with nothing wrong."""
        return self.document.problem(self.path, "")

    def at(self, *steps: str | int) -> Part:
        """A part of this part."""
        return Part(document=self.document, text=self.text, found=self.found, path=(*self.path, *steps))

    def entries(self) -> Iterator[Part]:
        """The parts of a table or a list; none where it is neither."""
        value = self.value
        if isinstance(value, dict):
            yield from (self.at(name) for name in value)
        elif isinstance(value, list):
            yield from (self.at(index) for index in range(len(value)))

    def texts(self) -> list[str]:
        """One or many, as many."""
        value = self.value
        if value is None:
            return []
        return [_text(one) for one in (value if isinstance(value, list) else [value])]

    def each(self) -> Iterator[tuple[str, Part]]:
        """One or many texts, with their places."""
        if isinstance(self.value, list):
            yield from ((_text(part.value), part) for part in self.entries())
        elif self.value is not None:
            yield _text(self.value), self

    def say(self, message: str, *, key: bool = False) -> None:
        """Report something wrong here. `key`: with the key, not with its value."""
        self.found.append(self.document.problem(self.path, message, key=key))

    def say_at(self, offset: int, message: str) -> None:
        """Report something wrong so many characters into a text of one line."""
        self.found.append(self._inside(1, offset + 1, message))

    def say_inside(self, complaint: Complaint) -> None:
        """Report what is wrong with a text, where it is wrong."""
        self.found.append(self._inside(complaint.line, complaint.column, complaint.message))

    def _inside(self, line: int, column: int, message: str) -> Problem:
        """The place in the file: exact in plain and quoted text on one line, and in `|` blocks."""
        where = self.place
        lines = self.text.splitlines()
        start = lines[where.line - 1][where.column - 1 :] if 0 < where.line <= len(lines) else ""
        at_line, at_column = where.line, where.column
        if start[:1] == "|":
            at_line = where.line + line
            body = next((text for text in lines[where.line :] if text.strip()), "")
            at_column = len(body) - len(body.lstrip()) + column
        elif start[:1] != ">" and "\n" not in self.value and line == 1:
            at_column += column - 1 + (start[:1] in {"'", '"'})
        return Problem(source=where.source, line=at_line, column=at_column, message=message)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
