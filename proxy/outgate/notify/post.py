"""Post: one POST to a place that the operator named. No redirect is followed, no answer is believed beyond its status."""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from outgate.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext

    type Tls = Callable[[str], SSLContext]
    """What the connection to a host is verified with."""

TIMEOUT = 10.0
"""Seconds for each step of it."""
_AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is sent, and where. `headers` may hold a token: never shown."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class PostError(Exception):
    """It was not taken. `again`: it may be, later."""

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.again = again


def checked(url: str, *, secret: bool = False) -> str:
    """The URL of a place. Raises ConfigError for one that is none, or where a `secret` would go in plain text to elsewhere."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"'{url}' is no place to notify: {error}") from error
    if (
        parts.scheme not in {"http", "https"}
        or not host
        or parts.username is not None
        or not url.isascii()
        or not url.isprintable()
    ):
        raise ConfigError(f"'{url}' is no place to notify, write it like https://hooks.example.com/outgate")
    if secret and parts.scheme == "http" and host not in {"127.0.0.1", "::1", "localhost"}:
        raise ConfigError(f"'{url}' would get its token in plain text, use https")
    return url


def send(post: Post, tls: Tls, timeout: float = TIMEOUT) -> None:
    """Send it; raises PostError unless the answer is 2xx."""
    parts = urlsplit(post.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(_connection(post.url, tls, timeout)) as connection:
            connection.request("POST", target, body=post.body, headers=dict(post.headers))
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException, UnavailableError) as error:
        raise PostError(f"{parts.netloc} can't be reached: {type(error).__name__}: {error}", again=True) from error
    if not 200 <= status < 300:
        raise PostError(f"{parts.netloc} answered {status}", again=status >= 500 or status in _AGAIN)


def _connection(url: str, tls: Tls, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=timeout)
    return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=tls(host))
