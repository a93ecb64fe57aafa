"""What real SDKs and git make of each answer: the exception says why, and exactly one request was made."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import yaml
from clients.git_host import git
from clients.under_gate import AGENTS, PYTHON, Ran
from signed import Signer

from outgate.stores.desk_sqlite import SqliteDesk

ANN = Signer("ann")
SERVICES = "[openai, anthropic, stripe, aws]"
SDKS = ("openai", "anthropic", "stripe", "boto3")
HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com", "stripe": "api.stripe.com", "boto3": "ec2.eu-west-1"}
"""By what their decisions' hosts begin with."""
TELL = "Machines and money are moved by people."


def decided(gate, sdk):
    return [one for one in gate.decisions() if one.fields["request"]["host"].startswith(HOSTS[sdk])]


def ask(gate, policy, *argv, more=""):
    return gate.run(PYTHON, AGENTS / "sdks.py", ",".join(SDKS), *argv, options=("--policy", policy, *more.split()))


def came(ran: Ran):
    assert ran.code == 0, ran.stderr
    return {line["sdk"]: line for line in ran.lines[-len(SDKS) :]}


@pytest.mark.parametrize(("effect", "status"), [("block", "block"), ("escalate", "escalate")], ids=["blocked", "escalated"])
def test_a_refusal_is_an_exception_that_says_why_and_is_not_tried_again(gate, effect, status):
    policy = gate.policy(f"{{id: no, match: {{service: {SERVICES}}}, effect: {effect}, tell: {TELL}}}")
    settings(gate, hold="0s")
    for sdk, line in came(ask(gate, policy)).items():
        assert line["error"], sdk
        assert TELL in line["text"], (sdk, line)
        assert [one.answer for one in decided(gate, sdk)] == [status], sdk
        if effect == "escalate":
            assert "outgate.internal/approvals/" in line["text"], (sdk, line)


def test_over_a_limit_an_sdk_says_so_in_the_end_and_waits_as_long_as_it_was_told(gate):
    policy = gate.policy(
        f"{{id: slow, match: {{service: {SERVICES}}}, limit: 1/day, count: attempted, effect: throttle, per: action.service, tell: {TELL}}}"
    )
    settings(gate, hold="0s")
    first = came(ask(gate, policy))
    assert {line["error"] for sdk, line in first.items() if sdk in {"openai", "anthropic"}} == {""}
    second = came(ask(gate, policy))
    for sdk, line in second.items():
        assert TELL in line["text"], (sdk, line)


def test_in_a_sandbox_the_sdks_work_and_the_real_services_see_nothing(gate):
    policy = gate.policy(f"{{id: play, match: {{service: {SERVICES}}}, effect: sandbox}}")
    policy.write_text(policy.read_text() + "mocks: {default: {answers: canned}}\n")
    lines = came(ask(gate, policy))
    assert {sdk: line["error"] for sdk, line in lines.items() if sdk != "boto3"} == dict.fromkeys(SDKS[:3], ""), lines
    for sdk in SDKS:
        assert {one.result for one in decided(gate, sdk)} == {"mocked"}, sdk
    assert not gate.services.seen


def test_what_people_approve_goes_through_when_it_is_tried_again(gate, work):
    rule = "{id: ask, match: {service: [openai, anthropic, stripe]}, effect: escalate, to: ops}"
    policy = gate.policy(rule)
    policy.write_text(policy.read_text() + "approvers: {ops: {need: 1, of: [ann]}}\n")
    settings(gate, hold="0s", people={"ann": {"keys": [ANN.public]}})
    sdks, signal = SDKS[:3], work / "approved"
    with approving(gate, len(sdks), signal):
        ran = gate.run(PYTHON, AGENTS / "sdks.py", ",".join(sdks), signal, options=("--policy", policy))
    assert ran.code == 0, ran.stderr
    refused, let_through = ran.lines[: len(sdks)], ran.lines[len(sdks) :]
    assert all(line["error"] for line in refused), refused
    assert [line["error"] for line in let_through] == [""] * len(sdks), let_through
    for sdk in sdks:
        assert [one.answer for one in decided(gate, sdk)] == ["escalate", "allow"], sdk


@contextmanager
def approving(gate, count, signal):
    stop = threading.Event()
    thread = threading.Thread(target=approve_all, args=(gate, count, signal, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def approve_all(gate, count, signal, stop):
    """Sign everything that waits; tell the agent when all of it is signed."""

    async def signed():
        desk = SqliteDesk.open(gate.state / "desk.sqlite")
        try:
            while not stop.is_set():
                waiting = await desk.still_open(datetime.now(UTC))
                for one in waiting:
                    if not one.votes:
                        await desk.vote(one.id, ANN.vote(one, datetime.now(UTC)))
                if len(waiting) == count:
                    return
                await asyncio.sleep(0.05)
        finally:
            await desk.close()

    until = time.monotonic() + 30
    while not (gate.state / "desk.sqlite").exists() and time.monotonic() < until and not stop.is_set():
        time.sleep(0.05)
    asyncio.run(signed())
    signal.write_text("go")


def settings(gate, **more):
    """What the operator says besides: `hold`, and people in a file of their own."""
    people = more.pop("people", None)
    gate.settings.update(more)
    if people is not None:
        path = gate.folder / "people.yaml"
        path.write_text(yaml.safe_dump({"outgate": "people/v1alpha", "people": people}))
        gate.settings["people"] = str(path)


PUSH = """
git clone -q https://github.com/acme/asked.git || exit 3
cd asked
git config user.name 'A. Gent'; git config user.email agent@acme.example
echo new > NEW; git add NEW; git commit -q -m more
git push -q origin HEAD:refs/heads/more && exit 4
until [ -e ../approved ]; do sleep 0.1; done
git push -q origin HEAD:refs/heads/more
"""


def test_a_push_that_people_approve_is_accepted_when_it_is_made_again(gate, git_host, work):
    bare = git_host.create("acme/asked.git")
    rule = """{id: ask, match: {host: github.com, method: POST}, when: 'request.path.endsWith("/git-receive-pack")',
    effect: escalate, to: ops, tell: "Pushes are approved by people."}"""
    policy = gate.policy(rule)
    policy.write_text(policy.read_text() + "approvers: {ops: {need: 1, of: [ann]}}\n")
    settings(gate, hold="0s", people={"ann": {"keys": [ANN.public]}})
    with approving(gate, 1, work / "approved"):
        ran = gate.run("sh", "-c", PUSH, options=("--policy", policy))
    assert ran.code == 0, ran.stderr
    assert "Pushes are approved by people." in ran.own
    assert "outgate.internal/approvals/" in ran.own
    assert git("log", "--format=%s", "more", at=bare).split() == ["more", "begin"]
    pushes = [one for one in gate.decisions() if one.line.endswith("/git-receive-pack")]
    assert [one.answer for one in pushes] == ["escalate", "allow"]
