"""What is said in an open WebSocket is decided message by message: the upstream sees what was let out, in its order, and no more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import wsproto
import wsproto.events as we
from signed import Signer, people
from wire.test_websocket import echo, opened, switch

from outgate.approvals.statement import shown
from outgate.halt import Halt, Halts, Scope
from outgate.mitm.link import KIB, Limits
from outgate.mitm.messages import Messages

ALICE = Signer("alice")
KEY = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
POLICY = """
    outgate: policy/v1alpha
    policy: messages
    mode: {mode}
    otherwise: {{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {{read: allow, other: allow}}}}
    approvers:
      ops: {{need: 1, of: [alice], within: 2h}}
    rules:
      - {{id: no-secrets, match: {{data: [secret]}}, effect: block, tell: "No secrets leave."}}
      - {{id: long, phase: stream, when: message.sent && message.size > 1000, effect: escalate, to: ops}}
      - {{id: often, phase: stream, when: message.sent, limit: 600/min, burst: 5, effect: throttle}}
      - {{id: quiet, phase: stream, when: '!message.sent && message.size == 7', effect: block, tell: "It says too much."}}
"""


@pytest.fixture
def start(make):
    sockets = []

    async def one(mode: str = "enforce", **said):
        gateway = await make(policy_text=POLICY.format(mode=mode), people=people(ALICE), **said)
        upstream = await gateway.upstream()
        upstream.answers["/ws"] = echo
        sockets.append(await opened(gateway))
        return gateway, upstream, sockets[-1]

    yield one
    for socket in sockets:
        leave(socket)


def leave(socket):
    """Be gone, so that nobody waits for a last word."""
    socket.wire.writer.transport.abort()


async def say(socket, *messages):
    for message in messages:
        await socket.send(we.Message(data=message))


async def until(told):
    async with asyncio.timeout(10):
        while not (found := await told()):
            await asyncio.sleep(0.01)
    return found


async def test_a_secret_in_the_third_message_is_stopped_and_the_upstream_saw_exactly_two(start):
    gateway, upstream, socket = await start()
    await say(socket, "one", "two")
    assert [await socket.receive() for _ in range(2)] == [b"one", b"two"]
    await say(socket, f"three {KEY}", "four")
    close = await socket.receive()
    assert (close.code, close.reason) == (1008, "No secrets leave.")
    await upstream.until(lambda u: u.closed)
    assert upstream.seen[0].body == b"onetwo"
    leave(socket)
    await gateway.stop()
    (event,) = gateway.events("message-refused")
    assert (event["rules"], event["sent"]) == (["no-secrets"], True)
    (outcome,) = gateway.outcomes()
    assert (outcome["result"], outcome["error"]) == ("executed", "a message was refused")
    assert KEY not in str(gateway.receipts)


async def test_a_message_that_people_must_approve_is_held_and_those_behind_it_wait_while_the_other_direction_goes_on(start):
    gateway, upstream, socket = await start()
    await say(socket, "one", "x" * 2000, "three")
    assert await socket.receive() == b"one"
    (asked,) = await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    await socket.send(we.Ping(b"are you there"))
    assert isinstance(await next_event(socket), we.Pong)
    assert upstream.seen[0].body == b"one"
    await gateway.desk.vote(asked.id, ALICE.vote(asked, datetime.now(UTC)))
    assert [await socket.receive() for _ in range(2)] == [b"x" * 2000, b"three"]
    leave(socket)
    await gateway.stop()
    assert [event["approval"] for event in gateway.events("message-approved")] == [asked.id]


async def test_what_comes_too_fast_is_slowed_and_all_of_it_arrives_in_its_order(start):
    gateway, upstream, socket = await start()
    said = [b"%d" % number for number in range(12)]
    await say(socket, *said)
    assert [await socket.receive() for _ in said] == said
    assert upstream.seen[0].body == b"".join(said)
    leave(socket)
    await gateway.stop()
    assert gateway.events("message-refused") == []


async def test_a_rule_may_stop_what_the_upstream_says(start):
    _, _, socket = await start()
    await say(socket, "seven!!")
    close = await socket.receive()
    assert (close.code, close.reason) == (1008, "It says too much.")


async def test_observed_everything_passes_and_what_would_not_is_on_record_once(start):
    gateway, _, socket = await start(mode="observe")
    await say(socket, f"a {KEY}", f"b {KEY}", f"c {KEY}")
    assert [len(await socket.receive()) for _ in range(3)] == [len(KEY) + 2] * 3
    leave(socket)
    await gateway.stop()
    assert [event["rules"] for event in gateway.events("message-would")] == [["no-secrets"]]


async def test_a_halt_ends_what_is_held(start):
    gateway, upstream, socket = await start()
    await say(socket, "x" * 2000)
    await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    gateway.switch.halts = Halts((Halt(scope=Scope.ALL),))
    assert gateway.engine.cut(lambda _agent, services: bool(services)) == 1
    assert (await socket.receive()).code == 1008
    await upstream.until(lambda u: u.closed)
    assert upstream.seen[0].body == b""


async def test_who_leaves_while_a_message_is_held_is_gone_and_so_is_the_message(start):
    gateway, upstream, socket = await start()
    await say(socket, "x" * 2000)
    await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    socket.wire.writer.transport.abort()
    await upstream.until(lambda u: u.closed)
    assert upstream.seen[0].body == b""
    leave(socket)
    await gateway.stop()
    assert len(gateway.outcomes()) == 1


async def test_what_is_said_while_one_is_held_is_not_read_on_without_end(start):
    gateway, _, socket = await start(limits=Limits(waiting=64 * KIB))
    await say(socket, "x" * 2000)
    await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    flood = asyncio.ensure_future(say(socket, *["y" * 16 * KIB] * 2000))
    (handler,) = gateway.engine._all()
    await until(lambda: _true(handler._link.waiting > 64 * KIB))
    await asyncio.sleep(0.2)
    assert handler._link.waiting < 512 * KIB
    assert not flood.done()
    flood.cancel()
    socket.wire.writer.transport.abort()
    gateway.grace = timedelta(0)  # who is not read on is not seen to leave


async def test_the_words_of_pings_and_of_closing_stay_where_they_are(make):
    gateway = await make(policy_text=POLICY.format(mode="enforce"), people=people(ALICE))
    upstream = await gateway.upstream()
    heard = wsproto.Connection(wsproto.ConnectionType.SERVER)
    told = []

    async def watch(turn):
        await switch(turn)
        while data := await turn.reader.read(65536):
            heard.receive_data(data)
            told.extend(heard.events())

    upstream.answers["/ws"] = watch
    socket = await opened(gateway)
    await socket.send(we.Ping(b"leaked by ping"))
    assert isinstance(await next_event(socket), we.Pong)
    await socket.send(we.Pong(b"leaked by pong"))
    await socket.send(we.CloseConnection(code=4001, reason="leaked by closing"))
    assert isinstance(await next_event(socket), we.CloseConnection)
    await upstream.until(lambda u: u.closed)
    assert [(event.code, event.reason or "") for event in told] == [(4001, "")]


MASK = bytes(4)
BROKEN = {
    "a bit that nobody agreed on": b"\xc1\x82" + MASK + b"hi",
    "text that is no UTF-8": b"\x81\x82" + MASK + b"\xff\xfe",
    "a control frame that is too long": b"\x89\xfe\x00\x7e" + MASK + b"p" * 126,
    "a control frame in pieces": b"\x09\x82" + MASK + b"hi",
    "an opcode that is none": b"\x83\x82" + MASK + b"hi",
    "a piece of nothing": b"\x80\x82" + MASK + b"hi",
    "an agent that does not mask": b"\x81\x02hi",
}


@pytest.mark.parametrize("frame", BROKEN.values(), ids=BROKEN.keys())
async def test_what_breaks_the_protocol_ends_it_and_reaches_nobody(start, frame):
    gateway, upstream, socket = await start()
    await socket.wire.send(frame + socket.ws.send(we.Message(data="after")))
    close = await socket.receive()
    assert close.code in {1002, 1007}
    await upstream.until(lambda u: u.closed)
    assert upstream.seen[0].body == b""
    leave(socket)
    await gateway.stop()
    assert [outcome["error"] for outcome in gateway.outcomes()] == ["the agent broke the protocol"]


async def test_what_is_said_after_closing_reaches_nobody(start):
    _, upstream, socket = await start()
    closing = socket.ws.send(we.CloseConnection(code=1000))
    await socket.wire.send(closing + b"\x81\x82" + MASK + b"hi")
    assert isinstance(await socket.receive(), we.CloseConnection)
    await upstream.until(lambda u: u.closed)
    assert upstream.seen[0].body == b""


async def test_thousands_of_empty_messages_take_many_short_turns(start, monkeypatch):
    """Of what is read at once only so many are heard in one turn: no other client waits for all of it."""
    _, upstream, socket = await start(mode="observe")
    heard, turns = Messages._frame, []

    def counted(self, side, event):
        turns.append(asyncio.get_running_loop().time())
        return heard(self, side, event)

    steps = []
    listen = Messages._listen

    def step(self, side):
        before = len(turns)
        yield from listen(self, side)
        steps.append(len(turns) - before)

    monkeypatch.setattr(Messages, "_frame", counted)
    monkeypatch.setattr(Messages, "_listen", step)
    await socket.wire.send((b"\x82\x80" + MASK) * 4_000)
    await say(socket, "the end")
    while await socket.receive() != b"the end":
        pass
    assert len(turns) >= 4_001
    assert max(steps) <= 64
    assert upstream.seen[0].body == b"the end"


async def next_event(socket):
    while True:
        for event in socket.ws.events():
            return event
        socket.ws.receive_data(await socket.wire.reader.read(65536))


async def _true(said):
    return said


async def test_what_people_approve_of_the_upstream_is_not_approved_of_the_agent_nor_as_another_kind_of_message(make):
    """The agent that knows what its upstream will say would say it itself, once people let that in."""
    either = POLICY.replace("message.sent && message.size > 1000", "message.size == 3")
    gateway = await make(policy_text=either.format(mode="enforce"), people=people(ALICE))
    upstream = await gateway.upstream()

    async def says_pay(turn):
        await switch(turn)
        await turn.raw(b"\x81\x03pay")
        await turn.reader.read()

    upstream.answers |= {"/ws": says_pay}
    first = await opened(gateway)
    (asked,) = await until(lambda: gateway.desk.still_open(datetime.now(UTC)))
    assert shown(asked).method == "GET, a message from"
    first.wire.writer.transport.abort()
    await upstream.until(lambda u: u.closed)
    await gateway.desk.vote(asked.id, ALICE.vote(asked, datetime.now(UTC)))
    upstream.answers["/ws"] = echo
    for data in ("pay", b"pay"):
        again = await opened(gateway)
        await say(again, data)
        count = 1 if data == "pay" else 2
        fresh = await until(lambda count=count: _so_many(others(gateway, asked.id), count))
        assert {shown(one).method for one in fresh} == {"GET, a message to"}
        again.wire.writer.transport.abort()
    assert [seen.body for seen in upstream.seen] == [b""] * 3


async def _so_many(found, count):
    return list(one) if len(one := await found) >= count else None


async def others(gateway, than):
    return [one for one in await gateway.desk.still_open(datetime.now(UTC)) if one.id != than]
