"""Part: a place in a policy file, with what is written there and somewhere to say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.document import Document, Path
    from outgate.errors import Problem


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


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
