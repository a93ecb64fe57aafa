"""The three errors; a denial is not one of them, it is a Decision."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong with what an operator wrote: where, what, and what to do about it."""

    source: str
    line: int = 0
    column: int = 0
    message: str

    def __str__(self) -> str:
        place = ":".join([self.source, *(str(n) for n in (self.line, self.column) if n)])
        return f"{place}: {self.message}"


class ConfigError(Exception):
    """What an operator wrote can't be used. Carries every problem, never only the first."""

    def __init__(self, *problems: Problem | str, source: str = "outgate") -> None:
        found = (p if isinstance(p, Problem) else Problem(source=source, message=p) for p in problems)
        self.problems: tuple[Problem, ...] = tuple(found)
        super().__init__("\n".join(map(str, self.problems)))


class EvidenceError(Exception):
    """A record or a signature does not hold."""


class UnavailableError(Exception):
    """Something that the gate needs can't be had now: a store, a name, an upstream."""
