"""The life of `outgate serve`: many agents, from the first listener to the last receipt."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from outgate.app.grounds import grounds
from outgate.app.live import Live, doors_of
from outgate.app.parts import Parts
from outgate.app.supervised import READY, STOPPING, tell
from outgate.ca.authority import fingerprint
from outgate.ca.keep import SOON, kept_ca, look, signing_file
from outgate.errors import ConfigError, Problem, UnavailableError
from outgate.fence.memory import keep_to_oneself
from outgate.intake.listening import Listener
from outgate.policy.effect import Effect, Mode
from outgate.stores.keyfile import receipts_key
from outgate.telemetry.logs import LOGGER, logging_to
from outgate.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from outgate.app.grounds import Grounds
    from outgate.app.live import Planned
    from outgate.ca.keep import Kept
    from outgate.digest import Json
    from outgate.intake.credentials import Agents
    from outgate.keys.ed25519 import SigningKey
    from outgate.mitm.doors import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeAsk:
    """What was asked of `outgate serve`."""

    config: Path | None = None
    policies: tuple[str, ...] = ()
    enforce: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What is known when it listens, or would. `ca`: its fingerprint; empty where it is made at the first start."""

    listeners: tuple[Listener, ...]
    policy: str
    enforcing: bool
    agents: int
    revoked: int
    agents_file: Path
    ca: str
    ca_until: datetime | None
    ca_ends_soon: bool
    state: Path
    via: str = ""
    people_file: Path | None = None
    """Where people are to be written, if the policy asks people and there is nobody with a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeReport:
    """What it came to. `cut`: clients that were still at something when the time to stop was over. `lost`: as in a run."""

    signal: str
    seconds: float
    cut: int
    lost: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """Everything read and found good; nothing is open yet. `ca`: None where none was made yet."""

    asked: ServeAsk
    found: Grounds
    listeners: tuple[Listener, ...]
    ca: Kept | None
    doors: tuple[Planned, ...] = ()

    def serving(self, listeners: tuple[Listener, ...] = ()) -> Serving:
        """Say what there is. `listeners` as they are; until then, as they are wanted."""
        found, ca = self.found, self.ca
        via = found.inherited.via
        return Serving(
            listeners=listeners or self.listeners,
            policy=found.policy.name,
            enforcing=found.policy.mode is Mode.ENFORCE,
            agents=len(found.agents.by_name),
            revoked=sum(one.revoked for one in found.agents.by_name.values()),
            agents_file=found.settings.agents_file(found.environ),
            ca=fingerprint(ca.signing.certificate) if ca else "",
            ca_until=ca.signing.certificate.not_valid_after_utc if ca else None,
            ca_ends_soon=ca is not None and ca.left(_now()) < SOON,
            state=found.state,
            via=via.shown if via else "",
            people_file=found.settings.people_file(found.environ) if _asks_nobody(found) else None,
        )


def _asks_nobody(found: Grounds) -> bool:
    """Whether requests would wait for people, of whom none has a key."""
    asks = any(rule.effect is Effect.ESCALATE for rule in found.policy.rules)
    return asks and not any(one.keys for one in found.people.by_name.values())


def check(asked: ServeAsk) -> Serving:
    """Read everything and find it good, or raise as `serve` would. Nothing listens, and nothing is made."""
    prepared = _prepared(asked)
    return (replace(prepared, ca=kept_ca(prepared.found.state, _now())) if prepared.ca else prepared).serving()


def serve(asked: ServeAsk, *, opening: Callable[[Serving], None]) -> ServeReport:
    """Serve until told to stop; `opening` is called when everything listens.

    Raises ConfigError for what was written or asked, UnavailableError for what this machine can't give; nothing was let out.
    """
    keep_to_oneself()
    prepared = _prepared(asked)
    key, ca = receipts_key(prepared.found.state), kept_ca(prepared.found.state, _now())
    _raise_descriptors()
    with _logging(prepared.found) as metrics:
        server = _Server(prepared=replace(prepared, ca=ca), ca=ca, key=key, metrics=metrics)
        return asyncio.run(server.live(opening))


def listeners_of(configured: tuple[Listener, ...], agents: Agents) -> tuple[Listener, ...]:
    """Where agents come in: as the settings say, else on 3128 of this machine; and each agent's own.

    Raises ConfigError where a listener is for nobody, or two want one place.
    """
    own = tuple(one.listener for one in agents.by_name.values() if one.listener is not None and not one.revoked)
    wanted = (*(configured or (Listener(),)), *own)
    wrong = [f"{one} is for '{one.agent}', who is not written down: {_ADD}" for one in wanted if _is_nobodys(one, agents)]
    places = [one.place for one in wanted if one.port]
    wrong += [f"{place} is wanted twice, choose another port for one of them" for place in sorted(_twice(places))]
    if wrong:
        raise ConfigError(*(Problem(source="listen", message=message) for message in wrong))
    return wanted


_ADD = "outgate agent add NAME"


def _is_nobodys(listener: Listener, agents: Agents) -> bool:
    return bool(listener.agent) and listener.agent not in agents.by_name


def _twice(places: list[str]) -> set[str]:
    return {place for place in places if places.count(place) > 1}


def _prepared(asked: ServeAsk) -> _Prepared:
    found = _read(asked)
    listeners = listeners_of(found.settings.listen, found.agents)
    doors = doors_of(found.settings)
    return _Prepared(asked=asked, found=found, listeners=listeners, ca=look(found.state, _now()), doors=doors)


def _read(asked: ServeAsk, *, running: bool = False) -> Grounds:
    """What people wrote; and what signs, which is watched with it."""
    found = grounds(config=asked.config, policies=asked.policies, enforce=asked.enforce, served=True, running=running)
    listeners_of(found.settings.listen, found.agents)
    return replace(found, files=(*found.files, signing_file(found.state)))


def _now() -> datetime:
    return datetime.now(UTC)


def _raise_descriptors() -> None:
    """Each client takes two or more: as many as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _logging(found: Grounds) -> Iterator[Metrics]:
    metrics = Metrics()
    with logging_to(found.state / "outgate.log", found.settings.log_level, metrics.unlogged):
        yield metrics


@dataclass(slots=True, kw_only=True)
class _Server:
    """One server; `live` goes from the log to the last receipt."""

    prepared: _Prepared
    ca: Kept
    key: SigningKey
    metrics: Metrics
    parts: Parts = field(init=False)
    told: list[str] = field(default_factory=list)
    """The signals that said stop."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    hurries: Callable[[], None] = lambda: None
    loop: asyncio.AbstractEventLoop = field(init=False)
    noting: set[asyncio.Task[None]] = field(default_factory=set)
    lost: str = ""

    def __post_init__(self) -> None:
        found = self.prepared.found
        self.parts = Parts(found=found, key=self.key, metrics=self.metrics, agents=found.agents)

    async def live(self, opening: Callable[[Serving], None]) -> ServeReport:
        began = self.parts.clock.monotonic()
        environ = self.prepared.found.environ
        self.loop = asyncio.get_running_loop()
        self._heed_signals()
        async with AsyncExitStack() as stack:
            await self.parts.build(stack, self.ca.signing)
            live = Live(self.parts, kind="serve", read=self._read, doors=self.prepared.doors, hangup=True)
            await stack.enter_async_context(live)
            gc.enable()
            listeners = await self._listen()
            await self.parts.gate.note("start", None, self._facts(listeners))
            opening(self.prepared.serving(listeners))
            tell(environ, READY)
            await self.stopping.wait()
            tell(environ, STOPPING)
            cut = await self._stop()
        return ServeReport(signal=self.told[0], seconds=self.parts.clock.monotonic() - began, cut=cut, lost=self.lost)

    async def _listen(self) -> tuple[Listener, ...]:
        """Open every listener, or none. What is known of this gate's own addresses is known before a byte comes in."""
        opened = []
        for wanted in self.prepared.listeners:
            door: Door = wanted.agent or None
            port = await self.parts.engine.listen(wanted.host, wanted.port, door, wanted.scheme, wanted.secured)
            self.parts.own.add((wanted.host, port))
            opened.append(replace(wanted, port=port))
        return tuple(opened)

    def _read(self) -> Grounds:
        """What people wrote, once more, as it was asked for; in a thread. A CA that was rotated signs from then on."""
        found = _read(self.prepared.asked, running=True)
        ca = kept_ca(found.state, _now())
        if fingerprint(ca.signing.certificate) != fingerprint(self.ca.signing.certificate):
            self.loop.call_soon_threadsafe(self._renew, ca)
        return found

    def _renew(self, ca: Kept) -> None:
        was, self.ca = self.ca, ca
        self.parts.engine.renew(ca.signing)
        said = {"was": fingerprint(was.signing.certificate), "is": fingerprint(ca.signing.certificate)}
        noting = self.loop.create_task(self.parts.gate.note("ca-renewed", None, said))
        self.noting.add(noting)
        noting.add_done_callback(self._noted)

    def _noted(self, noting: asyncio.Task[None]) -> None:
        self.noting.discard(noting)
        if not noting.cancelled() and (error := noting.exception()) is not None:
            self.parts.alarm.raise_for(error, "recording another CA")

    def _facts(self, listeners: tuple[Listener, ...]) -> dict[str, Json]:
        found = self.prepared.found
        return {
            "program": "serve",
            "policy": found.policy.name,
            "digest": found.policy.digest,
            "mode": str(found.policy.mode),
            "digests": dict(found.digests),
            "agents": len(found.agents.by_name),
            "listen": [f"{one} {one.agent}".rstrip() for one in listeners[:100]],
            "listeners": len(listeners),
            "ca": fingerprint(self.ca.signing.certificate),
        }

    async def _stop(self) -> int:
        """Take nobody any more, let what is under way end, write down that this was the end."""
        engine, settings = self.parts.engine, self.prepared.found.settings
        LOGGER.info("stopping on %s", self.told[0])
        if len(self.told) > 1:
            engine.hurry()
        self.hurries = engine.hurry
        cut = await engine.stop(settings.drain)
        try:
            await self.parts.gate.note("stop", None, {"signal": self.told[0], "cut": cut})
        except UnavailableError as error:
            self.lost = str(error)
        return cut

    # signals

    def _heed_signals(self) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(one, self._told, one.name)

    def _told(self, name: str) -> None:
        """Once: stop, in good order. Twice: at once."""
        self.told.append(name)
        self.stopping.set()
        if len(self.told) > 1:
            self.hurries()
