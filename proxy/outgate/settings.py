"""Settings: everything an operator may set but the policy, checked whole before anything starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import platformdirs

from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.intake.agents import AGENT_ID, Agent
from outgate.intake.destinations import (
    ANY,
    Destination,
    Destinations,
    Direct,
    Network,
    block_of,
    fixed_of,
    pattern_of,
    via_of,
)
from outgate.policy.shapes import Count, Many, Named, Scalar, Table, Text, Truth, Words, meant, problems, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.digest import Json
    from outgate.document import Document
    from outgate.document import Path as Place
    from outgate.intake.destinations import Route

LANGUAGE = "settings/v1alpha"
FILE = "config.yaml"
LOG_LEVELS = ("debug", "info", "warning", "error")
BODY_LIMIT = 8 << 20
"""The most of a request body that is held to decide on it, in bytes. A decision that needs more refuses."""

_SIZE = re.compile(r"([1-9][0-9]{0,11}) ?(B|KiB|MiB|GiB)?")
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DATE_FORM = "a date like 2026-01-31, or a time with its offset like 2026-01-31T08:00:00Z"

_text = Text("a name", r"[^\x00-\x1f]{1,200}", "text on one line")
_path = Text("a path", r"[^\x00]{1,4096}", "the path of a file or folder")
_later = "it comes with a later version"

FORM = Table(
    what="the settings file",
    required=frozenset({"outgate"}),
    keys={
        "outgate": Words("settings language", (LANGUAGE,)),
        "agent": Table(
            what="'agent'",
            keys={
                "name": Text("an agent's name", AGENT_ID.pattern, "1 to 64 letters, digits, '.', '_', '@', '-'"),
                "team": _text,
                "owner": _text,
                "permissions": Many(_text),
                "labels": Named("labels", _text, r"[A-Za-z][A-Za-z0-9_./-]{0,62}"),
                "since": Text("'since'", r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T.+)?", _DATE_FORM),
            },
        ),
        "policy": Many(
            Text("a policy", r"[^\x00]{1,4096}", "the name of a starter policy, or a file's path with a '/' or '.yaml'")
        ),
        "enforce": Truth("'enforce'"),
        "fence": Truth("'fence'"),
        "share": Many(_path),
        "direct": Many(Count("a port")),
        "services": Many(_path),
        "networks": Named("networks", Many(Text("a block", r"[0-9a-fA-F.:/]{2,60}", "addresses like 10.0.0.0/8"))),
        "destinations": Named(
            "destinations",
            Table(
                what="a destination",
                keys={
                    "address": Text("'address'", r"[0-9a-fA-F.:\[\]]{2,60}", "an IP address, with :port if it is another one"),
                    "via": Text("'via'", r"\S{1,500}", "direct, or a proxy like http://proxy.example:3128"),
                    "ca": _path,
                    "client_cert": _path,
                    "network": Text("a network", r"\S{1,64}", "the name of one under 'networks'"),
                },
                later=MappingProxyType({"alpn": _later, "owned": _later, "tls": _later}),
            ),
            r"[^\x00-\x20]{1,255}",
        ),
        "metrics": Text("'metrics'", r"[^\x00-\x1f]{1,4096}", "the path of a Unix socket, or host:port"),
        "body_limit": Scalar("'body_limit'"),
        "log_level": Words("log level", LOG_LEVELS),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What the operator says of the one agent that `run` starts."""

    name: str | None = None
    team: str = ""
    owner: str = ""
    permissions: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    since: datetime | None = None

    def agent(self, name: str) -> Agent:
        """The agent, under the name that the command line or this file gives it."""
        return Agent(
            id=name, team=self.team, owner=self.owner, permissions=self.permissions, labels=self.labels, since=self.since
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A gate's settings. Paths are absolute; `metrics` is as it was written, for whoever opens it."""

    agent: AgentSettings = field(default_factory=AgentSettings)
    policies: tuple[str, ...] = ()
    """Names of starter policies, and absolute paths."""
    enforce: bool = False
    fence: bool = True
    share: tuple[Path, ...] = ()
    direct: tuple[int, ...] = ()
    services: tuple[Path, ...] = ()
    destinations: Destinations = field(default_factory=Destinations)
    metrics: str | None = None
    body_limit: int = BODY_LIMIT
    log_level: str = "info"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where logs, keys and the ledger are kept: OUTGATE_STATE, else the user's state folder."""
    return Path(environ.get("OUTGATE_STATE") or platformdirs.user_state_path("outgate"))


def config_folder(environ: Mapping[str, str]) -> Path:
    """Where settings are looked for when no file is named: OUTGATE_CONFIG, else the user's configuration folder."""
    return Path(environ.get("OUTGATE_CONFIG") or platformdirs.user_config_path("outgate"))


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file named, else the user's own where there is one, else give what holds without any.

    Raises ConfigError with every problem.
    """
    file = path or config_folder(environ) / FILE
    if path is None and not file.exists():
        return Settings()
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(source=str(file), message="not text: settings are UTF-8")) from error
    except OSError as error:
        raise ConfigError(Problem(source=str(file), message=f"can't be read: {error.strerror or error}")) from error
    return read(text, str(file), file.absolute().parent)


def read(text: str, source: str, folder: Path) -> Settings:
    """Read settings; relative paths start at `folder`. Raises ConfigError with every problem."""
    document = parse(text, source)
    wrong = problems(FORM, document)
    reading = _Reading(document=document, folder=folder, said=_sound(document, wrong), problems=wrong)
    settings = reading.settings()
    if reading.problems:
        raise ConfigError(*sorted(reading.problems))
    return settings


def json_schema() -> dict[str, Json]:
    """The file's form for editors (JSON Schema 2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Outgate settings", **schema(FORM)}


def _sound(document: Document, wrong: list[Problem]) -> dict[str, Any]:
    """The top-level keys in which nothing is wrong: those are read on, so that all problems come at once."""
    if not isinstance(document.value, dict):
        return {}
    starts = {key: document.problem((key,), "", key=True) for key in document.value}
    bad = {max((k for k in starts if _at(starts[k]) <= _at(p)), key=lambda k: _at(starts[k]), default="") for p in wrong}
    if "networks" in bad:
        bad.add("destinations")
    return {key: value for key, value in document.value.items() if key not in bad}


def _at(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Turns what has the right shape into values, and notes what no shape can say."""

    document: Document
    folder: Path
    said: dict[str, Any]
    problems: list[Problem]

    def settings(self) -> Settings:
        said = self.said
        return Settings(
            agent=self._agent(said.get("agent", {})),
            policies=tuple(self._policy(name) for name in _many(said.get("policy", []))),
            enforce=said.get("enforce", False),
            fence=said.get("fence", True),
            share=self._paths("share"),
            direct=tuple(self._port(("direct", at), port) for at, port in enumerate(_many(said.get("direct", [])))),
            services=self._paths("services"),
            destinations=self._destinations(said),
            metrics=said.get("metrics"),
            body_limit=self._size(said.get("body_limit", BODY_LIMIT)),
            log_level=said.get("log_level", "info"),
        )

    def _agent(self, said: dict[str, Any]) -> AgentSettings:
        since = said.get("since")
        return AgentSettings(
            name=said.get("name"),
            team=said.get("team", ""),
            owner=said.get("owner", ""),
            permissions=frozenset(_many(said.get("permissions", []))),
            labels=MappingProxyType(dict(said.get("labels", {}))),
            since=None if since is None else self._parsed(("agent", "since"), _moment, since),
        )

    def _policy(self, name: str) -> str:
        return str(self._path(name)) if "/" in name or name.endswith((".yaml", ".yml")) else name

    def _paths(self, key: str) -> tuple[Path, ...]:
        """Paths of things that are there: one that is not would be given, or loaded, silently not."""
        paths = tuple(self._path(text) for text in _many(self.said.get(key, [])))
        for at, path in enumerate(paths):
            if not path.exists():
                self._note((key, at), f"{path} does not exist, name a file or folder that does")
        return paths

    def _port(self, at: Place, port: int) -> int:
        if port > 65535:
            self._note(at, f"a port is a number from 1 to 65535, not {port}")
        return port

    def _size(self, said: str | int) -> int:
        found = _SIZE.fullmatch(str(said)) if not isinstance(said, bool) else None
        if found is None:
            self._note(("body_limit",), "'body_limit' is a number of bytes, like 1048576 or 8 MiB")
            return BODY_LIMIT
        return int(found[1]) * _UNITS[found[2]]

    def _destinations(self, said: dict[str, Any]) -> Destinations:
        networks = {name: self._network(name, _many(blocks)) for name, blocks in said.get("networks", {}).items()}
        table: dict[str, Destination] = {}
        for written, keys in said.get("destinations", {}).items():
            at: Place = ("destinations", written)
            pattern = self._parsed(at, pattern_of, written, key=True)
            if pattern is None:
                continue
            if pattern in table:
                self._note(at, f"'{pattern}' is here twice, keep one", key=True)
            table[pattern] = self._destination(at, pattern, keys, networks)
        return Destinations(by_pattern=table, networks=tuple(networks.values()))

    def _network(self, name: str, blocks: list[str]) -> Network:
        parsed = (self._parsed(("networks", name, at), block_of, block) for at, block in enumerate(blocks))
        return Network(name=name, blocks=tuple(block for block in parsed if block is not None))

    def _destination(self, at: Place, pattern: str, keys: dict[str, str], networks: dict[str, Network]) -> Destination:
        network = keys.get("network")
        if network is not None and network not in networks:
            self._note((*at, "network"), f"no network '{network}'{meant(network, networks)}")
        return Destination(
            pattern=pattern,
            route=self._route(at, pattern, keys),
            ca=self._pem(at, keys, "ca", "CERTIFICATE"),
            client_cert=self._pem(at, keys, "client_cert", "PRIVATE KEY"),
            network=networks.get(network or ""),
        )

    def _route(self, at: Place, pattern: str, keys: dict[str, str]) -> Route | None:
        if "address" in keys and "via" in keys:
            self._note((*at, "via"), "a destination has an 'address' or a 'via', not both", key=True)
        if "address" in keys:
            if pattern == ANY:
                self._note((*at, "address"), "every host at one address is a mistake, name the hosts", key=True)
            return self._parsed((*at, "address"), fixed_of, keys["address"])
        if keys.get("via") == "direct":
            return Direct()
        return self._parsed((*at, "via"), via_of, keys["via"]) if "via" in keys else None

    def _pem(self, at: Place, keys: dict[str, str], key: str, holds: str) -> str | None:
        if key not in keys:
            return None
        path = self._path(keys[key])
        try:
            text = path.read_text("latin-1")
        except OSError as error:
            self._note((*at, key), f"{path} can't be read: {error.strerror or error}")
            return None
        if not re.search(rf"-----BEGIN (?:[A-Z]+ )?{holds}-----", text) or "BEGIN CERTIFICATE" not in text:
            wanted = "a certificate" if holds == "CERTIFICATE" else "a certificate and its key, not encrypted,"
            self._note((*at, key), f"{path} has not {wanted} in PEM form")
        return str(path)

    def _path(self, text: str) -> Path:
        return self.folder / Path(text).expanduser()

    def _parsed[T](self, at: Place, parser: Callable[[str], T], text: str, *, key: bool = False) -> T | None:
        try:
            return parser(text)
        except ValueError as error:
            sentence = str(error).rstrip(".")
            shown = "" if "@" in text else f"'{text}': "  # before an @ stands a password
            self._note(at, f"{shown}{sentence[:1].lower()}{sentence[1:]}", key=key)
            return None

    def _note(self, at: Place, message: str, *, key: bool = False) -> None:
        self.problems.append(self.document.problem(at, message, key=key))


def _many(said: Any) -> list[Any]:
    """A single one may stand without brackets."""
    return said if isinstance(said, list) else [said]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"Write {_DATE_FORM}.") from error
    if "T" not in text:
        return moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise ValueError(f"Write {_DATE_FORM}.")
    return moment.astimezone(UTC)
