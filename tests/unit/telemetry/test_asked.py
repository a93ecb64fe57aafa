"""outgate.telemetry.asked"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from gated import DELETE, GITHUB, World
from signed import Signer, people

from outgate.telemetry.asked import DOING, Asked
from outgate.telemetry.metrics import Metrics
from outgate.telemetry.tally import Observers

ALICE, MALLORY = Signer("alice"), Signer("mallory")
ASK = "- {id: ask, match: {access: delete}, effect: escalate, to: ops}"
APPROVERS = "approvers: {ops: {need: 1, of: [alice], within: 1h}}"


@dataclass
class Office:
    """A gate, its desk, and who watches what people do there."""

    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self):
        self.world = World(ASK, more=APPROVERS, people=people(ALICE))
        self.asked = self.watching()
        self.world.gate._observer = Observers((self.metrics, self.asked))

    def watching(self):
        return Asked(
            shelf=self.world.desk,
            metrics=self.metrics,
            people=lambda: self.world.people,
            now=self.world.clock.now,
            alarm=self.world.alarm,
        )

    async def ask(self, line=DELETE):
        await self.world.ask(line)
        return (await self.world.desk.recent(1))[0]

    def value(self, series, **labels):
        return self.metrics.registry.get_sample_value(series, labels)

    def events(self):
        events = ("asked", "granted", "denied", "expired", "used")
        return {e: n for e in events if (n := self.value("outgate_approvals_total", event=e))}


async def test_what_waits_is_counted_and_so_is_how_long():
    office = Office()
    assert office.value("outgate_approval_oldest_seconds") == 0
    await office.ask()
    await office.asked.look()
    office.world.clock.passed += 90
    assert office.value("outgate_approvals_pending") == 1
    assert office.value("outgate_approval_oldest_seconds") == pytest.approx(90, abs=1)


async def test_a_grant_is_counted_once_with_how_long_people_took():
    office = Office()
    approval = await office.ask()
    await office.world.desk.vote(approval.id, ALICE.vote(approval, approval.asked + timedelta(seconds=30)))
    office.world.clock.passed += 60
    await office.asked.look()
    await office.asked.look()
    assert office.events() == {"asked": 1, "granted": 1}
    assert office.value("outgate_approval_seconds_sum") == 30
    assert office.value("outgate_approvals_pending") == 0, "it waits for its request now, not for people"


async def test_a_grant_that_was_used_before_anybody_looked_was_granted_and_used():
    office = Office()
    approval = await office.ask()
    await office.world.desk.vote(approval.id, ALICE.vote(approval, approval.asked))
    await office.world.ask(DELETE)
    await office.asked.look()
    await office.asked.look()
    assert office.events() == {"asked": 1, "granted": 1, "used": 1}


async def test_a_denial_and_the_end_of_the_time_are_each_their_own():
    office = Office()
    denied = await office.ask()
    await office.world.desk.vote(denied.id, ALICE.vote(denied, denied.asked, deny=True))
    await office.asked.look()
    assert office.events() == {"asked": 1, "denied": 1}
    office.world.clock.passed += 7200
    await office.ask()
    office.world.clock.passed += 7200
    await office.asked.look()
    await office.asked.look()
    assert office.events() == {"asked": 2, "denied": 1, "expired": 1}


async def test_a_signature_that_counts_for_nothing_is_counted_once():
    office = Office()
    approval = await office.ask()
    await office.world.desk.vote(approval.id, MALLORY.vote(approval, approval.asked))
    await office.asked.look()
    await office.asked.look()
    assert office.value("outgate_votes_refused_total", why="not-on-the-panel") == 1
    assert office.value("outgate_approvals_pending") == 1


async def test_what_another_gate_asked_waits_here_too_and_is_counted_there():
    office = Office()
    other = office.watching()
    approval = await office.ask()
    await office.world.desk.vote(approval.id, ALICE.vote(approval, approval.asked))
    await other.look()
    assert office.events() == {"asked": 1}


async def test_what_needs_nobody_is_nothing_to_follow():
    office = Office()
    await office.world.ask(GITHUB)
    await office.asked.look()
    assert office.events() == {}


async def test_a_desk_that_is_lost_is_complained_of_once_and_looked_at_again():
    office = Office()
    await office.ask()
    office.world.desk.fail("the disk is full")
    watch = asyncio.create_task(office.asked.watch(every=0))
    for _ in range(50):
        await asyncio.sleep(0)
    assert office.world.alarm.told == [f"UnavailableError while {DOING}"]
    office.world.desk._failed = None
    for _ in range(50):
        await asyncio.sleep(0)
    watch.cancel()
    assert office.value("outgate_approvals_pending") == 1
