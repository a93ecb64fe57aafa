"""What the operator's environment already says about proxies and roots: taken over, never mixed with ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from outgate.ca.roots import certificates, read_pem
from outgate.ca.trust import Kind, Trust
from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY")
"""In the order in which they win: agents' calls are HTTPS."""
BYPASSES = ("no_proxy", "NO_PROXY")
SWITCHES = frozenset({"true", "false", "yes", "no", "0", "1"})
"""What CONDA_SSL_VERIFY may also hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """An upstream proxy that the environment asks for. `url` may carry a password: show `shown`."""

    variable: str
    scheme: str
    host: str
    port: int
    credentials: str = ""

    @property
    def url(self) -> str:
        at = f"{self.credentials}@" if self.credentials else ""
        return f"{self.scheme}://{at}{self._place}"

    @property
    def shown(self) -> str:
        return f"{self.scheme}://{self._place}"

    @property
    def _place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Via({self.variable}={self.shown})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """`bypass`: hosts that the operator's NO_PROXY lists. `roots`: PEM, by the `VARIABLE=path` that named it."""

    via: Via | None
    bypass: tuple[str, ...]
    roots: Mapping[str, bytes]
    wgetrc: str


def inherited(trust: Trust, environ: Mapping[str, str], read: Callable[[str], bytes] = read_pem) -> Inherited:
    """Read what is inherited. Raises ConfigError naming every variable that is broken: never a direct connection instead.

    `read` gives a PEM file's or folder's bytes, or raises OSError.
    """
    problems: list[Problem] = []
    vias = [via for name in PROXIES if environ.get(name, "").strip() for via in _via(name, environ[name].strip(), problems)]
    roots = dict(_roots(list(_named(trust, environ)), read, problems))
    wgetrc = _wgetrc(environ, read, problems)
    if problems:
        raise ConfigError(*problems)
    return Inherited(via=vias[0] if vias else None, bypass=_bypass(environ), roots=roots, wgetrc=wgetrc)


def _via(variable: str, value: str, problems: list[Problem]) -> Iterator[Via]:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port
    except ValueError as error:
        problems.append(_bad_proxy(variable, f"is not a URL ({str(error).lower()})"))
        return
    wrong = _wrong(parts)
    if wrong:
        problems.append(_bad_proxy(variable, wrong))
        return
    credentials = parts.netloc.rpartition("@")[0]
    fallback = 443 if parts.scheme == "https" else 80
    yield Via(variable=variable, scheme=parts.scheme, host=parts.hostname or "", port=port or fallback, credentials=credentials)


def _wrong(parts: SplitResult) -> str:
    if parts.scheme not in {"http", "https"}:
        return f"asks for a '{parts.scheme}' proxy, and only http and https ones can be used"
    if not parts.hostname or any(c.isspace() or not c.isprintable() for c in parts.netloc):
        return "names no host"
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        return "has more than a host and a port"
    return ""


def _bad_proxy(variable: str, wrong: str) -> Problem:
    # The value stays unsaid: it may hold a password.
    return Problem(source="environment", message=f"{variable} {wrong}, write http://host:port or unset it")


def _bypass(environ: Mapping[str, str]) -> tuple[str, ...]:
    value = next((environ[name] for name in BYPASSES if environ.get(name)), "")
    return tuple(host for host in (part.strip() for part in value.split(",")) if host)


def _named(trust: Trust, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each variable and a path that it names; SSL_CERT_DIR names several (openssl-env(7))."""
    for name in trust.names(Kind.REPLACING, Kind.ADDITIVE):
        if environ.get(name) and environ[name].lower() not in SWITCHES:
            yield name, environ[name]
    for folder in environ.get("SSL_CERT_DIR", "").split(":"):
        if folder:
            yield "SSL_CERT_DIR", folder


def _roots(named: list[tuple[str, str]], read: Callable[[str], bytes], problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    seen: dict[str, bytes] = {}
    for variable, path in named:
        if path not in seen:
            pem = _read(variable, path, read, problems)
            if pem is None:
                continue
            seen[path] = pem
        yield f"{variable}={path}", seen[path]


def _read(variable: str, path: str, read: Callable[[str], bytes], problems: list[Problem]) -> bytes | None:
    try:
        pem = read(path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        problems.append(
            Problem(source="environment", message=f"{variable} names {path!r}, which can't be read ({why}), correct or unset it")
        )
        return None
    if not certificates(pem) and variable != "SSL_CERT_DIR":  # a folder may be empty
        message = f"{variable} names {path!r}, in which there is no PEM certificate, correct or unset it"
        problems.append(Problem(source="environment", message=message))
        return None
    return pem


def _wgetrc(environ: Mapping[str, str], read: Callable[[str], bytes], problems: list[Problem]) -> str:
    """What wget would have read: the file that WGETRC names, else ~/.wgetrc if there is one."""
    named = environ.get("WGETRC")
    path = named or str(Path(environ.get("HOME") or "/") / ".wgetrc")
    try:
        return read(path).decode(errors="replace")
    except OSError as error:
        if named:
            why = (error.strerror or str(error)).lower()
            problems.append(
                Problem(source="environment", message=f"WGETRC names {path!r}, which can't be read ({why}), correct or unset it")
            )
        return ""
