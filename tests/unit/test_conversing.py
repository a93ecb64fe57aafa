"""Messages of what was let out: passed on, held for people or for a limit, or the end of the conversation."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from gated import NO_SECRETS, World, boom
from signed import Signer, people

from outgate.conversing import Cut
from outgate.gate import Admitted
from outgate.halt import Halt, Scope
from outgate.intake.message import Message

ANN = Signer("ann")
KEY = b"sk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc"
SOCKET = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec_websocket_version": "13",
    "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PEOPLE = {"more": "approvers: {ops: {need: 1, of: [ann], within: 2h}}", "people": people(ANN)}
LARGE = "- {id: large, phase: stream, when: message.sent && message.size > 3, effect: EFFECT, tell: Say less.}"


async def talking(world):
    admitted = await world.ask("GET https://elsewhere.test/live", **SOCKET)
    assert isinstance(admitted, Admitted)
    return world.gate.converse(admitted)


def sent(content=b"hi", **said):
    return Message(**{"sent": True, "over": "websocket", "text": True, "content": content, **said})


def came(content=b"hi"):
    return replace(sent(content), sent=False)


def events(world):
    return [(one["type"], one["about"]["rules"]) for one in world.receipts if one["type"].startswith("message-")]


async def test_where_no_rule_could_stop_a_message_none_is_decided():
    conversation = await talking(World())
    assert not conversation.heard
    assert (await talking(World(rules=NO_SECRETS))).heard
    assert (await talking(World(rules=LARGE.replace("EFFECT", "block")))).heard


async def test_what_was_let_out_for_its_head_is_not_let_out_for_what_is_said_later():
    world = World(rules=NO_SECRETS)
    conversation = await talking(world)
    assert await conversation.decide(sent()) is None
    assert await conversation.decide(sent(b'{"key": "' + KEY + b'"}')) == Cut(tell="Secrets stay here.")
    assert events(world) == [("message-refused", ["no-secrets"])]


async def test_a_rule_on_requests_says_nothing_of_what_the_upstream_says():
    assert await (await talking(World(rules=NO_SECRETS))).decide(came(KEY)) is None


async def test_a_rule_on_data_in_messages_holds_both_ways():
    rules = "- {id: quiet, phase: stream, match: {data: [secret]}, effect: block}"
    conversation = await talking(World(rules=rules))
    assert await conversation.decide(came()) is None
    assert await conversation.decide(came(KEY)) is not None
    assert await conversation.decide(sent(KEY)) is not None


@pytest.mark.parametrize("effect", ["block", "sandbox"])
async def test_what_a_rule_stops_ends_it(effect):
    world = World(rules=LARGE.replace("EFFECT", effect))
    conversation = await talking(world)
    assert await conversation.decide(sent(b"abc")) is None
    assert await conversation.decide(came(b"abcd")) is None
    assert await conversation.decide(sent(b"abcd")) == Cut(tell="Say less.")
    world.verified()


async def test_what_is_over_a_limit_waits_until_there_is_room():
    rules = "- {id: chatty, phase: stream, match: {host: elsewhere.test}, limit: 2/min, effect: throttle}"
    world = World(rules=rules)
    conversation = await talking(world)
    assert [await conversation.decide(sent()) for _ in range(3)] == [None] * 3
    assert world.clock.passed == pytest.approx(30)


async def test_what_would_wait_too_long_ends_it():
    rules = "- {id: chatty, phase: stream, match: {host: elsewhere.test}, limit: 1/day, effect: throttle}"
    conversation = await talking(World(rules=rules))
    assert await conversation.decide(sent()) is None
    assert await conversation.decide(sent()) is not None


async def test_a_message_that_people_must_approve_is_held_until_they_have_and_passes_once():
    world = World(rules=LARGE.replace("EFFECT", "escalate, to: ops"), **PEOPLE)
    conversation = await talking(world)
    held = asyncio.ensure_future(conversation.decide(sent(b"abcd")))
    while not (found := await world.desk.still_open(world.clock.now())):
        await asyncio.sleep(0)
    assert not held.done()
    await world.desk.vote(found[0].id, ANN.vote(found[0], world.clock.now()))
    assert await held is None
    assert events(world) == [("message-approved", [])]
    again = asyncio.ensure_future(conversation.decide(sent(b"abcd")))
    while len(await world.desk.still_open(world.clock.now())) < 1:
        await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


async def test_what_is_only_observed_is_said_once():
    world = World(rules=LARGE.replace("EFFECT", "block"), mode="observe")
    conversation = await talking(world)
    assert [await conversation.decide(sent(b"abcd")) for _ in range(3)] == [None] * 3
    assert events(world) == [("message-would", ["large"])]


async def test_a_content_that_can_not_be_read_is_taken_for_the_worst():
    conversation = await talking(World(rules=NO_SECRETS))
    assert await conversation.decide(sent(plain=False)) is not None


async def test_a_policy_that_is_adopted_meanwhile_holds_from_the_next_message_on():
    world = World()
    conversation = await talking(world)
    assert not conversation.heard
    world.gate.adopt(world.ground(world.loaded(LARGE.replace("EFFECT", "block"))))
    assert conversation.heard
    assert await conversation.decide(sent(b"abcd")) is not None


async def test_a_halt_ends_it():
    world = World(rules=NO_SECRETS)
    conversation = await talking(world)
    world.switch.halts = world.switch.halts.adding(Halt(scope=Scope.ALL))
    assert await conversation.decide(sent()) is not None


async def test_a_defect_ends_it_and_somebody_is_told(monkeypatch):
    world = World(rules=NO_SECRETS)
    conversation = await talking(world)
    monkeypatch.setattr("outgate.conversing.decide_message", boom)
    assert await conversation.decide(sent()) is not None
    assert world.alarm.told == ["BoomError while deciding on a message"]


async def test_a_record_that_can_not_be_kept_passes_nothing_that_needs_one():
    world = World(rules=LARGE.replace("EFFECT", "block"), mode="observe")
    conversation = await talking(world)
    world.journal.fail("the disk is full")
    assert await conversation.decide(sent(b"abcd")) is not None


async def test_what_a_mock_answers_is_not_decided_again():
    world = World(rules="- {id: try, match: {host: elsewhere.test}, effect: sandbox}", more="mocks: {default: {answers: canned}}")
    assert await talking(world) is None
