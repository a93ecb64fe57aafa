"""Marks that we give: which operations are worse than their verbs say, by globs over their names."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def curated(said: Mapping[str, str]) -> Callable[[str], str]:
    """Give what tells an operation's marks, from mark to globs with spaces between. `*` is any text, dots too."""
    globs = [(mark, re.compile("|".join(map(translate, globs.split())))) for mark, globs in sorted(said.items())]

    def marks(name: str) -> str:
        return "".join(mark for mark, pattern in globs if pattern.match(name))

    return marks
