"""Credentials in what goes out, outside the slot that their service declares for them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from outgate.intake.bodies import DECODED_LIMIT, UndecodableError
from outgate.intake.codings import codings_of, pieces
from outgate.intake.media import media_of
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.catalog import Catalog
    from outgate.actions.service import Auth
    from outgate.intake.request import Request

SECRET = "secret"  # noqa: S105  # the name of a class of data
UNREADABLE = "unreadable"

SHORTEST = 20
"""No pattern is shorter (an AWS key id is as short), so shorter words are passed over."""
LONGEST = 1024
"""No pattern is longer. Longer runs are pictures and the like."""
SEARCHED = 256 * 2**20
"""Bytes of a body, decoded, that are looked into; beyond that it is unreadable."""
WINDOW = DECODED_LIMIT
"""Bytes that are looked into at once."""
_OVERLAP = 64 * 1024
DECODED_BASE64 = 4 * 2**20
"""Bytes of base64 in one request that are undone and looked into."""

_WORD = bytes(b"a"[0] if chr(b).isascii() and (chr(b).isalnum() or chr(b) in "_-.+/") else b" "[0] for b in range(256))
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+")
_SHORTEST_BASE64 = 28
"""Twenty bytes."""
_LINE = range(56, 81)
"""Lengths of a line of base64: 76 in MIME, 64 in PEM."""
_LINE_END = re.compile(rb"\\[rn]|[\r\n]")


def _token(pattern: str) -> re.Pattern[bytes]:
    """A token stands by itself. Runs never give back what they took, so that no text makes the search slow."""
    return re.compile(rf"(?<![A-Za-z0-9_-]){pattern}(?![A-Za-z0-9])".encode())


# Formats that their makers document so that they can be told from anything else. Each is linear: a literal, then runs of a class.
_TOKENS: tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...] = (
    ("aws", (b"AKIA", b"ASIA", b"ABIA", b"ACCA"), _token(r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}")),
    ("github", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), _token(r"gh[pousr]_[A-Za-z0-9]{36,255}+")),
    ("github", (b"github_pat_",), _token(r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}")),
    ("gitlab", (b"glpat-",), _token(r"glpat-[A-Za-z0-9_-]{20,64}+")),
    ("stripe", (b"k_live_",), _token(r"[sr]k_live_[A-Za-z0-9]{16,247}+")),
    ("stripe", (b"whsec_",), _token(r"whsec_[A-Za-z0-9]{32,64}+")),
    ("slack", (b"xox",), _token(r"xox[abeoprs]-(?:[0-9]-)?[A-Za-z0-9-]{20,250}+")),
    ("slack", (b"xapp-",), _token(r"xapp-[0-9]-[A-Z0-9]{8,16}+-[0-9]{8,16}+-[a-f0-9]{32,128}+")),
    ("anthropic", (b"sk-ant-",), _token(r"sk-ant-[a-z]{3,8}+[0-9]{2}-[A-Za-z0-9_-]{32,160}+")),
    ("openai", (b"sk-proj-", b"sk-svcacct-", b"sk-admin-"), _token(r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,200}+")),
    ("openai", (b"T3BlbkFJ",), _token(r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}")),
    ("google", (b"AIza",), _token(r"AIza[A-Za-z0-9_-]{35}")),
    ("google", (b"GOCSPX-",), _token(r"GOCSPX-[A-Za-z0-9_-]{28}")),
    ("google", (b"ya29.",), _token(r"ya29\.[A-Za-z0-9_-]{32,512}+")),
    ("npm", (b"npm_",), _token(r"npm_[A-Za-z0-9]{36}")),
    ("pypi", (b"pypi-AgE",), _token(r"pypi-AgE[A-Za-z0-9_-]{64,512}+")),
    ("huggingface", (b"hf_",), _token(r"hf_[A-Za-z]{34}")),
    ("sendgrid", (b"SG.",), _token(r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")),
    ("digitalocean", (b"dop_v1_", b"doo_v1_"), _token(r"do[op]_v1_[a-f0-9]{64}")),
    ("docker", (b"dckr_pat_",), _token(r"dckr_pat_[A-Za-z0-9_-]{27}")),
    ("linear", (b"lin_api_",), _token(r"lin_api_[A-Za-z0-9]{40}")),
    ("shopify", (b"shpat_", b"shpss_"), _token(r"shp(?:at|ss)_[a-fA-F0-9]{32}")),
    ("databricks", (b"dapi",), _token(r"dapi[a-f0-9]{32}(?:-[0-9])?")),
    ("vault", (b"hvs.", b"hvb."), _token(r"hv[sb]\.[A-Za-z0-9_-]{24,400}+")),
    ("outgate", (b"outgate_",), _token(r"outgate_[A-Za-z0-9_-]{43}")),  # intake/credentials.py
    ("age", (b"AGE-SECRET-KEY-1",), _token(r"AGE-SECRET-KEY-1[A-Z0-9]{58}")),
)
_BEGINNINGS = re.compile(
    rb"[./+](?:[sr]k_live_|sk-|"
    + b"|".join(re.escape(mark) for _, marks, _ in _TOKENS for mark in marks if mark not in {b"k_live_", b"T3BlbkFJ"})
    + b")"
)
"""Where a token may begin inside a word."""
_MARKS = re.compile(b"|".join(re.escape(mark) for _, marks, _ in _TOKENS for mark in marks))
_BY_MARK = {mark: tuple((n, p) for n, marks, p in _TOKENS if mark in marks) for _, all_, _ in _TOKENS for mark in all_}

# What goes over characters that no word has: looked for in the whole text, where one of its marks stands.
_SPREAD: tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...] = (
    (
        "private-key",
        (b"PRIVATE KEY",),
        re.compile(
            rb"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|[\s\"'+]){1,12}+"
            rb"(?:[A-Za-z-]{4,20}+: [ -\[\]-~]{1,80}+(?:\\[rn]|\s){1,6}+){0,4}+[A-Za-z0-9+/]{40}"
        ),
    ),
    ("azure", (b"AccountKey=",), re.compile(rb"AccountKey=[A-Za-z0-9+/]{86}==")),
    (
        "slack",
        (b"hooks.slack.com/services/",),
        re.compile(rb"hooks\.slack\.com/services/T[A-Z0-9]{6,14}/B[A-Z0-9]{6,14}/[A-Za-z0-9]{20,30}"),
    ),
    (
        "aws",
        (b"ret_access_key", b"retAccessKey", b"RET_ACCESS_KEY"),
        re.compile(
            rb"(?:ret_access_key|retAccessKey|RET_ACCESS_KEY)[\\\"']{0,3}\s{0,4}[:=]\s{0,4}[\\\"']{0,3}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
        ),
    ),
)
NAMES = frozenset(name for name, *_ in (*_TOKENS, *_SPREAD))
"""Kinds of credentials that are told apart; a service file names those that belong in its slot."""


def classes_of(request: Request, catalog: Catalog) -> frozenset[str]:
    """Give the classes of data that go out with a request: `secret`; `unreadable` where its body could not be looked into.

    A credential is no `secret` where its service wants it: in a slot that the service's file names, and of a kind that
    belongs there. What was encrypted, compressed in the content itself or cut up is not found.
    """
    auth = catalog.auth_of(request)
    found = set(_body_classes(request))
    if any(map(secrets_in, _outside(request, auth))) or any(_foreign(value, auth) for value in _slots(request, auth)):
        found.add(SECRET)
    return frozenset(found)


def secrets_in(content: bytes) -> frozenset[str]:
    """Name the kinds of credentials in some bytes: as they stand, in UTF-16, JSON-escaped, percent-escaped, or in base64."""
    if len(content) < SHORTEST:  # undoing an escape makes it shorter still
        return frozenset()
    views = [content]
    if b"%" in content or b"\\u00" in content or b"\\/" in content:
        views.append(unquote_to_bytes(content.replace(b"\\u00", b"%").replace(b"\\/", b"/")))
    if (zeros := content.count(0)) and zeros * 3 >= len(content):  # letters of two or four bytes each (UTF-16, UTF-32)
        views.append(content.replace(b"\0", b""))
    return frozenset(name for view in views for look in (_spread, _in_words) for name in look(view))


def _spread(content: bytes) -> Iterator[str]:
    return (name for name, marks, pattern in _SPREAD if any(mark in content for mark in marks) and pattern.search(content))


def _in_words(content: bytes) -> Iterator[str]:
    """Look into each long word, and into what is base64, also where it goes over lines."""
    left, wrapped = DECODED_BASE64, False
    for start, end in _words(content):
        word = content[start:end]
        yield from _in_word(word)
        if len(word) in _LINE and _LINE_END.match(content, end):
            wrapped = True
        elif left > 0 and (inner := _from_base64(word)):
            left -= len(inner)
            yield from _spread(inner)
            yield from (name for at, to in _words(inner) for name in _in_word(inner[at:to]))
    if wrapped:
        yield from _in_words(_LINE_END.sub(b"", content))


def _in_word(word: bytes) -> Iterator[str]:
    if len(word) > LONGEST:
        yield from _in_run(word)
    elif _MARKS.search(word):
        yield from (name for mark in set(_MARKS.findall(word)) for name, pattern in _BY_MARK[mark] if pattern.search(word))


def _in_run(run: bytes) -> Iterator[str]:
    """A picture, or a path that is long so that nobody looks: only what begins like a token, half of LONGEST at a time."""
    yield from _in_word(run[:LONGEST])
    at = LONGEST // 2
    while (found := _BEGINNINGS.search(run, at)) is not None:
        yield from _in_word(run[found.start() : found.start() + LONGEST])
        at = found.start() + LONGEST // 2


def _words(content: bytes) -> Iterator[tuple[int, int]]:
    """Where long words are: found at the speed of a plain search, so that text and pictures cost next to nothing."""
    marked, wanted = content.translate(_WORD), b"a" * SHORTEST
    start = marked.find(wanted)
    while start >= 0:
        end = marked.find(b" ", start)
        end = end if end >= 0 else len(content)
        yield start, end
        start = marked.find(wanted, end)


def _from_base64(word: bytes) -> bytes:
    """Undo base64, as files and Basic credentials go over an API; nothing where a word is none."""
    if len(word) < _SHORTEST_BASE64 or not _BASE64.fullmatch(word):
        return b""
    try:
        return base64.b64decode(word[: len(word) - len(word) % 4])
    except binascii.Error:
        return b""


def _body_classes(request: Request) -> Iterator[str]:
    match request.body:
        case NoBody():
            return
        case SpooledBody() | UnreadBody():
            yield UNREADABLE
        case WholeBody(content):
            yield from _in_body(request.headers, content)


def _in_body(headers: tuple[tuple[str, str], ...], content: bytes) -> Iterator[str]:
    """Look into a body as it is meant, and, for who does not undo its coding, as it stands."""
    media = media_of(headers)
    if media is not None and not media.is_like_ascii:
        yield UNREADABLE
    parts = media is not None and media.kind.startswith("multipart/")
    try:
        found = any(_holds_secret(window, parts=parts) for window in windows(pieces(headers, content, limit=SEARCHED)))
    except UndecodableError:
        yield UNREADABLE
    else:
        if found or (codings_of(headers) and any(map(secrets_in, windows(iter((content,)))))):
            yield SECRET


def _holds_secret(content: bytes, *, parts: bool) -> bool:
    """`parts`: it is multipart, of which each part may have been encoded by itself (RFC 2045, section 6)."""
    return bool(secrets_in(content) or (parts and b"=" in content and secrets_in(binascii.a2b_qp(content))))


def windows(content: Iterator[bytes]) -> Iterator[bytes]:
    """Cut what is too much to be looked into at once. Each begins so far before the end of the last that nothing is cut up."""
    held: list[bytes] = []
    size = 0
    for piece in content:
        for at in range(0, len(piece), WINDOW):
            part = piece if len(piece) <= WINDOW else piece[at : at + WINDOW]
            if size + len(part) > WINDOW and held:
                window = b"".join(held)
                yield window
                held = [window[_resume(window) :]]
                size = len(held[0])
            held.append(part)
            size += len(part)
    yield b"".join(held)


def _resume(window: bytes) -> int:
    """Where the next one begins: between two words, or, in a run of base64 that is longer than that, after whole fours of it."""
    latest = max(0, len(window) - _OVERLAP)
    earliest = max(0, latest - _OVERLAP)
    space = window[earliest:latest].translate(_WORD).rfind(b" ")
    if space >= 0:
        return earliest + space + 1
    run = window[:latest].translate(_WORD).rfind(b" ") + 1
    return latest - (latest - run) % 4


def _outside(request: Request, auth: Auth | None) -> Iterator[bytes]:
    """Everything of a head that is no slot."""
    yield request.host.encode("ascii")
    yield request.path.encode("latin-1")
    for pair in (request.query or "").encode("latin-1").split(b"&"):
        if not _is_slot(pair, auth):
            yield pair
    for name, value in request.headers:
        yield name.encode("ascii")
        if auth is None or name not in auth.headers:
            yield value.encode("latin-1")


def _slots(request: Request, auth: Auth | None) -> Iterator[bytes]:
    if auth is None:
        return
    yield from (pair for pair in (request.query or "").encode("latin-1").split(b"&") if _is_slot(pair, auth))
    yield from (value.encode("latin-1") for name, value in request.headers if name in auth.headers)


def _is_slot(pair: bytes, auth: Auth | None) -> bool:
    return auth is not None and unquote_to_bytes(pair.partition(b"=")[0]).decode("latin-1") in auth.query


def _foreign(value: bytes, auth: Auth | None) -> bool:
    """Whether a slot holds a credential that another service gave out: it would get into the wrong hands."""
    return auth is not None and bool(auth.keys) and not secrets_in(value) <= auth.keys
