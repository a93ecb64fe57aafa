"""How a child is told where the gate is and whom to trust: `certs/trust.yaml`, read and applied."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from outgate.ca.roots import certificates
from outgate.document import Document, parse
from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cryptography import x509

VERSION = "trust/v1alpha"
STORE_PASSWORD = "changeit"  # noqa: S105  # what Java's own store of public certificates has always had; nothing in it is secret
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Kind(StrEnum):
    """What a variable is given."""

    PROXY = "proxy"
    BYPASS = "bypass"
    SETTINGS = "settings"
    ADDITIVE = "additive"
    REPLACING = "replacing"
    JAVA = "java"
    WGET = "wget"


REMOVED = "removed"
EXTRA_KEYS = {Kind.BYPASS: "value", Kind.SETTINGS: "value", Kind.JAVA: "options", Kind.WGET: "lines"}
FIELDS = ("bundle", "host", "password", "port", "proxy", "store")
"""What an option or a line may name in braces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One entry: the same thing under each of its names. `text` is a value; Java's options and wget's lines, one a line."""

    names: tuple[str, ...]
    kind: Kind
    serves: tuple[str, ...]
    source: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The whole of trust.yaml. `removed`: what a child must not inherit, and why."""

    variables: tuple[Variable, ...]
    removed: Mapping[str, str]

    def names(self, *kinds: Kind) -> tuple[str, ...]:
        """Every variable of these kinds, as written."""
        return tuple(name for variable in self.variables if variable.kind in kinds for name in variable.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a child finds things: the folder with our files as the child sees it, and the gate's address."""

    folder: str
    host: str
    port: int

    def file(self, name: str) -> str:
        return f"{self.folder}/{name}"

    @property
    def proxy(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def fields(self) -> dict[str, str]:
        """What stands for FIELDS."""
        return {
            "bundle": self.file(BUNDLE),
            "store": self.file(STORE),
            "password": STORE_PASSWORD,
            "proxy": self.proxy,
            "host": self.host,
            "port": str(self.port),
        }


OURS, BUNDLE, STORE, WGETRC = "ca.pem", "bundle.pem", "trust.p12", "wgetrc"


def read_trust(text: str, source: str) -> Trust:
    """Parse trust.yaml. Raises ConfigError with every problem."""
    return _Reader(document=parse(text, source)).read()


def trust_files(trust: Trust, spot: Spot, *, ours: bytes, roots: Iterable[bytes], wgetrc: str) -> dict[str, bytes]:
    """The files that the variables name. `ours`: our CA in PEM; `roots`: everybody else's; `wgetrc`: what is inherited."""
    everybody = certificates(b"\n".join((*roots, ours)))
    return {
        OURS: ours,
        BUNDLE: b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in everybody),
        STORE: _java_store(everybody),
        WGETRC: _wgetrc(trust, wgetrc, spot).encode(),
    }


def environment(trust: Trust, inherited: Mapping[str, str], spot: Spot) -> dict[str, str]:
    """What a child inherits, with everything that trust.yaml names replaced and nothing of it mixed."""
    named = {*trust.names(*Kind), *trust.removed}
    made = {name: value for name, value in inherited.items() if name not in named}
    for variable in trust.variables:
        for name in variable.names:
            made[name] = _value(variable, inherited.get(name, ""), spot)
    return made


def _value(variable: Variable, inherited: str, spot: Spot) -> str:
    match variable.kind:
        case Kind.PROXY:
            return spot.proxy
        case Kind.BYPASS | Kind.SETTINGS:
            return variable.text
        case Kind.ADDITIVE:
            return spot.file(OURS)
        case Kind.REPLACING:
            return spot.file(BUNDLE)
        case Kind.WGET:
            return spot.file(WGETRC)
        case Kind.JAVA:
            return _java_options(variable.text.splitlines(), inherited, spot)


def _java_options(options: list[str], inherited: str, spot: Spot) -> str:
    """Ours after what is inherited, without what is inherited of ours. A value with a space is quoted, as the JVM reads it."""
    ours = [option.format_map(spot.fields) for option in options]
    properties = {option.partition("=")[0] for option in ours} | {
        "-DsocksProxyHost",
        "-DsocksProxyPort",
        "-Djava.net.useSystemProxies",
    }
    kept = [option for option in _split(inherited) if option.partition("=")[0] not in properties]
    return " ".join(_quoted(option) for option in (*kept, *ours))


def _split(options: str) -> list[str]:
    """As the JVM does: white space parts, either quote joins, nothing escapes."""
    words = shlex.shlex(options, posix=True, punctuation_chars=False)
    words.whitespace_split, words.escape, words.commenters = True, "", ""
    try:
        return list(words)
    except ValueError as error:
        raise ConfigError(f"JAVA_TOOL_OPTIONS can't be read ({str(error).lower()}), correct or unset it") from error


def _quoted(option: str) -> str:
    return f'"{option}"' if any(c.isspace() for c in option) else option


def _java_store(everybody: list[x509.Certificate]) -> bytes:
    """A PKCS12 trust store: certificates only. The JVM takes entries without Oracle's trust attribute for nothing."""
    entries = [pkcs12.PKCS12Certificate(certificate, f"root-{n}".encode()) for n, certificate in enumerate(everybody)]
    sealed = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1)  # public certificates: nothing to stretch
    return pkcs12.serialize_java_truststore(entries, sealed.build(STORE_PASSWORD.encode()))


def _wgetrc(trust: Trust, inherited: str, spot: Spot) -> str:
    """The last line of a name wins in wgetrc, so ours come last."""
    ours = [line.format_map(spot.fields) for v in trust.variables if v.kind is Kind.WGET for line in v.text.splitlines()]
    return "\n".join(line for line in (inherited.rstrip(), *ours) if line) + "\n"


class _Reader:
    """One document on its way to a Trust; collects what is wrong with it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: list[Problem] = []
        self._seen: set[str] = set()

    def read(self) -> Trust:
        value = self._document.value
        if not isinstance(value, dict):
            raise ConfigError(self._document.problem((), f"this must be a mapping that starts with 'outgate: {VERSION}'"))
        if value.get("outgate") != VERSION:
            self._report(("outgate",), f"this file must say 'outgate: {VERSION}'")
        for key in value.keys() - {"outgate", REMOVED, *(kind.value for kind in Kind)}:
            known = ", ".join([*(kind.value for kind in Kind), REMOVED])
            self._report((key,), f"unknown key '{key}', use one of {known}", key=True)
        trust = Trust(variables=tuple(self._variables()), removed=dict(self._removed()))
        if self._problems:
            raise ConfigError(*sorted(self._problems))
        return trust

    def _variables(self) -> Iterator[Variable]:
        for kind in Kind:
            extra = EXTRA_KEYS.get(kind)
            for path, entry in self._entries(kind.value, {"names", "serves", "source"} | ({extra} if extra else set())):
                yield Variable(
                    names=self._names((*path, "names"), entry.get("names")),
                    kind=kind,
                    serves=self._texts((*path, "serves"), entry.get("serves")),
                    source=self._text((*path, "source"), entry.get("source")),
                    text=self._extra(path, kind, entry),
                )

    def _removed(self) -> Iterator[tuple[str, str]]:
        for path, entry in self._entries(REMOVED, {"names", "why"}):
            why = self._text((*path, "why"), entry.get("why"))
            for name in self._names((*path, "names"), entry.get("names")):
                yield name, why

    def _entries(self, section: str, keys: set[str]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
        value = self._document.value.get(section, [])
        if not isinstance(value, list):
            self._report((section,), f"'{section}' must be a list of entries")
            return
        for index, entry in enumerate(value):
            if not isinstance(entry, dict):
                self._report((section, index), f"an entry must be a mapping of {', '.join(sorted(keys))}")
                continue
            for key in entry.keys() - keys:
                self._report((section, index, key), f"unknown key '{key}', use one of {', '.join(sorted(keys))}", key=True)
            yield (section, index), entry

    def _extra(self, path: tuple[str | int, ...], kind: Kind, entry: dict[str, Any]) -> str:
        match kind:
            case Kind.BYPASS | Kind.SETTINGS:
                return self._text((*path, "value"), entry.get("value"))
            case Kind.JAVA:
                return "\n".join(self._templates((*path, "options"), entry.get("options")))
            case Kind.WGET:
                return "\n".join(self._templates((*path, "lines"), entry.get("lines")))
            case Kind.PROXY | Kind.ADDITIVE | Kind.REPLACING:
                return ""

    def _templates(self, path: tuple[str | int, ...], value: Any) -> tuple[str, ...]:
        templates = self._texts(path, value)
        for index, template in enumerate(templates):
            for field in set(re.findall(r"\{(\w*)\}", template)) - {*FIELDS}:
                self._report((*path, index), f"unknown field '{{{field}}}', use one of {', '.join(FIELDS)}")
        return templates

    def _names(self, path: tuple[str | int, ...], value: Any) -> tuple[str, ...]:
        names = self._texts(path, value)
        for index, name in enumerate(names):
            if not NAME.fullmatch(name):
                self._report((*path, index), f"'{name}' is not the name of an environment variable")
            elif name in self._seen:
                self._report((*path, index), f"'{name}' is here twice, keep one")
            self._seen.add(name)
        return names

    def _texts(self, path: tuple[str | int, ...], value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            self._report(path, f"'{path[-1]}' must be a list of texts, at least one")
            return ()
        return tuple(value)

    def _text(self, path: tuple[str | int, ...], value: Any) -> str:
        if not isinstance(value, str) or not value:
            self._report(path, f"'{path[-1]}' must be a text")
            return ""
        return value

    def _report(self, path: tuple[str | int, ...], message: str, *, key: bool = False) -> None:
        self._problems.append(self._document.problem(path, message, key=key))
