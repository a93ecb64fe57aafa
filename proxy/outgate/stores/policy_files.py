"""Policies on disk: starter policies by name, an operator's by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from outgate.errors import ConfigError
from outgate.policy.load import load
from outgate.stores.shipped import shipped
from outgate.stores.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outgate.actions.catalog import Catalog
    from outgate.errors import Problem
    from outgate.policy.effect import Mode
    from outgate.policy.rule import Policy


def load_policies(asked: Sequence[str], catalog: Catalog, *, mode: Mode | None = None) -> Policy:
    """Load policies as one set; each is a file or the name of a starter policy. `mode` replaces every file's own.

    Raises ConfigError with every problem.
    """
    texts: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for name in asked:
        try:
            path = policy_path(name)
            texts.append((str(path), text_of(path)))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(*problems)
    return load(texts, catalog, mode=mode)


def policy_path(asked: str) -> Path:
    """A path that exists, else a starter policy's name. Raises ConfigError."""
    path = Path(asked)
    if path.is_file():
        return path
    starters = shipped("rules", "policies")
    starter = starters / f"{asked}.yaml"
    if path.name == asked and starter.is_file():
        return starter
    known = ", ".join(sorted(found.stem for found in starters.glob("*.yaml")))
    if path.name != asked or path.suffix:
        raise ConfigError(f"there is no policy file {asked!r}: give a file's path or one of {known}")
    raise ConfigError(f"no policy {asked!r}: give a file's path or one of {known}")
