"""SQL as text: where readers of different dialects see different statements, and which verbs stand in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LONGEST: Final = 64 * 1024
"""Characters of what is parsed: what is longer is not told apart."""

MYSQL: Final = frozenset({"mysql", "singlestore", "doris", "starrocks", ""})
"""Dialects that run what stands in `/*! */`, and that want a space behind `--`. The unknown one may be one of them."""

_RUN_COMMENT = re.compile(r"/\*M?!")
_BARE_DASHES = re.compile(r"--(?![\s\x00-\x20]|\Z)")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_STRAY = re.compile("[\x0b\x0c\x85\xa0\ufeff\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000]")
"""Space to one reader, part of a word or nothing to another."""
_SPLITS = re.compile(
    r"""\\['"`]                             # a backslash that escapes a quote, or is one more character
    |/\*(?:(?!\*/).)*/\*                   # comments in comments
    |\$[A-Za-z_0-9]*\$                     # quotes of dollars
    |\'\'\'|\"\"\"                         # quotes of three
    |(?<![\w'"`])(?:[ENBRXQ]|U&|[BR]{2})['"] # prefixes of texts
    |\#                                    # a comment, an operator, part of a name
    |\r(?!\n)                              # the end of a line, or not
    |\[[^\]]{0,256}['"`]|`[^`]{0,256}['"]  # a quote of names, or not
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
"""What some dialects begin or end a text, a name or a comment with, and others don't."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")

# A verb, and the kinds of statements in which it may stand.
_WITHIN: Final = {
    "INSERT": "insert merge create alter grant revoke",
    "UPDATE": "update merge create alter insert grant revoke",
    "DELETE": "delete merge create alter grant revoke",
    "MERGE": "merge alter",
    "DROP": "drop alter grant revoke",
    "TRUNCATE": "truncate alter create grant revoke",
    "ALTER": "alter grant revoke",
    "CREATE": "create grant revoke alter",
    "GRANT": "grant revoke create alter",
    "REVOKE": "revoke grant alter",
    "INTO": "insert merge create copy export into replace load",
    "EXEC": "execute",
    "EXECUTE": "execute grant revoke create",
    "CALL": "call execute",
    "COPY": "copy alter",
    "LOAD": "load",
    "KILL": "kill",
    "SHUTDOWN": "",
    "RENAME": "alter rename",
    "OUTFILE": "export",
    "DUMPFILE": "export",
    "UNDROP": "undrop",
}
_ANYTHING = ("other", "execute", "script")
"""Kinds of statements in which anything may stand, and that nobody takes for harmless."""
VERBS: Final = {verb: frozenset((*kinds.split(), *_ANYTHING)) for verb, kinds in _WITHIN.items()}


def odd(text: str, dialect: str) -> str:
    """Why a text has no one reading in its dialect, whatever stands in it; empty if it may have."""
    if _CONTROLS.search(text):
        return "The SQL has characters that no SQL has."
    if dialect in MYSQL and _RUN_COMMENT.search(text):
        return "The SQL has a comment that MySQL runs."
    if dialect in MYSQL and _BARE_DASHES.search(text):
        return "The SQL has two dashes that are a comment to some databases and not to others."
    return ""


def stray(between: str) -> bool:
    """Whether what stands between quoted texts has characters that databases read differently."""
    return _STRAY.search(between) is not None


def hidden(text: str, kinds: Iterable[str]) -> str:
    """Name a verb that another dialect may run, and that was read as part of a text or a comment; empty if there is none."""
    if not _SPLITS.search(text):
        return ""
    return unaccounted((word.upper() for word in _WORD.findall(text)), kinds)


def unaccounted(words: Iterable[str], kinds: Iterable[str]) -> str:
    """Name a verb for which no statement was found that it belongs to; empty if there is none."""
    found = frozenset(kinds)
    return next((word for word in words if word in VERBS and not VERBS[word] & found), "")


def verbs_in(tokens: Sequence[tuple[str, bool]]) -> list[str]:
    """The verbs among tokens, each with whether it is text or a quoted name. `replace(` is a function, `FOR UPDATE` locks."""
    words: list[str] = []
    for at, (token, quoted) in enumerate(tokens):
        word = token.upper()
        if quoted or word not in VERBS:
            continue
        after = tokens[at + 1][0] if at + 1 < len(tokens) else ""
        before = tokens[at - 1][0].upper() if at else ""
        if not (word != "INTO" and after == "(") and not (word == "UPDATE" and before in {"FOR", "KEY"}):
            words.append(word)
    return words
