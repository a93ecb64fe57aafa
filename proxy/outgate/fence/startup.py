"""Files that run later, outside, as the same user: what was not there can't be mounted over, so it is looked for after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ASIDE = ".outgate-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A name that meant nothing when the agent started."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A symbolic link: what it leads to is read-only, but the link itself can be replaced."""

    path: Path
    target: Path


type Mark = Missing | Linked


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What the agent put where it would have run outside; now at `aside`."""

    path: Path
    aside: Path


def mark(paths: Iterable[Path]) -> tuple[Mark, ...]:
    """Note what each of these is now, if it is nothing or a link. What is there already is mounted read-only."""
    marks: list[Mark] = []
    for path in paths:
        if path.is_symlink():
            marks.append(Linked(path=path, target=path.readlink()))
        elif not path.exists():
            marks.append(Missing(path=path))
    return tuple(marks)


def sweep(marks: Iterable[Mark]) -> tuple[Planted, ...]:
    """Move away what has come since, and put links back. Nothing is deleted. Raises OSError where that can't be done."""
    planted: list[Planted] = []
    for was in marks:
        match was:
            case Missing(path=path):
                if path.is_symlink() or path.exists():
                    planted.append(_put_aside(path))
            case Linked(path=path, target=target):
                if not path.is_symlink() or path.readlink() != target:
                    planted += [_put_aside(path)] if path.is_symlink() or path.exists() else []
                    path.symlink_to(target)
    return tuple(planted)


def _put_aside(path: Path) -> Planted:
    aside = next(name for name in _names(path) if not (name.is_symlink() or name.exists()))
    path.rename(aside)
    return Planted(path=path, aside=aside)


def _names(path: Path) -> Iterable[Path]:
    yield path.with_name(path.name + ASIDE)
    number = 1
    while True:
        number += 1
        yield path.with_name(f"{path.name}{ASIDE}-{number}")
