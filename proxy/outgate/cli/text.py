"""Text for a terminal: hostile characters made visible, columns that fit."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def clean(text: str) -> str:
    """Show what an agent wrote without letting it drive the terminal: control, format and bidi characters show as escapes."""
    return "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else f"\\u{ord(c):04x}" for c in text)


def cut(text: str, width: int) -> str:
    """At most `width` characters; an ellipsis says that there was more."""
    return text if len(text) <= width else text[: width - 1] + "…"


def wrapped(text: str, lead: str, width: int = 80) -> Iterator[str]:
    """Lines of at most `width`, after `lead` and then as far in."""
    yield from textwrap.wrap(text, width, initial_indent=lead, subsequent_indent=" " * len(lead))


def columns(rows: Sequence[tuple[str, ...]], widest: tuple[int, ...]) -> Iterator[str]:
    """Rows as aligned columns, two spaces apart, none wider than its bound. One bound may be 0: what the others leave of 80."""
    if not rows:
        return
    needed = [max(len(row[i]) for row in rows) for i in range(len(widest))]
    left = 80 - sum(min(need, bound) + 2 for need, bound in zip(needed, widest, strict=True) if bound)
    widths = [min(need, bound or left) for need, bound in zip(needed, widest, strict=True)]
    for row in rows:
        yield "  ".join(cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
