"""What people do with agents: write them down, revoke them, trust them; each in the file first, then in the record."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from platform import node
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from outgate import settings as settings_files
from outgate.app.grounds import entropy
from outgate.app.owner import as_owner
from outgate.app.record import operator, record
from outgate.errors import ConfigError, EvidenceError, Problem, UnavailableError
from outgate.intake.agents import AGENT_ID
from outgate.intake.credentials import TOKEN_BYTES, new_token, token_digest
from outgate.intake.listening import Listener, listener_of, proxy_url
from outgate.stores.agent_files import TRUST, TRUSTED, change, load_agents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from outgate.digest import Json
    from outgate.intake.credentials import Enrolled


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where agents are written down, where that is recorded, and where they come in."""

    file: Path
    state: Path
    listeners: tuple[Listener, ...] = (Listener(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was done. `token` is said once, here. `unrecorded`: why there is no receipt; empty where there is one."""

    name: str
    changed: bool = True
    at: str = ""
    """Where it comes in."""
    token: str = field(default="", repr=False)
    unrecorded: str = ""

    @property
    def proxy(self) -> str:
        """What the agent's HTTPS_PROXY is."""
        return proxy_url(self.at, f"{quote(self.name, safe='')}:{self.token}" if self.token else "")


def place(config: Path | None = None) -> Place:
    """As the settings say. Raises ConfigError."""
    environ = dict(os.environ)
    settings = settings_files.load(config, environ)
    shared = tuple(one for one in settings.listen if one.takes_credentials)
    return Place(
        file=settings.agents_file(environ),
        state=settings_files.state_folder(environ).absolute(),
        listeners=shared or (Listener(),),
    )


def agents(at: Place) -> Mapping[str, Enrolled]:
    """Everybody who is written down. Raises ConfigError."""
    return load_agents(at.file).by_name


def add(at: Place, name: str, said: Mapping[str, Any]) -> Written:
    """Write an agent down, with a new token unless it has a listener of its own. One that was revoked comes in again.

    Raises ConfigError where there is one of this name, or something said is wrong, UnavailableError; then nothing was done.
    """
    _named(name)
    token = "" if "listen" in said else new_token(entropy(TOKEN_BYTES))

    def entry(before: Mapping[str, Any] | None) -> dict[str, Any]:
        if before is not None and not before.get("revoked"):
            raise ConfigError(
                Problem(source=str(at.file), message=f"'{name}' is there already: revoke it first, or use another name")
            )
        kept = {key: value for key, value in (before or {}).items() if key not in {"revoked", "token", "listen"}}
        return {**kept, **said, **({"token": token_digest(token)} if token else {})}

    change(at.file, name, entry)
    listener = listener_of(said["listen"], name) if "listen" in said else at.listeners[0]
    return Written(name=name, at=listener.reached(node()), token=token, unrecorded=_recorded(at, "agent-added", name, said))


def revoke(at: Place, name: str) -> Written:
    """Have nobody let in any more by this name and its token. Raises as `add`."""
    return _changed(at, name, "agent-revoked", {"revoked": True})


def trust(at: Place, name: str) -> Written:
    """Label an agent as trusted: starter policies sandbox it no longer. Raises as `add`."""
    before = agents(at).get(name)
    labels = dict(before.agent.labels) if before else {}
    return _changed(at, name, "agent-trusted", {"labels": {**labels, TRUST: TRUSTED}})


def _changed(at: Place, name: str, what: str, said: Mapping[str, Any]) -> Written:
    same = True

    def entry(before: Mapping[str, Any] | None) -> dict[str, Any]:
        nonlocal same
        if before is None:
            raise ConfigError(Problem(source=str(at.file), message=f"there is no agent '{name}', look at outgate agent list"))
        after = {**before, **said}
        same = after == before
        return after

    change(at.file, _named(name), entry)
    return Written(name=name, changed=not same, unrecorded="" if same else _recorded(at, what, name, said))


def _named(name: str) -> str:
    if not AGENT_ID.fullmatch(name):
        raise ConfigError(f"{name!r:.80} is no agent's name: 1 to 64 letters, digits, '.', '_', '@', '-'")
    return name


def _recorded(at: Place, what: str, name: str, said: Mapping[str, Any]) -> str:
    """Leave a receipt. It was done, and holds, whether or not that can be written down: then why not."""
    by = operator()
    about: dict[str, Json] = {"agent": name, "by": by, **{key: value for key, value in said.items() if key != "token"}}
    if isinstance(about.get("labels"), dict):
        about["labels"] = [f"{key}={value}" for key, value in said["labels"].items()]  # a key in a receipt is one of ours
    try:
        as_owner(at.state)
        record(at.state, what, about)
    except (ConfigError, EvidenceError, UnavailableError) as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    return ""
