"""Entries: a service file while it is checked: a value, where it stands, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Iterator

    from outgate.document import Document, Path
    from outgate.errors import Problem


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in a file. Problems of all places end up in `found`."""

    document: Document
    path: Path
    value: Any
    found: list[Problem]

    def say(self, message: str, *, key: bool = False) -> None:
        self.found.append(self.document.problem(self.path, message, key=key))

    def get(self, name: str) -> Entry:
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Entry(self.document, (*self.path, name), value, self.found)

    def items(self, allowed: Collection[str] | None = None) -> Iterator[tuple[str, Entry]]:
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            self.say("this must be a table of `key: value`")
            return
        for name in self.value:
            inside = self.get(name)
            if allowed is not None and name not in allowed:
                inside.say(f"unknown key '{name}', use one of {', '.join(sorted(allowed))}", key=True)
            else:
                yield name, inside

    def each(self) -> Iterator[Entry]:
        """One or many, as many."""
        if isinstance(self.value, list):
            yield from (Entry(self.document, (*self.path, i), v, self.found) for i, v in enumerate(self.value))
        elif self.value is not None:
            yield self

    def text(self, what: str, pattern: re.Pattern[str] | None = None) -> str:
        if isinstance(self.value, str) and self.value and (pattern is None or pattern.fullmatch(self.value)):
            return self.value
        self.say(f"{what} must be text" + (f" like {pattern.pattern}" if pattern else ""))
        return ""

    def choice(self, what: str, choices: Collection[str]) -> str:
        if isinstance(self.value, str) and self.value in choices:
            return self.value
        self.say(f"unknown {what} '{self.value}', use one of {', '.join(choices)}")
        return ""
