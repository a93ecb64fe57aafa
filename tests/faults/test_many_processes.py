"""Several servers on one state folder: they share limits, grants and the switch as if they were one."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from faults.served import ALICE, ANN, GONE, World, proves, sign, vote, waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from faults.served import Server
    from wire.clients import Answer

    from outgate.approvals.approval import Approval

PROCESSES = 3
MANY = 200
LIMIT = 100
RULES = (
    f'{{id: a-day, match: {{resource: "*/day/*"}}, limit: {LIMIT}/day, effect: throttle}}',
    f'{{id: killed, match: {{resource: "*/killed/*"}}, limit: {LIMIT}/day, effect: throttle}}',
    f'{{id: an-hour, match: {{resource: "*/hour/*"}}, limit: {LIMIT}/hour, effect: throttle}}',
    f'{{id: over, match: {{resource: "*/over/*"}}, limit: {LIMIT}/day, effect: escalate, to: ops}}',
    '{id: one, match: {resource: "*/one/*"}, effect: escalate, to: ops}',
    '{id: two, match: {resource: "*/two/*"}, effect: escalate, to: both}',
)


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("many-processes")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The same for all tests: each has paths of its own. In the end all of it holds together."""
    async with World(tmp_path_factory.mktemp("many"), RULES) as made:
        servers = [made.server(number) for number in range(PROCESSES)]
        await asyncio.gather(*(server.start() for server in servers))
        await made.trusted()
        yield made
        assert [await server.stop() for server in servers] == [0] * PROCESSES
        await proves(made)
        assert made.alarms() == []


async def ask(server: Server, path: str, wait: int = 0) -> Answer:
    """Ask over a connection of its own."""
    async with server.client("mailer") as client:
        return await client.ask(path, method="POST", body=b"{}", wait=wait)


async def at_once(world: World, paths: list[str]) -> Counter[int]:
    """Ask for all of it in parallel, of the processes in turn; 0 is no answer."""

    async def one(server: Server, path: str) -> int:
        try:
            return (await ask(server, path)).status
        except GONE:
            return 0

    return Counter(await asyncio.gather(*map(one, itertools.cycle(world.servers), paths)))


async def asked(world: World, many: int) -> list[Approval]:
    """Wait until so many approvals wait for people who have not said anything yet."""
    async with asyncio.timeout(30):
        while len(found := [one for one in await waiting(world) if not one.votes]) < many:
            await asyncio.sleep(0.02)
    assert len(found) == many
    return found


# limits


@pytest.mark.parametrize("window", ["day", "hour"])
async def test_of_two_hundred_in_parallel_exactly_as_many_pass_as_the_limit_says(world: World, window: str) -> None:
    began, day = time.monotonic(), datetime.now(UTC).date()
    statuses = await at_once(world, [f"/{window}/{number}" for number in range(MANY)])
    more = int((time.monotonic() - began) / (3600 / LIMIT)) if window == "hour" else 0
    if datetime.now(UTC).date() != day and window == "day":
        pytest.skip("a new day began")
    assert LIMIT <= statuses[200] <= LIMIT + more
    assert statuses[429] == MANY - statuses[200]
    assert world.paths(f"/{window}/").total() == statuses[200]


async def test_what_is_over_a_limit_asks_people_and_what_is_under_it_does_not(world: World) -> None:
    day = datetime.now(UTC).date()
    statuses = await at_once(world, [f"/over/{number}" for number in range(LIMIT + 10)])
    if datetime.now(UTC).date() != day:
        pytest.skip("a new day began")
    assert statuses == {200: LIMIT, 403: 10}
    over = await asked(world, 10)
    for approval in over:
        await sign(world, approval, ANN)
    again = [f"/over/{number}" for number in range(LIMIT + 10) if f"/over/{number}" not in world.paths("/over/")]
    assert await at_once(world, again) == {200: 10}
    assert world.paths("/over/") == {f"/over/{number}": 1 for number in range(LIMIT + 10)}


async def test_when_one_of_them_is_killed_the_others_go_on_and_the_limit_holds(world: World) -> None:
    day = datetime.now(UTC).date()
    asking = asyncio.create_task(at_once(world, [f"/killed/{number}" for number in range(MANY)]))
    await world.plain.until(lambda _: world.paths("/killed/").total() >= LIMIT // 4)
    await world.servers[0].kill()
    statuses = await asking
    await world.servers[0].start()
    statuses += await at_once(world, [f"/killed/{number}" for number in range(MANY, 2 * MANY)])
    if datetime.now(UTC).date() != day:
        pytest.skip("a new day began")
    assert statuses.keys() <= {200, 429, 0}
    assert LIMIT - statuses[0] <= world.paths("/killed/").total() <= LIMIT


# approvals


@pytest.mark.parametrize("need", ["one", "two"])
async def test_of_fifty_identical_retries_that_race_exactly_one_uses_the_grant(world: World, need: str) -> None:
    for number in range(5):
        path = f"/{need}/raced-{number}"
        assert await at_once(world, [path] * 5) == {403: 5}
        (approval,) = await asked(world, 1)
        await sign(world, approval, *([ANN] if need == "one" else [ANN, ALICE]))
        assert await at_once(world, [path] * 50) == {200: 1, 403: 49}
        assert world.paths(path) == {path: 1}
        (again,) = await asked(world, 1)
        await vote(world, again, ANN, deny=True, why="Once is enough.")


async def test_what_is_held_anywhere_goes_through_when_somebody_signs(world: World) -> None:
    paths = [f"/two/held-{number}" for number in range(2 * PROCESSES)]
    held = [asyncio.create_task(ask(server, path, 30)) for server, path in zip(world.servers * 2, paths, strict=True)]
    for approval in await asked(world, len(paths)):
        await sign(world, approval, ALICE, ANN)
    assert [one.status for one in await asyncio.gather(*held)] == [200] * len(paths)
    assert world.paths("/two/held-") == dict.fromkeys(paths, 1)


async def test_of_identical_ones_that_are_held_each_signature_lets_one_through(world: World) -> None:
    held = {asyncio.create_task(ask(server, "/one/same", 50)) for server in world.servers}
    while held:
        (approval,) = await asked(world, 1)
        await sign(world, approval, ANN)
        done, held = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().status for task in done] == [200]
        assert world.paths("/one/same").total() == PROCESSES - len(held)


async def test_a_no_reaches_everybody_who_waits_for_it(world: World) -> None:
    held = [asyncio.create_task(ask(server, "/two/no", 30)) for server in world.servers * 2]
    (approval,) = await asked(world, 1)
    await vote(world, approval, ALICE, deny=True, why="Not in December.")
    answers = await asyncio.gather(*held)
    assert [one.status for one in answers] == [403] * 2 * PROCESSES
    assert all(b"Not in December." in one.body for one in answers)
    assert await at_once(world, ["/two/no"] * PROCESSES) == {403: PROCESSES}
    assert not world.paths("/two/no")


# the switch


async def test_a_halt_is_one_for_all_of_them_and_cuts_what_they_hold(world: World) -> None:
    held = [asyncio.create_task(ask(server, f"/one/halted-{server.port}", 30)) for server in world.servers]
    approvals = await asked(world, PROCESSES)
    code, said = await world.outgate("halt", "mailer")
    assert code == 0, said
    assert all(isinstance(one, GONE) for one in await asyncio.gather(*held, return_exceptions=True))
    for approval in approvals:
        await sign(world, approval, ANN)
    assert await at_once(world, ["/free/halted"] * PROCESSES) == {403: PROCESSES}
    code, said = await world.outgate("resume", "mailer")
    assert code == 0, said
    assert await at_once(world, ["/free/halted"] * PROCESSES) == {200: PROCESSES}
    assert not world.paths("/one/halted")
