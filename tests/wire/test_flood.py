"""One agent that floods: it gets no more of the gate than its part, and no more of the record."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from signed import Signer, people

from outgate.mitm.http2 import MOST_RESET
from outgate.mitm.link import Limits

if TYPE_CHECKING:
    from wire.clients import Streams
    from wire.gateway import Gateway

ALICE = Signer("alice")
ASKS = """
    outgate: policy/v1alpha
    policy: asks
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: escalate, other: escalate}, to: ops}
    approvers:
      ops: {need: 1, of: [alice]}
"""


async def reset(client: Streams, times: int) -> None:
    for _ in range(times):
        stream = await client.request("POST", "/forbidden", "api.test", end=False)
        client.conn.reset_stream(stream)
    await client.flush()


async def test_who_opens_streams_and_resets_them_without_end_is_sent_away(gateway: Gateway):
    await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        with suppress(ConnectionError):
            await reset(client, MOST_RESET * 2)
        await client.until(lambda: client.gone)
    assert len(gateway.decisions()) <= MOST_RESET + 1
    async with await gateway.h2() as client, client.wire:
        assert (await client.answer(await client.request("GET", "/", "api.test"))).status == 200


async def test_who_resets_as_many_streams_as_it_lets_end_goes_on(gateway: Gateway):
    await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        for _ in range(3):
            await reset(client, MOST_RESET // 2)
            await asyncio.gather(*[_get(client) for _ in range(MOST_RESET // 2)])
        assert not client.gone


async def _get(client: Streams) -> None:
    assert (await client.answer(await client.request("GET", "/forbidden", "api.test"))).status == 403


async def test_what_is_given_up_while_people_are_asked_is_charged_as_what_is_refused(make):
    gateway = await make(policy_text=ASKS, people=people(ALICE), hold=timedelta(seconds=20), limits=Limits(refusals=8 * 1024))
    await gateway.upstream(tls=False)
    for _ in range(8):
        async with await gateway.plain() as client:
            await client.request("POST", "http://api.test/pay", "api.test", b"x")
        while gateway.engine.clients:
            await asyncio.sleep(0.01)
    assert len(gateway.decisions()) < 8
    async with await gateway.plain() as client:
        await client.request("POST", "http://api.test/pay", "api.test", b"x")
        assert (await client.answer()).status == 429
