"""Settings as values: everything that an operator may set but the policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import platformdirs

from outgate.intake.agents import Agent
from outgate.intake.destinations import Destinations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from outgate.intake.listening import Listener

BODY_LIMIT = 64 << 20
"""The most of a request body that is kept to decide on it, in bytes: over 1 MiB in a file. A decision that needs more refuses."""
HOLD = timedelta(seconds=4)
"""How long a request waits for people, at most; then its agent is told to come again."""
DRAIN = timedelta(seconds=30)
"""How long what is under way may still take when a server stops."""


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
class Webhook:
    """Told of approvals by a POST; `secret_file` holds what it is signed with."""

    url: str
    secret_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ntfy:
    """A topic of an ntfy server; `token_file` holds what it asks publishers for."""

    url: str
    topic: str
    token_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A gate's settings. Paths are absolute; `metrics` and `admin` are as they were written, for whoever opens them."""

    agent: AgentSettings = field(default_factory=AgentSettings)
    policies: tuple[str, ...] = ()
    """Names of starter policies, and absolute paths."""
    enforce: bool = False
    fence: bool = True
    share: tuple[Path, ...] = ()
    direct: tuple[int, ...] = ()
    transparent: bool = True
    transparent_ports: tuple[int, ...] = (80, 443)
    """Where `run` takes what a fenced program connects to by itself, whatever the address."""
    services: tuple[Path, ...] = ()
    plugins: tuple[str, ...] = ()
    """Names of installed packages that bring services or protocols: of a protocol, code on the path of each decision."""
    mocks: tuple[Path, ...] = ()
    """Files of canned answers of the operator's, or folders of them."""
    destinations: Destinations = field(default_factory=Destinations)
    metrics: str | None = None
    body_limit: int = BODY_LIMIT
    limits: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What was set of the bounds, each a number or a time as `settings/bounds.py` says; those that were not hold as they are."""
    log_level: str = "info"
    listen: tuple[Listener, ...] = ()
    agents: Path | None = None
    people: Path | None = None
    hold: timedelta = HOLD
    drain: timedelta = DRAIN
    admin: str | None = None
    """Where the gate is asked and told things by its operator; a TCP place needs the token in `admin_token_file`."""
    admin_token_file: Path | None = None
    webhooks: tuple[Webhook, ...] = ()
    ntfy: tuple[Ntfy, ...] = ()

    def agents_file(self, environ: Mapping[str, str]) -> Path:
        """Where the agents are written down, whether or not anything is there yet."""
        return self.agents or config_folder(environ).absolute() / "agents.yaml"

    def people_file(self, environ: Mapping[str, str]) -> Path:
        """Where the people are."""
        return self.people or config_folder(environ).absolute() / "people.yaml"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where logs, keys and the ledger are kept: OUTGATE_STATE, else the user's state folder."""
    return Path(environ.get("OUTGATE_STATE") or platformdirs.user_state_path("outgate"))


def config_folder(environ: Mapping[str, str]) -> Path:
    """Where settings are looked for when no file is named: OUTGATE_CONFIG, else the user's configuration folder."""
    return Path(environ.get("OUTGATE_CONFIG") or platformdirs.user_config_path("outgate"))
