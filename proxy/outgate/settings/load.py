"""Read the settings, whole: every problem at once, each with its place and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from outgate.document import parse
from outgate.errors import ConfigError, Problem
from outgate.intake.destination import host_of_address, is_address
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
from outgate.intake.listening import Listener, Secured, listener_of
from outgate.policy.agent_form import facts_of, moment
from outgate.policy.shapes import meant, problems, schema
from outgate.settings.bounds import BOUNDS, size_of, time_of
from outgate.settings.form import FORM
from outgate.settings.values import BODY_LIMIT, DRAIN, HOLD, AgentSettings, Ntfy, Settings, Webhook, config_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from outgate.digest import Json
    from outgate.document import Document
    from outgate.document import Path as Place
    from outgate.intake.destinations import Route
    from outgate.settings.bounds import Limit

FILE = "config.yaml"
_DNS = 53
_MOST_HELD = timedelta(seconds=60)
_MOST_DRAINED = timedelta(hours=1)


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
            transparent=said.get("transparent", True),
            transparent_ports=self._transparent_ports(),
            services=self._paths("services"),
            plugins=tuple(_many(said.get("plugins", []))),
            mocks=self._paths("mocks"),
            destinations=self._destinations(said),
            metrics=said.get("metrics"),
            body_limit=self._size(said.get("body_limit", BODY_LIMIT)),
            limits=dict(self._limits(said.get("limits", {}))),
            log_level=said.get("log_level", "info"),
            listen=self._listeners(),
            agents=self._path(said["agents"]) if "agents" in said else None,
            people=self._path(said["people"]) if "people" in said else None,
            hold=self._time("hold", HOLD, _MOST_HELD),
            drain=self._time("drain", DRAIN, _MOST_DRAINED),
            admin=self._admin(),
            admin_token_file=self._secret(("admin_token_file",), said.get("admin_token_file")),
            webhooks=tuple(self._webhooks()),
            ntfy=tuple(self._ntfy()),
        )

    def _agent(self, said: dict[str, Any]) -> AgentSettings:
        since = said.get("since")
        return AgentSettings(
            name=said.get("name"),
            since=None if since is None else self._parsed(("agent", "since"), moment, since),
            **facts_of(said),
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

    def _transparent_ports(self) -> tuple[int, ...]:
        said = self.said.get("transparent_ports")
        if said is None:
            return Settings().transparent_ports
        ports = [self._port(("transparent_ports", at), port) for at, port in enumerate(_many(said))]
        if _DNS in ports:
            self._note(
                ("transparent_ports", ports.index(_DNS)), "port 53 is where names are asked for, and nothing else is spoken"
            )
        return tuple(ports)

    def _size(self, said: str | int) -> int:
        found = size_of(said)
        if found is None:
            self._note(("body_limit",), "'body_limit' is a number of bytes, like 1048576 or 8 MiB")
        return found or BODY_LIMIT

    def _limits(self, said: dict[str, Any]) -> Iterator[tuple[str, Limit]]:
        for name, value in said.items():
            try:
                yield name, BOUNDS[name].read(value)
            except ValueError as error:
                self._note(("limits", name), f"'{name}' {error}")

    def _time(self, key: str, default: timedelta, most: timedelta) -> timedelta:
        said = self.said.get(key)
        if said is None:
            return default
        span = time_of(said)
        if span is None or span > most:
            self._note((key,), f"'{key}' is a time from 0s to {int(most.total_seconds())}s, like {int(default.total_seconds())}s")
            return default
        return span

    def _listeners(self) -> tuple[Listener, ...]:
        """Where agents come in. Off loopback, tokens and requests to http:// cross a network in the clear: only where told."""
        found: dict[tuple[str, int], Listener] = {}
        for at, said in enumerate(_many(self.said.get("listen", []))):
            place: Place = ("listen", at, "address") if isinstance(self.said["listen"], list) else ("listen", "address")
            listener = self._parsed(place, partial(listener_of, agent=said.get("agent", "")), said["address"])
            if listener is None:
                continue
            if listener.port and found.setdefault((listener.host, listener.port), listener) is not listener:
                self._note(place, f"{listener} is here twice, keep one")
            listener = self._dressed(place[:-1], listener, said)
            if not listener.is_near and listener.scheme != "https" and not said.get("plaintext"):
                message = f"{listener} is reached over a network, and nothing on the way to it is encrypted:"
                self._note(place, f"{message} listen on 127.0.0.1, or accept that with 'plaintext: true'")
            found[listener.host, listener.port or -at] = listener
        return tuple(found.values())

    def _dressed(self, at: Place, listener: Listener, said: dict[str, Any]) -> Listener:
        """What an https:// listener shows and asks for; nothing of that stands at another."""
        if listener.scheme != "https":
            for key in sorted({"tls", "names"} & said.keys()):
                self._note((*at, key), f"only an https:// listener has '{key}', write https://{listener.place}", key=True)
            return listener
        tls = said.get("tls", {})
        secured = Secured(
            names=self._names(at, listener, said),
            cert=self._pem((*at, "tls"), tls, "cert", "CERTIFICATE" if "key" in tls else "PRIVATE KEY") or "",
            key=self._pem((*at, "tls"), tls, "key", "PRIVATE KEY", alone=True) or "",
            client_ca=self._pem((*at, "tls"), tls, "client_ca", "CERTIFICATE") or "",
            require_client_cert=tls.get("require_client_cert", True),
        )
        if "key" in tls and "cert" not in tls:
            self._note((*at, "tls", "key"), "a key without its certificate: name that too, as 'cert'", key=True)
        if "require_client_cert" in tls and "client_ca" not in tls:
            self._note((*at, "tls", "require_client_cert"), "nobody is trusted to issue them: name a 'client_ca'", key=True)
        if listener.agent and secured.client_ca and not secured.require_client_cert:
            message = f"who comes in there is '{listener.agent}', with or without a certificate: leave it out"
            self._note((*at, "tls", "require_client_cert"), message, key=True)
        return replace(listener, secured=secured)

    def _names(self, at: Place, listener: Listener, said: dict[str, Any]) -> tuple[str, ...]:
        """The names that our CA vouches for. Where it listens on one address, that is enough."""
        if "names" in said:
            names = _many(said["names"])
            read = [self._parsed((*at, "names"), host_of_address, name) for name in names]
            return tuple(dict.fromkeys(name for name in read if name is not None))
        if ip_address(listener.host).is_unspecified and "cert" not in said.get("tls", {}):
            message = f"by which names do agents reach {listener}? List them under 'names', or name a 'cert' under 'tls'"
            self._note((*at, "address"), message)
        return (listener.host, "localhost") if listener.is_near else (listener.host,)

    def _admin(self) -> str | None:
        said: str | None = self.said.get("admin")
        if said is not None and "/" not in said and "admin_token_file" not in self.document.value:
            self._note(("admin",), "a port can be reached by others: name an 'admin_token_file', or a Unix socket by its path")
        return said

    def _webhooks(self) -> Iterator[Webhook]:
        for at, said in self._notified("webhook"):
            secret = self._secret((*at, "secret_file"), said["secret_file"])
            if self._reachable(at, said["url"]) and secret:
                yield Webhook(url=said["url"], secret_file=secret)

    def _ntfy(self) -> Iterator[Ntfy]:
        for at, said in self._notified("ntfy"):
            token = self._secret((*at, "token_file"), said.get("token_file"))
            if self._reachable(at, said["url"]):
                yield Ntfy(url=said["url"], topic=said["topic"], token_file=token)

    def _notified(self, kind: str) -> Iterator[tuple[Place, dict[str, Any]]]:
        said = self.said.get("notify", {}).get(kind, [])
        if isinstance(said, dict):
            yield ("notify", kind), said
            return
        yield from ((("notify", kind, at), one) for at, one in enumerate(said))

    def _reachable(self, at: Place, url: str) -> bool:
        try:
            parts = urlsplit(url)
            whole = bool(parts.hostname) and (parts.port or 1) > 0 and parts.username is None
        except ValueError:
            whole = False
        if not whole:
            self._note((*at, "url"), "'url' is http or https, a host, and no user name or password: secrets stand in files")
        return whole

    def _secret(self, at: Place, said: str | None) -> Path | None:
        """A file with something in it; what that is, is read when it is used."""
        if said is None:
            return None
        path = self._path(said)
        try:
            if path.read_bytes().strip():
                return path
            self._note(at, f"{path} is empty, write the secret into it")
        except OSError as error:
            self._note(at, f"{path} can't be read: {error.strerror or error}")
        return None

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

    def _destination(self, at: Place, pattern: str, keys: dict[str, Any], networks: dict[str, Network]) -> Destination:
        network = keys.get("network")
        if network is not None and network not in networks:
            self._note((*at, "network"), f"no network '{network}'{meant(network, networks)}")
        return Destination(
            pattern=pattern,
            route=self._route(at, pattern, keys),
            ca=self._pem(at, keys, "ca", "CERTIFICATE"),
            client_cert=self._pem(at, keys, "client_cert", "PRIVATE KEY"),
            network=networks.get(network or ""),
            opaque=self._opaque(at, pattern, keys),
            max_bytes=self._most(at, keys),
            owned=tuple(_many(keys["owned"])) if "owned" in keys else None,
            credentials=frozenset(one.removeprefix("sha256:") for one in _many(keys["credentials"]))
            if "credentials" in keys
            else None,
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

    def _opaque(self, at: Place, pattern: str, keys: dict[str, Any]) -> bool | None:
        said = keys.get("tls")
        if said == "opaque" and (pattern == ANY or is_address(pattern)):
            what = "every host" if pattern == ANY else "an address"
            self._note((*at, "tls"), f"what is passed on unread is named one by one, and proven in TLS: {what} can't be opaque")
        if said == "opaque" and keys.keys() & {"ca", "client_cert"}:
            self._note((*at, "tls"), "its TLS is the agent's own: 'ca' and 'client_cert' say nothing of it, leave them out")
        return None if said is None else said == "opaque"

    def _most(self, at: Place, keys: dict[str, Any]) -> int | None:
        if "max_bytes" not in keys:
            return None
        found = size_of(keys["max_bytes"])
        if found is None:
            self._note((*at, "max_bytes"), "'max_bytes' is a number of bytes, like 1 GiB")
        elif keys.get("tls") != "opaque":
            self._note(
                (*at, "max_bytes"), "'max_bytes' bounds what is passed on unread: it stands beside 'tls: opaque'", key=True
            )
        return found

    def _pem(self, at: Place, keys: dict[str, Any], key: str, holds: str, *, alone: bool = False) -> str | None:
        if key not in keys:
            return None
        path = self._path(keys[key])
        try:
            text = path.read_text("latin-1")
        except OSError as error:
            self._note((*at, key), f"{path} can't be read: {error.strerror or error}")
            return None
        if not re.search(rf"-----BEGIN (?:[A-Z]+ )?{holds}-----", text) or not (alone or "BEGIN CERTIFICATE" in text):
            wanted = (
                "a key, not encrypted,"
                if alone
                else "a certificate"
                if holds == "CERTIFICATE"
                else "a certificate and its key, not encrypted,"
            )
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
