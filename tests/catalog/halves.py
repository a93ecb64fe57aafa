"""What an evaluation counts, and which half of its cases may be looked at while rules are made."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from outgate.actions.access import Judged

type Half = Literal["dev", "test"]


def half_of(key: str) -> Half:
    """By the hash of a name, so that nobody chooses. Only totals of the test half are ever printed."""
    return "dev" if hashlib.sha256(key.encode()).digest()[-1] % 2 == 0 else "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operation: `reads` is the truth; `key` is the service that decides its half."""

    key: str
    name: str
    reads: bool
    judged: Judged

    @property
    def half(self) -> Half:
        return half_of(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Two numbers, never one: `under` is a change taken for a read, `over` a read taken for a change."""

    changes: int
    reads: int
    under: int
    over: int

    @property
    def under_block(self) -> float:
        return self.under / self.changes if self.changes else 0.0

    @property
    def over_block(self) -> float:
        return self.over / self.reads if self.reads else 0.0


def score(cases: Iterable[Case]) -> Score:
    of = list(cases)
    return Score(
        changes=sum(not case.reads for case in of),
        reads=sum(case.reads for case in of),
        under=sum(not case.reads and case.judged.access.only_reads for case in of),
        over=sum(case.reads and not case.judged.access.only_reads for case in of),
    )


def dev_errors(cases: Iterable[Case]) -> list[Case]:
    """Those that were judged wrongly, of the half that may be looked at."""
    return [case for case in cases if case.half == "dev" and case.reads is not case.judged.access.only_reads]
