"""Laws of order: however the steps of several requests fall between each other, and whoever leaves, each is decided once."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from laws.test_gate import ALLOW, MOCKS, RULES, World
from policies import CATALOG, written

from outgate.gate import Admitted, Refused
from outgate.intake.agents import Agent
from outgate.intake.request import NoBody, RawRequest, Tunnel
from outgate.policy.load import load
from outgate.receipts.verify import LogCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 2
POLICY = load([("order.yaml", written(RULES.replace("60/min", f"{LIMIT}/min"), otherwise=ALLOW, more=MOCKS))], CATALOG)
HALTING = "_journal", "_ledger", "_resolver", "_mocks"


class Slow:
    """A port whose answers come after some turns of the loop."""

    def __init__(self, port, turns: Iterator[int]) -> None:
        self._port, self._turns = port, turns

    def __getattr__(self, name):
        found = getattr(self._port, name)
        if name == "append":
            return lambda body: asyncio.ensure_future(self._later(found(body)))
        if not inspect.iscoroutinefunction(found):
            return found

        async def slowly(*args, **said):
            await self._wait()
            result = await found(*args, **said)
            await self._wait()
            return result

        return slowly

    async def _later(self, owed):
        await self._wait()
        return await owed

    async def _wait(self) -> None:
        for _ in range(next(self._turns)):
            await asyncio.sleep(0)


def asked(method: bytes, host: bytes) -> RawRequest:
    tunnel = Tunnel(host=host, port=443, sni=host)
    return RawRequest(
        method=method, scheme=b"", authority=b"", target=b"/a", version=b"HTTP/1.1", headers=((b"host", host),), tunnel=tunnel
    )


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([b"GET", b"PATCH", b"PATCH", b"DELETE"]),
        st.sampled_from([b"api.crm.test", b"api.payments.test", b"169.254.169.254"]),
        st.none() | st.integers(0, 30),
    ),
    min_size=2,
    max_size=7,
)
TURNS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


def _cycle(turns: list[int]) -> Iterator[int]:
    while True:
        yield from turns


async def _leave(task: asyncio.Task, after: int) -> None:
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()


async def _all(world: World, requests):
    tasks, leaving = [], []
    for method, host, leaves in requests:
        opening = world.gate.open(asked(method, host), Agent(id="law"))
        tasks.append(task := asyncio.create_task(world.gate.admit(opening, NoBody())))
        if leaves is not None:
            leaving.append(asyncio.create_task(_leave(task, leaves)))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*leaving)
    for _ in range(60):
        await asyncio.sleep(0)
    await world.gate.settled()
    return results


@settings(max_examples=300)
@given(REQUESTS, TURNS)
def test_however_the_steps_fall_each_request_is_decided_once_and_nothing_leaves_before_its_receipt(requests, turns):
    world, shared = World(POLICY, frozenset()), _cycle(turns)
    for name in HALTING:
        port = Slow(getattr(world.gate, name), shared)
        for holder in (world.gate, world.gate._judging):
            if hasattr(holder, name):
                setattr(holder, name, port)
    results = asyncio.run(_all(world, requests))
    check = LogCheck("memory", world.journal.key.public)
    for line in world.journal.lines:
        check.feed(line)
    report = check.finish()
    assert report.bad is None
    assert not world.told, "nothing raised"
    admitted = [one for one in results if isinstance(one, Admitted)]
    assert report.open == {one.stamp.seq for one in admitted}, "what is on record as let out and open is what was handed over"
    assert len({one.stamp.seq for one in admitted}) == len(admitted)
    answered = sum(isinstance(one, Admitted | Refused) for one in results)
    assert answered <= report.decisions <= len(requests)
    assert sum(one.request.method == "PATCH" and not one.mocked for one in admitted) <= LIMIT
    assert all(isinstance(one, Admitted | Refused | asyncio.CancelledError) for one in results)
