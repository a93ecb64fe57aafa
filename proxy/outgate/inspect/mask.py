"""What a record may say of text that an agent wrote: printable, bounded, and without what looks like a credential."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

KNOWN = re.compile(
    r"""(?<![A-Za-z0-9])(?:
      gh[pousr]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,}
    | (?:sk|rk|pk)[-_][A-Za-z0-9_-]{16,} | whsec_[A-Za-z0-9]{16,}
    | xox[a-z]-[A-Za-z0-9-]{10,} | xapp-[A-Za-z0-9-]{10,}
    | A(?:KIA|SIA)[A-Z0-9]{16} | AIza[A-Za-z0-9_-]{30,} | ya29\.[A-Za-z0-9_-]{16,}
    | outgate_[A-Za-z0-9_-]{43}
    | npm_[A-Za-z0-9]{16,} | pypi-[A-Za-z0-9_-]{16,} | hf_[A-Za-z0-9]{16,} | dop_v1_[a-f0-9]{16,}
    | SG\.[A-Za-z0-9_-]{10,64}+\.[A-Za-z0-9_-]{10,} | shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,}
    | (?:bot)?[0-9]{6,12}:[A-Za-z0-9_-]{30,}
    | eyJ[A-Za-z0-9_-]{8,160}+\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""Credentials that say so themselves, by their makers' documented forms. Case is ignored: a host name arrives in lower case.

Bounded and possessive where something must follow, so that no text takes long."""

RUN = re.compile(r"[A-Za-z0-9_~+=-]{16,}")
"""Long enough to be a key. What is between `/`, `.`, `:`, `@` and the like is judged by itself."""

_HEX = re.compile(r"[0-9a-fA-F-]+")
_CLASSES = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_~+=-", "a" * 26 + "A" * 26 + "0" * 10 + "-" * 5
)
_CHANGES = re.compile(r"(?=a0|0a|A0|0A|aA)")
_CAPITALS = re.compile(r"(?=AA)")

_SHORTEST = 15
"""No credential that we know is shorter: `xoxb-` and ten characters."""
_BEYOND = 4096
"""Read past a cut: a credential that begins before it is seen whole."""
CUT = "…"


def text(value: str, limit: int) -> str:
    """Mask, make printable, cut to `limit` UTF-8 bytes; a cut says how many characters there were."""
    seen = value[: limit + _BEYOND]
    return _cut(masked(seen), limit, len(value), whole=len(seen) == len(value))


def printable(value: str, limit: int) -> str:
    """Nothing that moves a cursor, hides, or reorders; no lone surrogate. Cut to `limit` UTF-8 bytes, as `text` does."""
    return _cut(value, limit, len(value), whole=True)


def masked(value: str) -> str:
    """Hide what looks like a credential, also where it is percent-encoded. A word that is a password can't be seen."""
    if len(value) < _SHORTEST:
        return value
    return "/".join(part if len(part) < _SHORTEST else _segment(part) for part in value.split("/"))


def veiled(value: str) -> str:
    """Hide only the credentials that say so themselves: for names and digests, which are long and random by nature."""
    return KNOWN.sub(_veil, value)


def without_userinfo(url: str) -> str:
    """A proxy's address without the name and password that it may carry."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _cut(value: str, limit: int, length: int, *, whole: bool) -> str:
    if whole and value.isprintable() and (len(value) * 4 <= limit or (len(value) <= limit and value.isascii())):
        return value
    kept = value[:limit]
    shown = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in kept).encode()
    if whole and len(shown) <= limit and len(kept) == len(value):
        return shown.decode()
    head = shown[: limit - 24].decode(errors="ignore")
    return f"{head}{CUT}({length} characters)"


def _segment(part: str) -> str:
    plain = unquote(part) if "%" in part else part
    shown = RUN.sub(_judged, KNOWN.sub(_veil, plain))
    return part if shown == plain else shown


def _judged(found: re.Match[str]) -> str:
    return _veil(found) if _is_random(found[0]) else found[0]


def _veil(found: re.Match[str]) -> str:
    """Keep the first characters: enough to tell two ids apart, never enough to use a key."""
    token = found[0]
    kept = 8 if len(token) >= 24 and not KNOWN.fullmatch(token) else 4
    return f"{token[:kept]}{CUT}({len(token)} hidden)"


def _is_random(run: str) -> bool:
    """Letters and digits change places more often than in words, numbers and dates.

    Random letters and digits change class at every second place; `list-orders-2024-05` at every tenth. Without a digit,
    `camelCase` changes as often as keys do; keys have capitals beside capitals as well.
    """
    if _HEX.fullmatch(run) and len(run.replace("-", "")) >= 32:
        return not run.replace("-", "").isdigit()
    shape = run.translate(_CLASSES)
    changes = len(_CHANGES.findall(shape))
    return changes >= 3 and changes * 6 >= len(run) and ("0" in shape or len(_CAPITALS.findall(shape)) * 8 >= len(run))
