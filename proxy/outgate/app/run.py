"""The life of `outgate run`: fence, gate, command, and the account of it."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
from collections import Counter
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from socket import AF_INET6
from typing import TYPE_CHECKING

from outgate.app.grounds import grounds
from outgate.app.installation import installation, names
from outgate.app.live import Live, doors_of
from outgate.app.parts import Parts
from outgate.app.untouched import check_untouched
from outgate.ca.authority import make_authority
from outgate.ca.trust import Spot, environment, trust_files
from outgate.errors import ConfigError, UnavailableError
from outgate.fence.direct import relay
from outgate.fence.linux import Fence
from outgate.fence.plan import FencePlan, without_channels
from outgate.fence.unfenced import Unfenced
from outgate.intake.agents import AGENT_ID
from outgate.net.answering import Answering
from outgate.policy.effect import Mode
from outgate.settings import config_folder, state_folder
from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import check_log
from outgate.stores.policy_cases import cases_beside
from outgate.stores.policy_files import policy_path
from outgate.telemetry.logs import logging_to
from outgate.telemetry.metrics import Metrics
from outgate.telemetry.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from outgate.app.clock import SystemClock
    from outgate.app.grounds import Grounds
    from outgate.app.live import Planned
    from outgate.ca.authority import Authority
    from outgate.digest import Json
    from outgate.fence.command import Command
    from outgate.fence.startup import Planted
    from outgate.fence.watch import Attempt, Watch
    from outgate.gate import Gate
    from outgate.intake.agents import Agent
    from outgate.keys.ed25519 import SigningKey
    from outgate.receipts.verify import LogReport

GRACE = timedelta(seconds=2)
"""How long what is under way may still take when the command has ended."""
INTERPRETERS = frozenset(
    {"python", "python3", "node", "deno", "bun", "ruby", "perl", "bash", "sh", "uv", "uvx", "npx", "pipx", "env", "run", "exec"}
)
PROGRAM_TEXT = re.compile(r"-[A-Za-z]*[ce]|-p|--eval|--print")
"""The option after which an interpreter expects not a file but a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsk:
    """What was asked of `outgate run`."""

    command: tuple[str, ...]
    policies: tuple[str, ...] = ()
    enforce: bool = False
    agent: str | None = None
    config: Path | None = None
    shares: tuple[Path, ...] = ()
    directs: tuple[int, ...] = ()
    fenced: bool = True
    transparent: bool = True
    metrics: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What is known when the command starts. `unfenced` says why there is no fence; empty where there is one.

    `unturned` says why what a program connects to by itself is refused, where it should have been turned to the gate.
    """

    agent: str
    policy: str
    enforcing: bool
    unfenced: str = ""
    unturned: str = ""
    via: str = ""
    roots: tuple[str, ...] = ()
    """Variables whose certificates are trusted besides the usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run came to. `lost` says why the log could not be written to its end; empty where it was."""

    command: tuple[str, ...]
    agent: str
    code: int
    seconds: float
    enforced: bool
    tally: Tally
    log: LogReport
    around: Counter[Attempt] = field(default_factory=Counter)
    around_untold: int = 0
    planted: tuple[Planted, ...] = ()
    lost: str = ""

    @property
    def broken(self) -> str:
        """Why the log does not verify; empty where it does."""
        return str(self.log.bad) if self.log.bad else ""


def run_agent(asked: RunAsk, *, opening: Callable[[Begun], None]) -> RunReport:
    """Run a command behind a gate of its own; `opening` is called when everything is ready and the command is not yet let go.

    Raises ConfigError for what was written or asked, UnavailableError for what this machine can't give. In both cases
    nothing was let out, and the command did not run.
    """
    _open_standard()
    found = grounds(config=asked.config, policies=asked.policies, enforce=asked.enforce)
    _check_command(asked.command[0], found)
    agent = _agent(asked, found)
    doors = doors_of(found.settings, asked.metrics)
    key = receipts_key(found.state)
    _make_config_folder(found)
    kept = (*_kept(found, (*found.settings.share, *asked.shares)), *installation(found.environ))
    command, unfenced = _command(asked, found, kept)
    with command, _logging(found) as metrics:
        run = _Run(
            asked=asked,
            found=found,
            agent=agent,
            doors=doors,
            key=key,
            kept=kept,
            command=command,
            unfenced=unfenced,
            metrics=metrics,
        )
        return asyncio.run(run.live(opening))


def _open_standard() -> None:
    """Put nothing where a standard stream is closed: else the next file or socket of the gate's would be the command's."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free


def _check_command(name: str, found: Grounds) -> None:
    if shutil.which(name, path=found.environ.get("PATH")) is not None:
        return
    if "/" not in name:
        raise ConfigError(f"there is no program '{name}' on the PATH, check its spelling")
    why = "may not be executed, chmod +x it" if Path(name).is_file() else "is no program, check its spelling"
    raise ConfigError(f"'{name}' {why}")


def _make_config_folder(found: Grounds) -> None:
    """So that a fence can keep it: what is not there when the agent starts, the agent could make, and it would be read."""
    with suppress(OSError):  # then nothing that is written there counts in this run
        config_folder(found.environ).mkdir(parents=True, exist_ok=True, mode=0o700)


def _agent(asked: RunAsk, found: Grounds) -> Agent:
    named = asked.agent or found.settings.agent.name or agent_name(asked.command)
    try:
        return found.settings.agent.agent(named)
    except ValueError as error:
        raise ConfigError(str(error), source="--agent") from error


def _command(asked: RunAsk, found: Grounds, kept: tuple[Path, ...]) -> tuple[Command, str]:
    """Fenced where that was asked for and can be had; forks, so it comes before every thread."""
    if not (asked.fenced and found.settings.fence):
        return Unfenced.build(), "as asked"
    try:
        return Fence.build(_plan(asked, found, kept)), ""
    except UnavailableError as error:
        return Unfenced.build(), str(error)


def _plan(asked: RunAsk, found: Grounds, kept: tuple[Path, ...]) -> FencePlan:
    shares = (*found.settings.share, *asked.shares)
    return FencePlan(
        command=asked.command,
        environ=found.environ,
        cwd=found.cwd,
        home=Path.home(),
        hide=(found.state, state_folder({})),  # where other runs keep theirs
        read_only=kept,
        names=names(found.environ, found.state, *found.written),
        share=shares,
        direct=tuple(dict.fromkeys((*found.settings.direct, *asked.directs))),
        turned=found.settings.transparent_ports if asked.transparent and found.settings.transparent else (),
    )


def _kept(found: Grounds, shares: Iterable[Path]) -> tuple[Path, ...]:
    """What people wrote, and where they may write more while the agent runs."""
    there = [path.absolute() for path in (*found.written, *found.files, config_folder(found.environ)) if path.exists()]
    return tuple(_guarded(there, [path.resolve() for path in (found.cwd, Path.home(), *shares)]))


def _counting(found: Grounds, policies: tuple[str, ...]) -> tuple[Path, ...]:
    """All that was read but the cases of policies: who adds one of these can have a policy refused, and no other one used."""
    cases = {path.absolute() for path in cases_beside(policies)} - {policy_path(name).absolute() for name in policies}
    return tuple(path for path in found.files if path not in cases)


def _guarded(written: Iterable[Path], work: list[Path]) -> Iterator[Path]:
    """The folder of each of these, so that nothing is put beside it; the file alone where the agent works in that folder."""
    for path in (name.resolve() for name in written):
        folder = path if path.is_dir() else path.parent
        yield path if any(folder == place or folder in place.parents for place in work) else folder


@contextmanager
def _logging(found: Grounds) -> Iterator[Metrics]:
    metrics = Metrics()
    with logging_to(found.state / "outgate.log", found.settings.log_level, metrics.unlogged):
        yield metrics


def agent_name(command: tuple[str, ...]) -> str:
    """Name an agent by what it is rather than by what interprets it: `python -u tools/agent.py` is `agent.py`.

    What is given as a program's text (`sh -c …`, `node -e …`) may hold anything, and is no name.
    """
    said = takewhile(lambda word: not PROGRAM_TEXT.fullmatch(word), command)
    words = [Path(word).name for word in said if not word.startswith("-") and "=" not in word]
    named = [word for word in words if word.rstrip("0123456789.") not in INTERPRETERS] or words or ["agent"]
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._@-") else "-" for c in named[0]).strip("._@-")[:64]
    return safe if AGENT_ID.fullmatch(safe) else "agent"


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run; `live` goes from the first port to the last receipt."""

    asked: RunAsk
    found: Grounds
    agent: Agent
    doors: tuple[Planned, ...]
    key: SigningKey
    kept: tuple[Path, ...]
    """What a fenced agent can't write."""
    command: Command
    unfenced: str
    metrics: Metrics
    tally: Tally = field(default_factory=Tally)
    around: Counter[Attempt] = field(default_factory=Counter)
    lost: str = ""
    parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        self.parts = Parts(
            found=self.found,
            key=self.key,
            metrics=self.metrics,
            fenced=self.command.fenced,
            hardware_only=not self.command.fenced,
            watched=(self.tally,),
        )
        if not self.command.fenced:  # a fence's listener has an address that means something else out here
            self.parts.own.add(self.command.listener.getsockname()[:2])

    @property
    def clock(self) -> SystemClock:
        return self.parts.clock

    async def live(self, opening: Callable[[Begun], None]) -> RunReport:
        began = self.clock.monotonic()
        async with AsyncExitStack() as stack:
            authority = make_authority(self.clock.now())
            await self.parts.build(stack, authority)
            await stack.enter_async_context(Live(self.parts, kind="run", read=self._read, doors=self.doors))
            gc.enable()
            gate, journal = self.parts.gate, self.parts.journal
            await self._serve(stack)
            await gate.note("start", self.agent, self._facts())
            opening(self._begun())
            self._release(authority)
            code = await self._attended(gate)
            await self.parts.engine.stop(GRACE)
            planted = await self._sweep(gate)
            await self._note(gate, "stop", {"code": code, "around": self.around.total()})
        return RunReport(
            command=self.asked.command,
            agent=self.agent.id,
            code=code,
            seconds=self.clock.monotonic() - began,
            enforced=self.found.policy.mode is Mode.ENFORCE,
            tally=self.tally,
            log=check_log(journal.folder, self.key.public, each_signature=False),
            around=self.around,
            around_untold=self.command.watch.untold if self.command.watch else 0,
            planted=planted,
            lost=self.lost,
        )

    def _read(self) -> Grounds:
        """What people wrote, once more, as it was asked for. In a fence, only what the agent in it can't have written."""
        found = grounds(config=self.asked.config, policies=self.asked.policies, enforce=self.asked.enforce, running=True)
        if self.command.fenced:
            check_untouched(_counting(found, self.asked.policies or found.settings.policies), self.kept)
        return found

    async def _serve(self, stack: AsyncExitStack) -> None:
        await self.parts.engine.serve_on(self.command.listener.dup(), self.agent)  # each side closes its own
        for port, listeners in self.command.directs.items():
            for listener in listeners:
                server = await relay(listener.dup(), port)
                stack.callback(server.close)
        await self._serve_turned(stack)

    async def _serve_turned(self, stack: AsyncExitStack) -> None:
        """What programs connect to by themselves; and the addresses for that, which are made up."""
        turned = [one for both in self.command.turned.values() for one in both]
        for listener in turned:
            await self.parts.engine.serve_on(listener.dup(), self.agent, "transparent")
        if self.command.names:
            datagrams, streams = self.command.names
            answering = Answering(self.parts.names, ipv6=any(one.family == AF_INET6 for one in turned))
            stack.callback(answering.close)
            await answering.serve(datagrams.dup(), streams.dup())

    # the command

    def _begun(self) -> Begun:
        via = self.found.inherited.via
        return Begun(
            agent=self.agent.id,
            policy=self.found.policy.name,
            enforcing=self.found.policy.mode is Mode.ENFORCE,
            unfenced=self.unfenced,
            unturned=self.command.unturned,
            via=via.shown if via else "",
            roots=self.found.added_roots(),
        )

    def _facts(self) -> dict[str, Json]:
        """What the record says of a start. The command's words may hold secrets: its name alone."""
        policy = self.found.policy
        return {
            "program": Path(self.asked.command[0]).name,
            "policy": policy.name,
            "digest": policy.digest,
            "mode": str(policy.mode),
            "fenced": self.command.fenced,
            "unfenced": self.unfenced,
            "share": [str(path) for path in (*self.found.settings.share, *self.asked.shares)],
            "direct": list(self.command.directs),
            "transparent": list(self.command.turned),
        }

    def _release(self, authority: Authority) -> None:
        host, port = self.command.listener.getsockname()[:2]
        spot = Spot(folder=str(self.command.folder), host=host, port=port)
        child = environment(self.found.trust, self.found.environ, spot)
        if self.command.fenced:
            child = without_channels(child, (*self.found.settings.share, *self.asked.shares))
        files = trust_files(
            self.found.trust, spot, ours=authority.pem, roots=self.found.roots, wgetrc=self.found.inherited.wgetrc
        )
        self.command.release(self.asked.command, environ=child, files=files, cwd=self.found.cwd)

    async def _attended(self, gate: Gate) -> int:
        """Wait for the command, and write down what tries to get around us meanwhile."""
        watch = self.command.watch
        if watch is None:
            return await self.command.wait()
        watching = asyncio.create_task(self._watched(watch, gate))
        try:
            return await self.command.wait()
        finally:
            watching.cancel()
            await asyncio.wait({watching})
            if not watching.cancelled() and (error := watching.exception()) is not None:
                self.parts.alarm.raise_for(error, "watching the fence")
            for attempt in watch.read():  # what came last
                await self._went_around(gate, attempt)

    async def _watched(self, watch: Watch, gate: Gate) -> None:
        async for attempt in watch.attempts():
            await self._went_around(gate, attempt)

    async def _went_around(self, gate: Gate, attempt: Attempt) -> None:
        attempt = replace(attempt, name=attempt.name or self._called(attempt.address))
        self.around[attempt] += 1
        await self._note(gate, "around", _about(attempt))

    def _called(self, address: str) -> str:
        """The name that it got this address for, if it asked for one."""
        called = self.parts.names.called(address)
        return called if called != address else ""

    async def _sweep(self, gate: Gate) -> tuple[Planted, ...]:
        """Put aside what the command left where it would run later, outside."""
        planted = await asyncio.to_thread(self.command.planted)
        for one in planted:
            await self._note(gate, "planted", {"path": str(one.path), "aside": str(one.aside)})
        return planted

    async def _note(self, gate: Gate, what: str, about: dict[str, Json]) -> None:
        """Record what happened while the command ran. A log that fails lets nothing out any more; the run goes on to its end."""
        try:
            await gate.note(what, self.agent, about)
        except UnavailableError as error:
            self.lost = self.lost or str(error)


def _about(attempt: Attempt) -> dict[str, Json]:
    return {
        "process": attempt.process,
        "pid": attempt.pid,
        "protocol": attempt.protocol,
        "address": attempt.address,
        "port": attempt.port,
        "name": attempt.name,
    }
