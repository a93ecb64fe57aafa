"""Agents on disk: who may come in, with what, and from where."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from outgate.digest import canonical, sha256
from outgate.document import parse
from outgate.errors import ConfigError
from outgate.intake.agents import AGENT_ID, Agent
from outgate.intake.certificates import mark_of
from outgate.intake.credentials import Agents, Enrolled
from outgate.intake.listening import listener_of, peers_of
from outgate.policy.agent_form import AGENT_KEYS, facts_of, moment
from outgate.policy.shapes import Many, Named, Table, Text, Truth, Words, schema, shaped
from outgate.stores.entries import alone_with, replace_text, with_entry
from outgate.stores.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from outgate.digest import Json
    from outgate.document import Document
    from outgate.document import Path as Place
    from outgate.errors import Problem
    from outgate.intake.listening import Listener

LANGUAGE: Final = "agents/v1alpha"
TRUST: Final = "trust"
TRUSTED: Final = "trusted"
"""The label by which starter policies tell who has outgrown the sandbox."""

FORM: Final = Table(
    what="the agents file",
    required=frozenset({"outgate"}),
    keys={
        "outgate": Words("agents language", (LANGUAGE,)),
        "agents": Named(
            "agents",
            Table(
                what="an agent",
                keys={
                    **AGENT_KEYS,
                    "token": Text("'token'", r"sha256:[0-9a-f]{64}", "what `outgate agent add` writes, never the token itself"),
                    "from": Many(Text("'from'", r"[0-9a-fA-F.:/]{2,60}", "addresses like 10.0.0.7 or 10.0.0.0/24")),
                    "listen": Text("'listen'", r"\S{1,80}", "an address and a port, like 127.0.0.1:8081"),
                    "observe": Truth("'observe'"),
                    "transparent": Truth("'transparent'"),
                    "certificate": Many(
                        Text(
                            "'certificate'",
                            r"\S{4,510}",
                            "sha256: and the digest of its public key, or uri: or dns: and a name in it",
                        )
                    ),
                    "revoked": Truth("'revoked'"),
                },
            ),
            AGENT_ID.pattern,
        ),
    },
)


def load_agents(path: Path) -> Agents:
    """Read everybody; nobody where there is no file. Raises ConfigError with every problem."""
    text = text_of(path, absent="")
    return read_agents(text, str(path)) if text else Agents()


def read_agents(text: str, source: str) -> Agents:
    """Read a file's text. Raises ConfigError with every problem."""
    document = shaped(FORM, text, source)
    reading = _Reading(document=document)
    by_name = {name: reading.enrolled(name, said or {}) for name, said in (document.value.get("agents") or {}).items()}
    if reading.problems:
        raise ConfigError(*sorted(reading.problems))
    return Agents(by_name=MappingProxyType(by_name), digest=sha256(canonical(document.value)))


def json_schema() -> dict[str, Json]:
    """The file's form for editors (JSON Schema 2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Outgate agents", **schema(FORM)}


def change(path: Path, name: str, changed: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> None:
    """Write one agent's entry anew, durably. `changed` is given what stood there, None for nobody, and may raise ConfigError.

    What it gives is read and found good together with all others before anything is written. Raises ConfigError and
    UnavailableError; then nothing was changed.
    """
    with alone_with(path):
        text = text_of(path, absent="") or f"outgate: {LANGUAGE}\n"
        load_agents(path)
        before = (parse(text, str(path)).value.get("agents") or {}).get(name)
        after = with_entry(text, str(path), "agents", name, changed(before))
        read_agents(after, str(path))
        replace_text(path, after)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Turns what has the right shape into values, and notes what no shape can say."""

    document: Document
    problems: list[Problem] = field(default_factory=list)
    _tokens: dict[str, str] = field(default_factory=dict)
    _listeners: dict[str, str] = field(default_factory=dict)
    _marks: dict[str, str] = field(default_factory=dict)

    def enrolled(self, name: str, said: Mapping[str, Any]) -> Enrolled:
        at: Place = ("agents", name)
        since = said.get("since")
        agent = Agent(
            id=name,
            since=None if since is None else self._parsed((*at, "since"), moment, since),
            observe=said.get("observe", False),
            **facts_of(said),
        )
        peers = said.get("from", [])
        blocks = [self._parsed((*at, "from"), peers_of, one) for one in (peers if isinstance(peers, list) else [peers])]
        return Enrolled(
            agent=agent,
            token=self._token((*at, "token"), name, said.get("token", "")),
            peers=tuple(block for block in blocks if block is not None),
            listener=self._listener((*at, "listen"), name, said["listen"]) if "listen" in said else None,
            revoked=said.get("revoked", False),
            transparent=self._transparent((*at, "transparent"), said),
            certificates=self._certificates((*at, "certificate"), name, said.get("certificate", [])),
        )

    def _token(self, at: Place, name: str, digest: str) -> str:
        other = self._tokens.setdefault(digest, name) if digest else name
        if other != name:
            self._note(at, f"this is the token of '{other}' too: each agent has its own, add one of them anew")
        return digest

    def _certificates(self, at: Place, name: str, said: str | list[str]) -> frozenset[str]:
        """The marks of an agent's client certificates: no two agents have one."""
        marks = [self._parsed(at, mark_of, one) for one in (said if isinstance(said, list) else [said])]
        for mark in marks:
            if mark is not None and (other := self._marks.setdefault(mark, name)) != name:
                self._note(at, f"this is a certificate of '{other}' too: each agent has its own")
        return frozenset(mark for mark in marks if mark is not None)

    def _transparent(self, at: Place, said: Mapping[str, Any]) -> bool:
        if said.get("transparent") and not said.get("from"):
            self._note(at, "anybody could come as this agent: say with 'from' which addresses are its own")
        return bool(said.get("transparent"))

    def _listener(self, at: Place, name: str, text: str) -> Listener | None:
        found = self._parsed(at, lambda said: listener_of(said, name), text)
        if found is None:
            return None
        if found.scheme == "https":
            self._note(at, f"what {found} shows of itself stands in the settings: name it under 'listen' there, for '{name}'")
        elif not found.is_near:
            self._note(
                at,
                f"{found} is reached over a network, and who connects there is '{name}': name it under 'listen' in the settings, "
                "with 'plaintext: true'",
            )
        elif found.port and (other := self._listeners.setdefault(found.place, name)) != name:
            self._note(at, f"'{other}' listens there, choose another port")
        return found

    def _parsed[T](self, at: Place, parser: Callable[[str], T], text: str) -> T | None:
        try:
            return parser(text)
        except ValueError as error:
            sentence = str(error).rstrip(".")
            self._note(at, f"'{text}': {sentence[:1].lower()}{sentence[1:]}")
            return None

    def _note(self, at: Place, message: str) -> None:
        self.problems.append(self.document.problem(at, message))
