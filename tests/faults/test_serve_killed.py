"""A server that is killed under load at random points, again and again: what it promised before holds after."""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from faults.served import AGENTS, GONE, Always, World, proves, signing

from outgate.stores.desk_sqlite import SqliteDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from faults.served import Client, LetOut, Server
    from wire.upstreams import Turn

A_DAY, FREE_A_DAY = 60, 10
BURST, EACH = 5, timedelta(milliseconds=50)
RULES = (
    f'{{id: rate, match: {{resource: "*/rate/*"}}, limit: 1200/min, burst: {BURST}, effect: throttle}}',
    f'{{id: quota, match: {{resource: "*/quota/*"}}, limit: {A_DAY}/day, effect: throttle}}',
    f'{{id: over, match: {{resource: "*/over/*"}}, limit: {FREE_A_DAY}/day, effect: escalate, to: ops}}',
    '{id: one, match: {resource: "*/one/*"}, effect: escalate, to: ops}',
    '{id: two, match: {resource: "*/two/*"}, effect: escalate, to: both}',
    '{id: play, match: {resource: "*/play/*"}, effect: sandbox}',
)
NEEDS = {"one": 1, "two": 2, "over": 1}
ONCE, UNTIL_DONE = ("rate", "rate", "quota", "play", "free", "free"), tuple(NEEDS)
HALTED = "helper"
CLIENTS = 3
"""Of each agent."""


@dataclass
class Load:
    """Agents that never stop asking. What people must approve, all clients of an agent ask for together, until it is done."""

    world: World
    servers: list[Server]
    seed: int
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    broken: int = 0
    left: int = 0
    """Requests whose client did not wait for the answer."""
    _numbers: Counter[str] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._ask_on(agent, number)) for agent in AGENTS for number in range(CLIENTS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == []

    async def _ask_on(self, agent: str, number: int) -> None:
        choice = random.Random(f"{self.seed} {agent} {number}")
        async with self.servers[number % len(self.servers)].client(agent) as client:
            while True:
                patience = asyncio.timeout(choice.uniform(0, 0.06) if choice.random() < 0.15 else None)
                try:
                    async with patience:
                        await self._ask(client, choice.choice(ONCE + UNTIL_DONE), secure=choice.random() < 0.5)
                except GONE:
                    self.broken += 1
                    await asyncio.sleep(0.02)
                except TimeoutError:
                    assert patience.expired(), "a request was never answered"
                    self.left += 1

    async def some(self, many: int) -> None:
        """Wait until so many more requests were answered, but not for ever: it may be that there is nobody."""
        until = self.answered.total() + many
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while self.answered.total() < until:
                    await asyncio.sleep(0.005)

    async def _ask(self, client: Client, kind: str, *, secure: bool) -> None:
        name = f"/{kind}/{client.agent}"
        if kind in ONCE:
            self._numbers[name] += 1
        number = self._numbers[name]
        status = await client.status(f"{name}/{number}", method="POST", body=b"{}", secure=secure, wait=2)
        self.answered[kind, status] += 1
        if kind in UNTIL_DONE and status == 200 and self._numbers[name] == number:
            self._numbers[name] += 1
        if status >= 400:
            await asyncio.sleep(0.02)


def unevenly(seed: int) -> Always:
    """Some answers come at once, some late, some in pieces: a death finds requests at every stage."""
    choice = random.Random(seed)

    async def answer(turn: Turn) -> None:
        await asyncio.sleep(choice.choice((0, 0, 0.01, 0.05)))
        size = choice.choice((2, 20_000))
        await turn.head(200, [("content-length", str(size))])
        await turn.send(b"x" * (size // 2))
        await asyncio.sleep(choice.choice((0, 0, 0.02)))
        await turn.send(b"x" * (size - size // 2))
        await turn.end()

    return Always(answer)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.slow)])
async def test_however_often_it_is_killed_under_load_what_it_promised_holds(tmp_path: Path, kills: int) -> None:
    seed = time.time_ns() & 0xFFFFFFFF
    print(f"seed {seed}")
    choice = random.Random(seed)
    async with World(tmp_path, RULES) as world:
        world.plain.answers, world.secure.answers = unevenly(seed), unevenly(seed + 1)
        server = world.server()
        load = Load(world, [server], seed)
        lives = Lives(server, load, choice)
        began = time.monotonic()
        await lives.born()
        await world.trusted()
        async with signing(world), load.running():
            await lives.until(kills // 2)
            await halt(world)
            await lives.until(kills)
        took = time.monotonic() - began
        print(f"{lives.deaths / took * 60:.0f} kills a minute, ready in {lives.started:.2f} s (median); {load.answered}")
        await still_halted(world, server)
        await all_of_it_holds(world)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rounds", [4, pytest.param(25, marks=pytest.mark.slow)])
async def test_however_often_several_on_one_state_folder_die_together_it_holds(tmp_path: Path, rounds: int) -> None:
    seed = time.time_ns() & 0xFFFFFFFF
    print(f"seed {seed}")
    choice = random.Random(seed)
    async with World(tmp_path, RULES) as world:
        world.plain.answers, world.secure.answers = unevenly(seed), unevenly(seed + 1)
        servers = [world.server(number) for number in range(CLIENTS)]
        await asyncio.gather(*(server.start() for server in servers))
        await world.trusted()
        load = Load(world, servers, seed)
        async with signing(world), load.running():
            for number in range(rounds):
                await load.some(choice.randrange(100, 300))
                dying = servers if number % 2 == 0 else choice.sample(servers, 2)
                await asyncio.gather(*(server.kill() for server in dying))
                await asyncio.gather(*(server.start() for server in dying))
        print(load.answered)
        await all_of_it_holds(world)


async def all_of_it_holds(world: World) -> None:
    await used_up(world.servers[0])
    assert [await server.stop() for server in world.servers] == [0] * len(world.servers)
    holds(world, await proves(world))
    await signed_by_enough(world)
    nothing_stale(world)
    assert world.alarms() == []


@dataclass
class Lives:
    """One server's: killed when it has answered some more requests, or before it was even ready, and started again."""

    server: Server
    load: Load
    choice: random.Random
    deaths: int = 0
    starts: list[float] = field(default_factory=lambda: [1.0])

    @property
    def started(self) -> float:
        """Seconds until it is ready, usually."""
        return statistics.median(self.starts)

    async def born(self) -> None:
        """Start where there is nothing yet: not even that is done at once."""
        for _ in range(2):
            await self._miscarried()
        await self._started()
        del self.starts[0]

    async def until(self, deaths: int) -> None:
        while self.deaths < deaths:
            await self.load.some(self.choice.randrange(150))
            await self._killed(self.choice.uniform(0, 0.05))
            if self.choice.random() < 0.5 and self.deaths < deaths:
                await self._miscarried()
            await self._started()

    async def _started(self) -> None:
        began = time.monotonic()
        await self.server.start()
        self.starts.append(time.monotonic() - began)

    async def _miscarried(self) -> None:
        """For example while it closes the log of the one before."""
        await self.server.begin()
        await self._killed(self.choice.uniform(0.3, 1.1) * self.started)

    async def _killed(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.server.kill()
        self.deaths += 1


# the switch


async def halt(world: World) -> None:
    """Halt one of the agents, in the middle of its requests; from then on nothing of it arrives anywhere."""
    code, said = await world.outgate("halt", HALTED, "--why", "tried in a test")
    assert code == 0, said
    world.halted_at = len(of_halted(world))


def of_halted(world: World) -> list[str]:
    return [path for path, _ in world.seen() if path.split("/")[2] == HALTED]


async def still_halted(world: World, server: Server) -> None:
    assert len(of_halted(world)) == world.halted_at, "something of a halted agent arrived"
    async with server.client(HALTED) as client, server.client(AGENTS[0]) as other:
        answer = await client.ask(f"/free/{HALTED}/halted")
        assert (answer.status, answer.header("outgate-decision")) == (403, "block")
        assert await other.status(f"/free/{AGENTS[0]}/others") == 200
        code, said = await world.outgate("resume", HALTED)
        assert code == 0, said
        assert await client.status(f"/free/{HALTED}/resumed") == 200


# limits


async def used_up(server: Server) -> None:
    """Whatever was left of the day's quota is used now: what was forgotten in a death would be one too many."""
    for agent in AGENTS:
        async with server.client(agent) as client:
            statuses = {await client.status(f"/quota/{agent}/last-{number}") for number in range(A_DAY + 1)}
            assert 429 in statuses


def holds(world: World, record: list[LetOut]) -> None:
    """What the upstreams saw keeps to every limit, and to what people approved."""
    at = {one.sent: one.at for one in record if one.may_have_left}
    by_kind: dict[tuple[str, str], list[LetOut]] = defaultdict(list)
    for one in record:
        if one.may_have_left:
            by_kind[one.path.split("/")[1], one.agent].append(one)
    days: Counter[tuple[str, object]] = Counter()
    for path, digest in world.seen():
        if path.startswith("/quota/"):
            days[path.split("/")[2], at[digest].date()] += 1
    print(f"of {A_DAY} a day arrived {sorted(days.values())}")
    assert days
    assert max(days.values()) <= A_DAY
    for agent in AGENTS:
        evenly(sorted(one.at for one in by_kind["rate", agent]))
        free = Counter(one.at.date() for one in by_kind["over", agent] if not one.used)
        assert free
        assert max(free.values()) <= FREE_A_DAY
        assert all(one.used for kind in ("one", "two") for one in by_kind[kind, agent])
    kinds = Counter(one.path.split("/")[1] for one in record)
    assert {"play", "one", "two", "over", "rate"} <= kinds.keys()
    assert not world.paths("/play/")
    assert {one.results for one in record if one.path.startswith("/play/")} <= {
        ("mocked",),
        ("unknown",),
        ("refused",),
        ("abandoned",),
    }
    assert {one.results for one in record} >= {("executed",), ("unknown",)}


def evenly(times: list) -> None:
    """In any time, a burst and what became free meanwhile; receipts count milliseconds."""
    assert len(times) > BURST
    for first, begin in enumerate(times):
        for last in range(first + BURST, len(times)):
            room = BURST + (times[last] - begin + timedelta(milliseconds=1)) / EACH
            assert last - first + 1 <= room, f"{last - first + 1} within {times[last] - begin}"


async def signed_by_enough(world: World) -> None:
    """Whatever was used, enough people had signed."""
    desk = SqliteDesk.open(world.state / "desk.sqlite")
    used = [one for one in await desk.recent(100_000) if one.used]
    await desk.close()
    assert used
    for one in used:
        assert len(one.votes) >= one.panels[0].need
    assert {one.panels[0].need for one in used} == {1, 2}


def nothing_stale(world: World) -> None:
    """The dead left nothing behind that grows."""
    assert list((world.state / "gates").iterdir()) == []
    assert list(world.folder.glob("*.sock")) == []
