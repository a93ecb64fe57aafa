"""What people wrote, read whole and found good before anything starts; and the world that the gate is given."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from outgate import settings as settings_files
from outgate.app.mocks import Written, document_path, read_written
from outgate.ca.inherited import Inherited, inherited
from outgate.ca.roots import pem_blocks, public_roots
from outgate.ca.trust import read_trust
from outgate.errors import ConfigError
from outgate.intake.credentials import Agents
from outgate.intake.destinations import behind, via_of
from outgate.keys.people import People
from outgate.policy.effect import Mode
from outgate.policy.quorate import check_people
from outgate.settings.values import AgentSettings
from outgate.stores.agent_files import load_agents
from outgate.stores.catalog_files import load_catalog
from outgate.stores.people_files import load_people
from outgate.stores.plugins import load_plugins
from outgate.stores.policy_cases import cases_beside, try_cases_beside
from outgate.stores.policy_files import load_policies, policy_path
from outgate.stores.shipped import shipped
from outgate.telemetry.logs import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from outgate.actions.catalog import Catalog
    from outgate.ca.trust import Trust
    from outgate.intake.destinations import Destinations
    from outgate.policy.rule import Policy
    from outgate.settings import Settings

DEFAULT_POLICY = "coding-agent"
_TAKES_A_RESTART = frozenset(
    {"listen", "admin", "admin_token_file", "metrics", "hold", "drain", "body_limit", "limits", "log_level"}
)
"""Settings that hold from a gate's start to its end."""


def entropy(count: int) -> bytes:
    """The kernel's randomness."""
    return os.urandom(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Everything that was written by people, read and found good, before anything starts."""

    environ: Mapping[str, str]
    cwd: Path
    state: Path
    settings: Settings
    catalog: Catalog
    policy: Policy
    trust: Trust
    inherited: Inherited
    public: tuple[bytes, ...]
    """PEM: the roots that this system and certifi vouch for."""
    written: tuple[Path, ...]
    """The files that say what an agent may do, and those beside which they are looked for: it may read them, not write."""
    files: tuple[Path, ...] = ()
    """Everything that was read, or would be if it were there."""
    agents: Agents = field(default_factory=Agents)
    """Who may come in where many do."""
    people: People = field(default_factory=People)
    """Who may approve."""
    mocks: Written = field(default_factory=Written)

    @property
    def digests(self) -> Mapping[str, str]:
        """What it is, part by part."""
        return {"policy": self.policy.digest, "agents": self.agents.digest, "people": self.people.digest}

    def unlike(self, other: object) -> tuple[str, ...]:
        """The settings that are not as in another one, and take a restart."""
        if not isinstance(other, Grounds):
            return ()
        mine, theirs = self.settings, other.settings
        changed = {one.name for one in fields(mine) if getattr(mine, one.name) != getattr(theirs, one.name)}
        if _listeners(self.agents) != _listeners(other.agents):
            changed.add("listen")
        return tuple(sorted(changed & _TAKES_A_RESTART))

    @property
    def destinations(self) -> Destinations:
        """The operator's table, behind the proxy that the environment asks for."""
        if self.inherited.via is None:
            return self.settings.destinations
        return behind(via_of(self.inherited.via.url), self.inherited.bypass, self.settings.destinations)

    @property
    def roots(self) -> tuple[bytes, ...]:
        """All that is trusted, PEM, each file once."""
        return tuple(dict.fromkeys((*self.public, *self.inherited.roots.values())))

    def added_roots(self) -> tuple[str, ...]:
        """The files that the environment names, `VARIABLE=path`, once each, of those that hold what the usual ones don't."""
        usual = frozenset[bytes]().union(*map(pem_blocks, self.public))
        adding = {pem: key for key, pem in self.inherited.roots.items() if pem not in self.public}
        return tuple(key for pem, key in adding.items() if not pem_blocks(pem) <= usual)


def grounds(
    *,
    config: Path | None = None,
    policies: tuple[str, ...] = (),
    enforce: bool = False,
    served: bool = False,
    running: bool = False,
) -> Grounds:
    """Read settings, catalog, policy, people, agents where many are `served`, and trust.

    Raises ConfigError with what is wrong, before anything was started.
    """
    environ, cwd = dict(os.environ), _cwd()
    (settings, catalog, policy), (trust, found) = _both(
        lambda: _rules(config, policies, environ, enforce=enforce), lambda: _surroundings(environ)
    )
    agents_file, people_file = settings.agents_file(environ), settings.people_file(environ)
    agents, people = _both(lambda: load_agents(agents_file) if served else Agents(), lambda: load_people(people_file))
    _check_people(policy, people, agents if served else settings.agent, running=running)
    _check_cases(policies or settings.policies, catalog)
    return Grounds(
        environ=environ,
        cwd=cwd,
        state=cwd / settings_files.state_folder(environ),
        settings=settings,
        catalog=catalog,
        policy=policy,
        trust=trust,
        inherited=found,
        public=public_roots(),
        written=tuple(_written(policies or settings.policies, settings, config, environ)),
        files=(
            *_files(policies or settings.policies or (DEFAULT_POLICY,), settings, config, environ),
            *_described(policy),
            agents_file,
            people_file,
        ),
        agents=agents,
        people=people,
        mocks=read_written(policy, settings.mocks),
    )


def _check_cases(policies: Iterable[str], catalog: Catalog) -> None:
    """A policy that comes with cases is what they say, or it is not used."""
    if problems := try_cases_beside(policies, catalog):
        raise ConfigError(*problems)


def _check_people(policy: Policy, people: People, asking: Agents | AgentSettings, *, running: bool) -> None:
    """Where the policy is enforced, enough people must be known: else what escalates could never be approved.

    A gate that runs takes up that somebody is gone all the same: a key that was taken away must count no more, at once.
    """
    if policy.mode is not Mode.ENFORCE:
        return
    known = [asking.owner] if isinstance(asking, AgentSettings) else [one.agent.owner for one in asking.by_name.values()]
    problems = check_people(policy, people, filter(None, known))
    if problems and not running:
        raise ConfigError(*problems)
    for problem in problems:
        LOGGER.warning("%s", problem)


def _listeners(agents: Agents) -> frozenset[str]:
    return frozenset(f"{one.listener} {name}" for name, one in agents.by_name.items() if one.listener)


def _cwd() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigError(
            f"the folder that this was started in is gone ({str(error.strerror).lower()}), start elsewhere"
        ) from error


def _rules(
    config: Path | None, policies: tuple[str, ...], environ: Mapping[str, str], *, enforce: bool
) -> tuple[Settings, Catalog, Policy]:
    """Each needs the one before."""
    settings = settings_files.load(config, environ)
    plugins = load_plugins(settings.plugins)
    for plugin in plugins:
        LOGGER.info("plug-in %s", plugin)
    catalog = load_catalog(*settings.services, plugins=plugins)
    names = policies or settings.policies or (DEFAULT_POLICY,)
    return settings, catalog, load_policies(names, catalog, mode=Mode.ENFORCE if enforce or settings.enforce else None)


def _surroundings(environ: Mapping[str, str]) -> tuple[Trust, Inherited]:
    file = shipped("certs", "trust.yaml")
    trust = read_trust(file.read_text("utf-8"), str(file))
    return trust, inherited(trust, environ)


def _both[A, B](one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """What both give, or all that is wrong in either."""
    try:
        first = one()
    except ConfigError as error:
        try:
            other()
        except ConfigError as more:
            raise ConfigError(*error.problems, *more.problems) from error
        raise
    return first, other()


def _written(names: Iterable[str], settings: Settings, config: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    files = (*map(Path, names), *((config,) if config else ()))  # a starter policy's name is no file
    yield from (path.absolute() for path in files if path.is_file())
    own = (settings_files.config_folder(environ), settings.agents_file(environ), settings.people_file(environ))
    yield from (path.absolute() for path in (*settings.services, *settings.mocks, *own) if path.exists())


def _files(names: Iterable[str], settings: Settings, config: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    yield (config or settings_files.config_folder(environ) / settings_files.FILE).absolute()
    policies = [policy_path(name).absolute() for name in names]
    yield from (*policies, *cases_beside(map(str, policies)), *settings.services, *settings.mocks)
    for one in settings.destinations.by_pattern.values():
        yield from (Path(pem) for pem in (one.ca, one.client_cert) if pem)


def _described(policy: Policy) -> Iterator[Path]:
    """The OpenAPI documents that a policy's mocks name."""
    return (document_path(mock) for mock in policy.mocks.values() if mock.openapi)
