"""Who waits: not too many, not too long, and never without somebody hearing of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gated import World
from signed import Signer, people

from outgate.gate import Refused
from outgate.intake.agents import Agent
from outgate.intake.request import WholeBody
from outgate.ports import Bystander

POSTS = "- {id: posts, match: {method: POST}, effect: escalate}"


class Heard(Bystander):
    def __init__(self):
        self.waits = []

    def waited(self, agent, why, seconds):
        self.waits.append((agent, why))


def world():
    return World(rules=POSTS, people=people(Signer("ann")), hold=timedelta(seconds=30), tally=Heard())


async def held(it, count, agent):
    tasks = [asyncio.create_task(it.ask(f"POST https://elsewhere.test/{n}", WholeBody(b"x"), agent=agent)) for n in range(count)]
    while len(await it.desk.still_open(it.clock.now())) < count:
        await asyncio.sleep(0)
    return tasks


async def test_no_more_than_fifty_of_one_agent_are_held():
    it = world()
    tasks = await held(it, 50, Agent(id="one"))
    refused = await it.ask("POST https://elsewhere.test/more", WholeBody(b"x"), agent=Agent(id="one"))
    assert isinstance(refused, Refused)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert it.tally.waits == [("one", "held")] * 50


async def test_who_is_cancelled_while_held_leaves_a_decision_on_record_and_nothing_else():
    it = world()
    (task,) = await held(it, 1, Agent(id="one"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [receipt["type"] for receipt in it.receipts] == ["approval-asked", "decision"]
    assert asyncio.all_tasks() == {asyncio.current_task()}
