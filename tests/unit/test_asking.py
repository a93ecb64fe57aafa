"""What people must approve: asked once, lifted by their signatures, for exactly one request, once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from gated import CODER, World
from signed import Signer, people

from outgate.digest import canonical_ascii_keys
from outgate.errors import UnavailableError
from outgate.gate import Admitted, Refused, Told
from outgate.intake.agents import Agent
from outgate.intake.request import UnreadBody, WholeBody
from outgate.policy.decision import Reason
from outgate.policy.effect import Effect
from outgate.ports import Stamp
from outgate.receipts.receipt import Outcome, Result
from outgate.stores.memory import MemoryDesk, MemoryJournal

ANN, BEN = Signer("ann"), Signer("ben")
POSTS = "- {id: posts, match: {method: POST}, effect: escalate, to: ops}"
OPS = "approvers: {ops: {need: 2, of: [ann, ben], within: 2h}}"
THING = "POST https://elsewhere.test/things"


def world(**said):
    return World(**{"rules": POSTS, "more": OPS, "people": people(ANN, BEN), **said})


async def asked(world, content=b"one", **said):
    return await world.ask(THING, WholeBody(content), **said)


async def the_approval(world):
    (found,) = await world.desk.still_open(world.clock.now())
    return found


async def approve(world, *signers, **said):
    found = await the_approval(world)
    for signer in signers:
        await world.desk.vote(found.id, signer.vote(found, world.clock.now(), **said))
    return found


def types(world):
    return [receipt["type"] for receipt in world.receipts]


async def test_what_escalates_is_asked_of_people_and_refused_meanwhile():
    it = world()
    refused = await asked(it)
    assert isinstance(refused, Refused)
    assert (refused.reply.status, refused.decision.answer) == (403, Effect.ESCALATE)
    found = await the_approval(it)
    assert found.id.encode() in refused.reply.body
    assert ("Retry-After", "60") in refused.reply.headers
    assert types(it) == ["approval-asked", "decision"]
    assert it.receipts[1]["approval"] == {"id": found.id, "used": False}
    assert it.looked_up == []


async def test_the_same_request_again_asks_nobody_again():
    it = world()
    for _ in range(3):
        await asked(it)
    await the_approval(it)
    assert types(it).count("approval-asked") == 1


async def test_another_body_is_another_question():
    it = world()
    await asked(it)
    await asked(it, b"two")
    assert len(await it.desk.still_open(it.clock.now())) == 2


async def test_enough_signatures_let_the_identical_request_out_once():
    it = world()
    await asked(it)
    found = await approve(it, ANN, BEN)
    admitted = await asked(it)
    assert isinstance(admitted, Admitted)
    assert admitted.approval == found.id
    assert it.receipts[-1]["approval"] == {"id": found.id, "used": True}
    again = await asked(it)
    assert isinstance(again, Refused), "the grant is spent"
    assert types(it).count("approval-asked") == 2


async def test_one_signature_of_two_lets_nothing_out():
    it = world()
    await asked(it)
    await approve(it, ANN)
    assert isinstance(await asked(it), Refused)


async def test_a_grant_is_for_one_request_and_no_other():
    it = world()
    await asked(it)
    await approve(it, ANN, BEN)
    assert isinstance(await asked(it, b"other"), Refused)
    assert isinstance(await asked(it, agent=Agent(id="other")), Refused)
    assert isinstance(await asked(it), Admitted)


async def test_fifty_identical_requests_race_for_one_grant_and_one_gets_it():
    it = world()
    await asked(it)
    await approve(it, ANN, BEN)
    admissions = await asyncio.gather(*(asked(it) for _ in range(50)))
    assert [type(one) for one in admissions].count(Admitted) == 1


async def test_a_denial_is_said_and_asks_nobody_again():
    it = world()
    await asked(it)
    await approve(it, ANN, deny=True, why="not on a Friday")
    refused = await asked(it)
    assert isinstance(refused, Refused)
    assert b"approval-denied" in refused.reply.body
    assert b"not on a Friday" in refused.reply.body
    assert types(it).count("approval-asked") == 1


async def test_who_can_write_to_the_desk_has_people_sign_nothing_that_they_were_not_told():
    it = world()
    await asked(it)
    found = await the_approval(it)
    told = json.loads(found.statement)
    it.desk._approvals[found.id] = replace(
        found, statement=canonical_ascii_keys({**told, "url": "https://elsewhere.test/harmless"})
    )
    await approve(it, ANN, BEN)
    refused = await asked(it)
    assert isinstance(refused, Refused)
    assert refused.decision.reason is Reason.CANNOT_DECIDE
    assert it.alarm.told == ["EvidenceError while deciding a request"]


async def test_a_grant_that_was_used_stays_used_whatever_the_desk_says():
    it = world()
    await asked(it)
    found = await approve(it, ANN, BEN)
    assert isinstance(await asked(it), Admitted)
    it.desk._approvals[found.id] = replace(await it.desk.get(found.id), used=None)
    refused = await asked(it)
    assert isinstance(refused, Refused)
    assert refused.decision.reason is Reason.CANNOT_DECIDE
    assert it.alarm.told == ["EvidenceError while deciding a request"]


async def test_a_grant_whose_request_never_left_is_given_back():
    it = world()
    await asked(it)
    await approve(it, ANN, BEN)
    admitted = await asked(it)
    it.gate.conclude(admitted, Outcome(result=Result.REFUSED, error="no connection"))
    await it.gate.settled()
    assert isinstance(await asked(it), Admitted)


class Pending(MemoryJournal):
    """A journal whose receipts of one kind become durable when the test says so, or never."""

    def __init__(self, what):
        super().__init__()
        self.what, self.waiting = what, []

    def append(self, body):
        done = super().append(body)
        if body["type"] != self.what or (self.what == "decision" and body["answer"] != "allow"):
            return done
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "lost"])
async def test_what_did_nothing_is_given_back_only_when_that_is_on_record(kept):
    daily = "\n- {id: daily, match: {method: POST}, limit: 1/day, effect: block}"
    it = world(rules=POSTS + daily, journal=Pending("outcome"))
    await asked(it)
    await approve(it, ANN, BEN)
    it.gate.conclude(await asked(it), Outcome(result=Result.REFUSED, error="no connection"))
    assert (await asked(it, b"two")).decision.answer is Effect.BLOCK, "its limit is still taken"
    (outcome,) = it.journal.waiting
    if kept:
        outcome.set_result(Stamp(writer="memory", seq=0))
    else:
        outcome.set_exception(UnavailableError("the disk is full"))
    await it.gate.settled()
    again = await asked(it)
    assert again.decision.answer is (Effect.ALLOW if kept else Effect.BLOCK)
    assert it.alarm.told == ([] if kept else ["UnavailableError while recording an outcome"])


async def test_what_may_be_on_the_disk_as_let_out_uses_up_its_grant():
    it = world(journal=Pending("decision"))
    await asked(it)
    await approve(it, ANN, BEN)
    asking = asyncio.create_task(asked(it))
    while not it.journal.waiting:
        await asyncio.sleep(0)
    it.journal.waiting[0].set_exception(UnavailableError("the disk is full"))
    refused = await asking
    assert refused.decision.reason is Reason.CANNOT_DECIDE
    await it.gate.settled()
    assert (await asked(it)).decision.answer is Effect.ESCALATE


async def test_a_grant_whose_request_may_have_arrived_is_spent():
    it = world()
    await asked(it)
    await approve(it, ANN, BEN)
    it.gate.conclude(await asked(it), Outcome(result=Result.UNKNOWN))
    await it.gate.settled()
    assert isinstance(await asked(it), Refused)


async def test_what_is_held_goes_out_when_people_have_signed():
    it = world(hold=timedelta(seconds=30))
    waiting = asyncio.create_task(asked(it))
    while not await it.desk.still_open(it.clock.now()):
        await asyncio.sleep(0)
    await approve(it, ANN, BEN)
    assert isinstance(await waiting, Admitted)
    assert types(it) == ["approval-asked", "decision"]


async def test_what_is_held_is_decided_again_when_the_policy_changes():
    it = world(hold=timedelta(seconds=30))
    waiting = asyncio.create_task(asked(it))
    while not await it.desk.still_open(it.clock.now()):
        await asyncio.sleep(0)
    it.gate.adopt(it.ground(it.loaded("- {id: posts, match: {method: POST}, effect: block}")))
    refused = await waiting
    assert isinstance(refused, Refused)
    assert refused.decision.answer is Effect.BLOCK


class Swaps(MemoryDesk):
    """Has the policy read again just as a grant is used; and takes a while to give one back, as a disk does."""

    def then(self, adopt):
        self._adopt = adopt

    async def use(self, approval, now):
        used = await super().use(approval, now)
        adopt, self._adopt = self._adopt, lambda: None
        adopt()
        return used

    async def restore(self, approval):
        for _ in range(20):
            await asyncio.sleep(0)
        await super().restore(approval)


async def test_a_grant_that_is_used_just_as_the_policy_is_read_again_is_used_once_and_by_who_had_it():
    it = world(desk=Swaps())
    it.desk.then(lambda: None)
    await asked(it)
    await approve(it, ANN, BEN)
    it.desk.then(lambda: it.gate.adopt(it.ground(it.loaded(POSTS))))
    assert isinstance(await asked(it), Admitted)
    assert isinstance(await asked(it), Refused)
    assert types(it).count("approval-asked") == 2  # and the second for the second


async def test_room_that_was_taken_just_as_the_policy_is_read_again_is_not_in_its_own_way():
    it = World(rules="- {id: few, match: {method: POST}, limit: 1/day, effect: block}")
    took = it.ledger.reserve

    async def reserve(charges, now):
        found = await took(charges, now)
        it.ledger.reserve = took
        it.gate.adopt(it.ground(it.loaded("- {id: few, match: {method: POST}, limit: 1/day, effect: block}")))
        return found

    gave = it.ledger.settle

    async def settle(reserved, used):
        for _ in range(20):
            await asyncio.sleep(0)
        await gave(reserved, used)

    it.ledger.reserve, it.ledger.settle = reserve, settle
    assert isinstance(await asked(it), Admitted)
    assert isinstance(await asked(it), Refused)


async def test_a_grant_that_a_policy_asks_more_for_does_not_hold():
    it = world(more="approvers: {ops: {need: 1, of: [ann, ben]}}")
    await asked(it)
    await approve(it, ANN)
    it.more = OPS
    it.gate.adopt(it.ground(it.loaded(POSTS)))
    assert isinstance(await asked(it), Refused)


async def test_a_grant_lifts_no_block():
    it = world()
    await asked(it)
    await approve(it, ANN, BEN)
    it.gate.adopt(it.ground(it.loaded(POSTS + "\n- {id: no, match: {host: elsewhere.test}, effect: block}")))
    refused = await asked(it)
    assert isinstance(refused, Refused)
    assert refused.decision.answer is Effect.BLOCK


async def test_who_left_the_people_signs_no_more():
    it = world()
    await asked(it)
    await approve(it, ANN, BEN)
    it.people = people(ANN)
    it.gate.adopt(it.ground(it.policy))
    assert isinstance(await asked(it), Refused)


async def test_while_the_clock_is_not_sure_no_grant_is_used():
    it = world()
    await asked(it)
    await approve(it, ANN, BEN)
    it.clock.sure = False
    assert isinstance(await asked(it), Refused)
    it.clock.sure = True
    assert isinstance(await asked(it), Admitted)


async def test_a_body_too_large_for_people_is_refused_and_asks_nobody():
    it = world()
    refused = await it.ask(THING, UnreadBody(length=1 << 40, too_large=True))
    assert isinstance(refused, Refused)
    assert await it.desk.still_open(it.clock.now()) == []


async def test_observing_asks_nobody():
    it = world(mode="observe")
    assert isinstance(await asked(it), Admitted)
    assert await it.desk.still_open(it.clock.now()) == []


async def test_an_agent_reads_how_its_own_approval_stands_and_nobody_elses():
    it = world()
    await asked(it)
    found = await the_approval(it)
    page = f"GET http://outgate.internal/approvals/{found.id}"
    told = await it.ask(page)
    assert isinstance(told, Told)
    assert told.reply.status == 200
    assert json.loads(told.reply.body)["state"] == "pending"
    other = await it.ask(page, agent=Agent(id="other"))
    assert isinstance(other, Told)
    assert other.reply.status == 404
    assert types(it) == ["approval-asked", "decision"], "asking how it stands is no decision"


async def test_a_desk_that_is_lost_refuses():
    it = world()
    it.desk.fail("gone")
    refused = await asked(it)
    assert isinstance(refused, Refused)
    assert refused.reply.status == 503


async def test_a_limit_over_which_people_decide_is_lifted_by_them_and_counted():
    it = world(rules="- {id: monthly, match: {method: POST}, limit: 1/month, effect: escalate, to: ops}")
    assert isinstance(await asked(it, b"first"), Admitted)
    assert isinstance(await asked(it), Refused)
    await approve(it, ANN, BEN)
    assert isinstance(await asked(it), Admitted)
    assert isinstance(await asked(it, b"third"), Refused)


async def test_what_escalates_charges_its_limits_only_when_the_grant_is_used():
    it = world(rules=POSTS + "\n- {id: daily, match: {method: POST}, limit: 1/day, effect: block}")
    for _ in range(3):
        refused = await asked(it)
        assert refused.decision.answer is Effect.ESCALATE
        await it.gate.settled()
    await approve(it, ANN, BEN)
    assert isinstance(await asked(it), Admitted)
    await it.gate.settled()
    assert (await asked(it, b"two")).decision.answer is Effect.BLOCK


async def test_the_agent_is_who_asks():
    it = world()
    await asked(it, agent=CODER)
    assert (await the_approval(it)).agent == "coder"


async def test_what_was_never_let_out_is_no_attempt():
    rules = POSTS + "\n- {id: daily, match: {method: POST}, limit: 1/day, count: attempted, effect: block}"
    it = world(rules=rules)
    for _ in range(3):
        assert (await asked(it)).decision.answer is Effect.ESCALATE
        await it.gate.settled()
    await approve(it, ANN, BEN)
    assert isinstance(await asked(it), Admitted)
