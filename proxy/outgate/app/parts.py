"""What `run` and `serve` have in common: a gate built from what people wrote, up to an engine that is ready to listen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from outgate.app.clock import SystemClock
from outgate.app.grounds import entropy
from outgate.app.mocks import Sandbox
from outgate.app.notifying import notifier
from outgate.app.recording import Recorder
from outgate.app.status import Seen
from outgate.gate import Gate, Ground
from outgate.net.lookup import Lookup
from outgate.net.names import Names
from outgate.net.resolver import SystemResolver
from outgate.net.upstream import UpstreamTrust, write_bundle
from outgate.stores.adopt import adopt
from outgate.stores.desk_sqlite import SqliteDesk
from outgate.stores.files import FileJournal
from outgate.stores.logs import log_folder, new_writer
from outgate.stores.sqlite import SqliteLedger
from outgate.stores.switch import SwitchFile
from outgate.telemetry.asked import Asked
from outgate.telemetry.logs import LogAlarm
from outgate.telemetry.tally import Observers
from outgate.telemetry.timed import TimedDesk, TimedLedger
from outgate.worker.pool import Pool

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    from outgate.app.grounds import Grounds
    from outgate.ca.authority import Authority
    from outgate.intake.credentials import Agents
    from outgate.keys.ed25519 import SigningKey
    from outgate.mitm.engine import Engine
    from outgate.net.upstream import Trust
    from outgate.notify.notifier import Notifier
    from outgate.ports import Observer
    from outgate.telemetry.metrics import Metrics


@dataclass(slots=True, kw_only=True, eq=False)
class Parts:
    """One gate. What it is given here is what it stands on; the rest it is built of, and closes with the stack.

    `fenced`: who asks is in a network of its own. `watched`: who is told what happens, besides `metrics`. `own`: the
    addresses on which this gate listens, where no request is ever sent; read at every look-up. `names`: the addresses that were
    made up for a fenced program.
    """

    found: Grounds
    key: SigningKey
    metrics: Metrics
    fenced: bool = False
    hardware_only: bool = False
    agents: Agents | None = None
    watched: tuple[Observer, ...] = ()
    clock: SystemClock = field(default_factory=SystemClock)
    seen: Seen = field(default_factory=Seen)
    own: set[tuple[str, int]] = field(default_factory=set)
    names: Names = field(default_factory=Names)
    alarm: LogAlarm = field(init=False)
    journal: FileJournal = field(init=False)
    ledger: SqliteLedger = field(init=False)
    desk: SqliteDesk = field(init=False)
    switch: SwitchFile = field(init=False)
    resolver: SystemResolver = field(init=False)
    mocks: Sandbox = field(init=False)
    recorder: Recorder = field(init=False)
    examiner: Pool = field(init=False)
    asked: Asked = field(init=False)
    notifier: Notifier = field(init=False)
    gate: Gate = field(init=False)
    engine: Engine = field(init=False)
    _bundle: Path = field(init=False)
    _trust: UpstreamTrust = field(init=False)

    def __post_init__(self) -> None:
        self.alarm = LogAlarm(self.metrics)

    async def build(self, stack: AsyncExitStack, authority: Authority) -> None:
        """Build all of it, the log first, and prove that it fails closed. Nothing listens yet.

        Raises ConfigError and UnavailableError; what was built by then closes with the stack.
        """
        await self._open_journal(stack)
        state = self.found.state
        self.ledger = SqliteLedger.open(state / "ledger.sqlite")
        stack.push_async_callback(self.ledger.close)
        self.desk = SqliteDesk.open(state / "desk.sqlite")
        stack.push_async_callback(self.desk.close)
        self.switch = SwitchFile.open(state)
        self._find_ways(stack)
        self._tell_people(stack)
        self.examiner = Pool()
        stack.push_async_callback(self.examiner.close)
        self.gate = self._gate()
        stack.push_async_callback(self.gate.settled)
        self.engine = await self._engine(authority)
        stack.push_async_callback(self.engine.stop, timedelta(0))

    def adopt(self, found: Grounds, agents: Agents | None = None) -> int:
        """Go on with what people wrote since: all of it, in one turn of the loop. Gives how many clients had to go.

        `found` was read and found good, whole. What was let out goes on as it was decided.
        """
        trust, ground = UpstreamTrust(bundle=self._bundle, destinations=found.destinations), _ground(found)
        self.found, self._trust = found, trust
        self.resolver.adopt(found.destinations)
        self.mocks.adopt(found.destinations, found.mocks)
        self.gate.adopt(ground)
        if agents is None:
            return 0
        self.agents = agents
        return self.engine.adopt(agents)

    async def _open_journal(self, stack: AsyncExitStack) -> None:
        now = self.clock.now()
        writer = new_writer(now, entropy(4))
        self.journal = FileJournal.open(self.found.state, writer=writer, key=self.key, committed=self.metrics.committed)
        stack.push_async_callback(self.journal.close)
        await adopt(self.journal, log_folder(self.found.state), own=self.journal.writer, key=self.key.public, now=now)

    def _find_ways(self, stack: AsyncExitStack) -> None:
        lookup = Lookup(monotonic=self.clock.monotonic)
        stack.callback(lookup.close)
        self.resolver = SystemResolver(
            destinations=self.found.destinations,
            lookup=lookup,
            own=self.own,
            fenced=self.fenced,
            served=self.agents is not None,
            monotonic=self.clock.monotonic,
        )
        self.mocks = Sandbox(
            destinations=self.found.destinations,
            written=self.found.mocks,
            lookup=lookup,
            own=self.own,
            clock=self.clock,
            alarm=self.alarm,
            key=entropy(32).hex(),
        )
        stack.callback(self.mocks.close)
        self.recorder = Recorder(self.found.state, catalog=lambda: self.found.catalog, clock=self.clock, alarm=self.alarm)
        stack.callback(self.recorder.close)

    def _tell_people(self, stack: AsyncExitStack) -> None:
        """Who is told of approvals, and who counts what becomes of them."""
        self.notifier = notifier(self.found.settings, self.metrics, self.alarm, self._trusted)
        self.notifier.start()
        stack.callback(self.notifier.close)
        self.asked = Asked(
            shelf=self.desk,
            metrics=self.metrics,
            people=lambda: self.gate.ground.people,
            now=self.clock.now,
            alarm=self.alarm,
            hardware_only=self.hardware_only,
        )

    def _gate(self) -> Gate:
        return Gate(
            ground=_ground(self.found),
            journal=self.journal,
            examiner=self.examiner,
            ledger=TimedLedger(self.ledger, self.metrics, self.clock.monotonic),
            desk=TimedDesk(self.desk, self.metrics, self.clock.monotonic),
            switch=self.switch,
            mocks=self.mocks,
            resolver=self.resolver,
            observer=Observers((self.metrics, self.seen, self.asked, self.notifier, *self.watched)),
            alarm=self.alarm,
            clock=self.clock,
            entropy=entropy,
            hold=self.found.settings.hold,
            hardware_only=self.hardware_only,
        )

    async def _engine(self, authority: Authority) -> Engine:
        from outgate.mitm.enforce import Outside  # here: mitmproxy takes a second to import, and the fence comes first
        from outgate.mitm.engine import Engine
        from outgate.mitm.keeping import spool_folder
        from outgate.mitm.link import Limits

        self._bundle = write_bundle(self.found.state / "trust", self.found.roots)
        self._trust = UpstreamTrust(bundle=self._bundle, destinations=self.found.destinations)
        engine = Engine(
            gate=self.gate,
            authority=authority,
            outside=Outside(
                trust=self._trusted,
                credentials=self._credentials,
                called=self.names.called,
                unreached=self.resolver.failed,
                untrusted=lambda _host: self.metrics.untrusted("upstream"),
                bounded=self.metrics.limit_reached,
                unread=self._unread,
                recorder=self.recorder.tap,
            ),
            alarm=self.alarm,
            limits=replace(Limits(), body=self.found.settings.body_limit, **self.found.settings.limits),
            agents=self.agents,
            spool=spool_folder(self.found.state / "spool"),
        )
        await engine.start()
        self.metrics.connections("client", lambda: engine.clients)
        self.metrics.connections("upstream", lambda: engine.upstreams)
        return engine

    def _trusted(self, host: str) -> Trust:
        return self._trust.trust_for(host)

    def _unread(self, host: str) -> int | None:
        return self.found.destinations.unread(host)

    def _credentials(self, host: str) -> str:
        return self.found.destinations.credentials(host)


def _ground(found: Grounds) -> Ground:
    return Ground(policy=found.policy, catalog=found.catalog, people=found.people, destinations=found.destinations)
