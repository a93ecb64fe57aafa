"""A curl command line as the requests that curl would send."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from outgate.cli.told.curl_form import Part, part, wrapped
from outgate.cli.told.curl_options import options
from outgate.cli.told.shell import PROMPT, is_curl, words
from outgate.policy.call import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from outgate.policy.call import Call

type Read = Callable[[str], bytes]
"""Gives the content of a file that a command line names; `-` is the standard input. Raises OSError."""

MOST = 64
"""Requests of one command line."""
_GLOB = re.compile(r"\{[^}]*,[^}]*\}|\[[0-9A-Za-z]+-[0-9A-Za-z]+(?::[0-9]+)?\]")
_SEEN = "".join(map(chr, range(0x21, 0x7F)))
"""Characters that curl leaves as they are."""


@dataclass(slots=True)
class _Asked:
    """What the options say of one request, or of several that differ by their URL."""

    urls: list[str] = field(default_factory=list)
    method: str = ""
    headers: list[str] = field(default_factory=list)
    body: bytes | None = None
    in_json: bool = False
    parts: list[Part] = field(default_factory=list)
    upload: str | None = None
    login: str = ""
    query: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)


def read_curl(line: str, read: Read) -> tuple[Call, ...]:
    """Read what curl would send. `read` gives the files that it names.

    Raises ValueError with a sentence for what is no curl command, or is sent in a way that can't be told from it.
    """
    if not is_curl(line):
        raise ValueError("this is no curl command: it does not start with 'curl'")
    made: list[Call] = []
    for asked in _asked(words(PROMPT.sub("", line, count=1))[1:], read):
        if not asked.urls:
            raise ValueError("the curl command has no URL")
        made.extend(_call(asked, url, read) for url in asked.urls)
        if len(made) > MOST:
            raise ValueError(f"the curl command makes more than {MOST} requests")
    return tuple(made)


def _asked(given: list[str], read: Read) -> Iterator[_Asked]:
    asked = _Asked()
    for name, word in options(given):
        if name == "next":
            yield asked
            asked = _Asked()
        else:
            _apply(asked, name, word, read)
    yield asked


def _apply(asked: _Asked, name: str, word: str, read: Read) -> None:  # noqa: C901  # one case an option
    match name:
        case "url":
            asked.urls.append(word)
        case "request":
            asked.method = word
        case "header":
            if word.startswith("@"):
                raise ValueError("-H @FILE is not read: write the headers out")
            asked.headers.append(word)
        case "data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" | "json":
            _add(asked, _data(name, word, read), joint=b"" if name == "json" else b"&")
            asked.in_json = asked.in_json or name == "json"
        case "form" | "form-string":
            asked.parts.append(part(word, read, literal=name == "form-string"))
        case "user" | "oauth2-bearer":
            asked.login = f"Basic {_base64(word if ':' in word else word + ':')}" if name == "user" else f"Bearer {word}"
        case "upload-file":
            asked.upload = word
        case "url-query":
            asked.query.append(word[1:] if word.startswith("+") else _encoded(word, read).decode())
        case "get" | "head" | "globoff" | "path-as-is" | "compressed":
            asked.flags.add(name)
        case _:
            asked.said[name] = word


def _add(asked: _Asked, data: bytes, *, joint: bytes) -> None:
    asked.body = data if asked.body is None else asked.body + joint + data


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _data(name: str, word: str, read: Read) -> bytes:
    if name == "data-urlencode":
        return _encoded(word, read)
    if name == "data-raw" or not word.startswith("@"):
        return word.encode()
    content = _file(word[1:], read)
    return content if name in {"data-binary", "json"} else re.sub(rb"[\r\n\0]", b"", content)


def _encoded(word: str, read: Read) -> bytes:
    """`content`, `=content`, `name=content`, `@file`, `name@file`: what follows is encoded, names are not."""
    at = re.search("[=@]", word)
    if at is None:
        return _quoted(word.encode())
    name, content = word[: at.start()], word[at.end() :]
    value = _quoted(content.encode() if at[0] == "=" else _file(content, read))
    return f"{name}=".encode() + value if name else value


def _quoted(content: bytes) -> bytes:
    return quote(content, safe="-._~ ").replace(" ", "+").encode()


def _file(name: str, read: Read) -> bytes:
    try:
        return read(name)
    except OSError as error:
        raise ValueError(f"{name} can't be read: {error.strerror or error}") from error


def _call(asked: _Asked, url: str, read: Read) -> Call:
    url, login = _plain(asked, url)
    method, body, kind = _content(asked, read)
    if "get" in asked.flags and asked.body is not None:
        method, body, kind = "HEAD" if "head" in asked.flags else "GET", None, ""
        url = _with_query(url, asked.body.decode())
    for query in asked.query:
        url = _with_query(url, query)
    if asked.upload is not None and url.endswith("/"):
        url += quote(asked.upload.rpartition("/")[2])
    headers = _headers(asked, asked.login or login, kind)
    hosts = [value for name, value in headers if name.lower() == "host"]
    made = call(f"{asked.method or method} {url}", [pair for pair in headers if pair[0].lower() != "host"], body)
    if not hosts:
        return made
    return replace(made, raw=replace(made.raw, headers=((b"Host", hosts[-1].encode()), *made.raw.headers[1:])))


def _plain(asked: _Asked, url: str) -> tuple[str, str]:
    """The URL as curl asks for it, and the login in it: dots undone, no fragment, a scheme."""
    if "globoff" not in asked.flags and _GLOB.search(url):
        raise ValueError(f"curl makes several requests of '{_GLOB.search(url)[0]}' in the URL: say one, or add -g")  # type: ignore[index]
    if "://" not in url:
        url = f"{asked.said.get('proto-default', 'http')}://{url}"
    try:
        parts = urlsplit(url)
        parts = parts._replace(fragment="")
        path = parts.path if "path-as-is" in asked.flags else _undotted(parts.path)
        login, _, place = parts.netloc.rpartition("@")
        parts = parts._replace(path=quote(path, safe=_SEEN), query=quote(parts.query, safe=_SEEN), netloc=place)
    except ValueError as error:
        raise ValueError(f"'{url}' is no URL") from error
    return urlunsplit(parts), f"Basic {_base64(unquote(login if ':' in login else login + ':'))}" if login else ""


def _undotted(path: str) -> str:
    """RFC 3986, section 5.2.4."""
    made: list[str] = []
    segments = path.split("/")[1:]
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        if segment == "..":
            made = made[:-1]
        elif segment != ".":
            made.append(segment)
        if segment in {".", ".."} and last:
            made.append("")
    return "/" + "/".join(made)


def _with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _content(asked: _Asked, read: Read) -> tuple[str, bytes | None, str]:
    """The method that is meant, the body, and what it is said to be."""
    said = [
        asked.body is not None,
        bool(asked.parts),
        asked.upload is not None,
        "head" in asked.flags and "get" not in asked.flags,
    ]
    if sum(said) > 1:
        raise ValueError("curl sends one of -d, -F, -T and -I, not several: it warns of that, and refuses")
    if asked.upload is not None:
        return "PUT", _file(asked.upload, read), ""
    if asked.parts:
        kind, content = wrapped(asked.parts)
        return "POST", content, kind
    if asked.body is not None:
        return "POST", asked.body, "application/json" if asked.in_json else "application/x-www-form-urlencoded"
    return "HEAD" if "head" in asked.flags else "GET", None, ""


def _headers(asked: _Asked, login: str, kind: str) -> list[tuple[str, str]]:
    """What curl says by itself, unless it is told otherwise: `Name: value`, `Name;` for an empty one, `Name:` for none."""
    own = {
        "Authorization": login,
        "User-Agent": asked.said.get("user-agent", "curl"),
        "Accept": "application/json" if asked.in_json else "*/*",
        "Accept-Encoding": "gzip" if "compressed" in asked.flags else "",
        "Referer": asked.said.get("referer", "").removesuffix(";auto"),
        "Range": f"bytes={asked.said['range']}" if "range" in asked.said else "",
        "Cookie": _cookie(asked),
        "Content-Type": kind,
    }
    said: list[tuple[str, str]] = []
    silent: set[str] = set()
    for line in asked.headers:
        name, colon, value = line.partition(":")
        if colon:
            silent.add(name.strip().lower())
            said.extend([(name.strip(), value.strip())] if value.strip() else [])
        elif line.endswith(";"):
            silent.add(line[:-1].strip().lower())
            said.append((line[:-1].strip(), ""))
        else:
            raise ValueError(f"'{line}' is no header, write it like 'Name: value'")
    if "content-type" in silent and kind.startswith("multipart/"):
        said = [
            (name, f"{value}{kind.removeprefix('multipart/form-data')}" if name.lower() == "content-type" else value)
            for name, value in said
        ]
    return [*((name, value) for name, value in own.items() if value and name.lower() not in silent), *said]


def _cookie(asked: _Asked) -> str:
    cookie = asked.said.get("cookie", "")
    if cookie and "=" not in cookie:
        raise ValueError("-b FILE is not read: cookies stand in it, write them out as -b 'name=value'")
    return cookie
