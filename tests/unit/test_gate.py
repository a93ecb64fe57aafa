"""The path of one request, with real parts: what is admitted, what is refused and how, and what the record says of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from gated import CODER, DELETE, GITHUB, NEWCOMERS, NO_DELETES, NO_SECRETS, PUBLIC, Alarm, BoomError, World, boom, raw
from policies import NOON

from outgate.gate import Admitted, Refused
from outgate.halt import Halt, Halts, Scope
from outgate.intake.agents import Agent
from outgate.intake.message import Message
from outgate.intake.request import NoBody, UnreadBody, WholeBody
from outgate.net.resolver import SystemResolver
from outgate.policy.decision import Reason
from outgate.policy.effect import Effect
from outgate.receipts.receipt import Outcome, Result
from outgate.stores.memory import MemoryJournal
from outgate.telemetry.tally import Tally

# admitted


async def test_what_is_allowed_is_admitted_with_a_pin_and_a_receipt():
    world = World()
    admitted = await world.ask(GITHUB)
    assert isinstance(admitted, Admitted)
    assert (admitted.pin.name, admitted.pin.port, admitted.pin.address) == ("api.github.com", 443, PUBLIC)
    (receipt,) = world.receipts
    assert (receipt["answer"], receipt["pin"]["address"]) == ("allow", PUBLIC)
    assert receipt["actions"][0]["name"] == "github.repos/get"
    assert admitted.stamp.seq == 0
    assert (world.tally.requests, world.tally.let_out) == (1, 1)
    assert world.alarm.told == []


async def test_what_is_admitted_is_the_request_that_was_decided_its_body_included():
    admitted = await World(rules=NO_SECRETS).ask("POST https://elsewhere.test/a?b=c", WholeBody(b"hello"), x_one="1")
    assert isinstance(admitted, Admitted)
    assert (admitted.request.method, admitted.request.target, admitted.request.body) == ("POST", "/a?b=c", WholeBody(b"hello"))
    assert ("x-one", "1") in admitted.request.headers


async def test_an_outcome_is_recorded_and_closes_the_decision():
    world = World()
    admitted = await world.ask(GITHUB)
    assert world.verified().open == {0}
    world.gate.conclude(admitted, Outcome(result=Result.EXECUTED, status=200))
    assert world.verified().open == frozenset()
    assert world.receipts[1]["result"] == "executed"
    assert world.tally.outcomes == 1


async def test_observing_lets_out_what_enforcing_would_stop_and_says_so():
    world = World(rules=NO_DELETES, mode="observe")
    admitted = await world.ask(DELETE)
    assert isinstance(admitted, Admitted)
    (receipt,) = world.receipts
    assert (receipt["answer"], receipt["would"]) == ("allow", "block")
    assert world.tally.would_stop_requests == 1


# refused by policy


async def test_what_is_blocked_gets_the_rules_sentence_and_no_name_is_looked_up():
    world = World(rules=NO_DELETES)
    refused = await world.ask(DELETE)
    assert isinstance(refused, Refused)
    assert refused.reply.status == 403
    assert b"Repositories are deleted by people." in refused.reply.body
    assert world.looked_up == []
    (receipt,) = world.receipts
    assert (receipt["answer"], receipt["pin"]) == ("block", None)
    assert ("Outgate-Receipt", "memory-0") in refused.reply.headers


@pytest.mark.parametrize(
    ("effect", "status", "kind"),
    [("escalate", 403, b"approval-required"), ("block", 403, b"blocked")],
)
async def test_what_refuses_names_its_kind(effect, status, kind):
    otherwise = f"otherwise: {{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {{read: {effect}, other: block}}}}"
    world = World(otherwise=otherwise)
    refused = await world.ask("GET https://elsewhere.test/")
    assert isinstance(refused, Refused)
    assert (refused.reply.status, refused.decision.answer) == (status, Effect[effect.upper()])
    assert kind in refused.reply.body
    assert world.looked_up == []


async def test_a_refusal_is_said_in_the_words_of_the_body():
    world = World(rules="- {id: no-calls, match: {method: POST}, effect: block, tell: Tools rest today.}")
    call = WholeBody(b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "x"}}')
    refused = await world.ask("POST https://elsewhere.test/mcp", call, content_type="application/json")
    assert isinstance(refused, Refused)
    assert refused.reply.status == 200
    assert b'"id":7' in refused.reply.body
    assert b"Tools rest today." in refused.reply.body


async def test_a_refused_request_is_one_receipt_and_owes_no_outcome():
    world = World(rules=NO_DELETES)
    await world.ask(DELETE)
    assert (world.verified().decisions, world.verified().open) == (1, frozenset())


# bodies


async def test_a_body_is_wanted_where_a_rule_reads_data_or_the_service_says_it_there():
    assert World(rules=NO_SECRETS).open("POST https://elsewhere.test/").wants_body
    assert not World().open("POST https://elsewhere.test/").wants_body


async def test_a_secret_in_a_body_is_seen():
    world = World(rules=NO_SECRETS)
    token = b"ghp_" + b"a" * 36
    refused = await world.ask("POST https://elsewhere.test/", WholeBody(b'{"x": "' + token + b'"}'))
    assert isinstance(refused, Refused)
    assert b"Secrets stay here." in refused.reply.body
    assert world.receipts[0]["actions"][0]["data"] == ["secret"]
    assert token not in b"".join(world.journal.lines)


async def test_a_body_too_large_to_be_read_is_413_where_a_rule_needed_it():
    refused = await World(rules=NO_SECRETS).ask("POST https://elsewhere.test/", UnreadBody(length=1 << 40, too_large=True))
    assert isinstance(refused, Refused)
    assert refused.reply.status == 413


async def test_a_body_that_nobody_read_restricts_as_an_error_does():
    refused = await World(rules=NO_SECRETS).ask("POST https://elsewhere.test/", UnreadBody(length=5))
    assert isinstance(refused, Refused)
    assert refused.reply.status == 403


async def test_a_body_too_large_where_the_method_already_decides_is_403():
    rule = "- {id: no-writes, match: {method: POST}, effect: block}"
    refused = await World(rules=rule).ask("POST https://elsewhere.test/", UnreadBody(too_large=True))
    assert isinstance(refused, Refused)
    assert refused.reply.status == 403


async def test_a_body_that_no_rule_asks_for_goes_out_unread():
    admitted = await World().ask("POST https://elsewhere.test/", UnreadBody(length=1 << 40))
    assert isinstance(admitted, Admitted)


# unreadable


async def test_what_can_be_read_two_ways_is_refused_recorded_and_looked_up_nowhere():
    world = World(mode="observe")
    opening = world.gate.open(raw("GET https://api.github.com/", {"host": "other.test"}), CODER)
    refused = await world.gate.admit(opening, NoBody())
    assert isinstance(refused, Refused)
    assert 400 <= refused.reply.status < 500
    assert refused.decision.reason is Reason.UNREADABLE
    assert "unreadable" in world.receipts[0]["request"]
    assert world.looked_up == []


# addresses


@pytest.mark.parametrize("mode", ["observe", "enforce"])
async def test_an_address_that_nobody_may_be_sent_to_is_refused_in_every_mode(mode):
    world = World(mode=mode)
    refused = await world.ask("GET https://rebound.test/")
    assert isinstance(refused, Refused)
    assert (refused.reply.status, refused.decision.reason) == (403, Reason.DESTINATION)
    assert world.receipts[0]["pin"] is None
    assert world.receipts[0]["actions"], "what was asked is in the record, though the address decided"


async def test_a_private_address_is_refused_when_enforced_and_noted_when_observed():
    refused = await World().ask("GET https://inside.test/")
    assert isinstance(refused, Refused)
    assert refused.decision.reason is Reason.DESTINATION
    world = World(mode="observe")
    admitted = await world.ask("GET https://inside.test/")
    assert isinstance(admitted, Admitted)
    assert admitted.pin.address == "10.0.0.5"
    assert (world.receipts[0]["answer"], world.receipts[0]["would"]) == ("allow", "block")


async def test_an_observed_agent_is_not_kept_from_a_private_address_that_its_policy_would_refuse():
    world = World()
    assert isinstance(await world.ask("GET https://inside.test/", agent=Agent(id="coder", observe=True)), Admitted)
    assert world.receipts[0]["would"] == "block"


async def test_a_name_without_an_address_is_502_and_nothing_of_ours_broke():
    world = World()
    refused = await world.ask("GET https://nowhere.test/")
    assert isinstance(refused, Refused)
    assert (refused.reply.status, refused.decision.reason) == (502, Reason.UPSTREAM)
    assert world.alarm.told == []


# time


async def test_an_agent_is_remembered_from_its_first_request():
    world = World(rules=NEWCOMERS)
    assert isinstance(await world.ask(DELETE), Refused)
    assert await world.ledger.first_seen("coder", NOON + timedelta(days=30)) == NOON


async def test_what_the_operator_says_of_an_agents_age_is_not_asked_of_the_ledger():
    world = World(rules=NEWCOMERS)
    world.ledger.fail("the ledger is gone")
    old = Agent(id="coder", since=NOON - timedelta(days=30))
    assert isinstance(await world.ask(DELETE, agent=old), Admitted)


# failing ports


async def refused_for_good(world, line=GITHUB):
    """Nothing is admitted, the client reads 503, and somebody was told."""
    refused = await world.ask(line)
    assert isinstance(refused, Refused)
    assert refused.reply.status == 503
    assert b"on purpose" not in refused.reply.body, "what broke inside is not the agent's business"
    assert refused.decision.reason is Reason.CANNOT_DECIDE
    assert world.alarm.told
    return refused


@pytest.mark.parametrize(
    ("port", "method"),
    [("resolver", "pin"), ("ledger", "first_seen"), ("clock", "now"), ("clock", "monotonic"), ("tally", "decided")],
)
async def test_a_port_that_raises_refuses(monkeypatch, port, method):
    world = World(rules=NEWCOMERS)
    monkeypatch.setattr(type(getattr(world, port)), method, boom)
    await refused_for_good(world)


@pytest.mark.parametrize("part", ["inspect.examine.identify", "inspect.examine.classes_of", "judging.decide", "gate._barred"])
async def test_a_defect_in_the_core_refuses(monkeypatch, part):
    monkeypatch.setattr(f"outgate.{part}", boom)
    world = World(rules=NO_SECRETS)
    await refused_for_good(world)
    assert [(one["answer"], one["reason"]) for one in world.receipts] == [("block", "cannot-decide")]


async def test_what_could_not_be_decided_is_in_the_record_where_there_still_is_one(monkeypatch):
    world = World()
    monkeypatch.setattr(world.resolver, "pin", boom, raising=False)
    refused = await refused_for_good(world)
    (receipt,) = world.receipts
    assert (receipt["reason"], receipt["why"]) == ("cannot-decide", "BoomError: on purpose")
    assert str(refused.stamp) == "memory-0"


async def test_a_closed_log_refuses_everything_that_follows():
    world = World()
    assert isinstance(await world.ask(GITHUB), Admitted)
    await world.journal.close()
    for line in (GITHUB, DELETE, "GET https://nowhere.test/"):
        refused = await refused_for_good(world, line)
        assert refused.stamp is None
        assert not [value for name, value in refused.reply.headers if name == "Outgate-Receipt"]
    assert len(world.receipts) == 1


async def test_a_log_that_fails_while_it_writes_refuses(monkeypatch):
    world = World()

    def later(_body):
        failed = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(failed.set_exception, BoomError())
        return failed

    monkeypatch.setattr(world.journal, "append", later)
    await refused_for_good(world)


async def test_an_outcome_that_can_not_be_kept_is_told_and_breaks_nothing():
    world = World()
    admitted = await world.ask(GITHUB)
    world.journal.fail("the disk is full")
    world.gate.conclude(admitted, Outcome(result=Result.EXECUTED))
    assert world.alarm.told == ["UnavailableError while recording an outcome"]


async def test_an_outcome_that_fails_while_it_is_written_is_told(monkeypatch):
    world = World()
    admitted = await world.ask(GITHUB)
    failed = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(world.journal, "append", lambda _body: failed)
    world.gate.conclude(admitted, Outcome(result=Result.EXECUTED))
    failed.set_exception(BoomError())
    await asyncio.sleep(0)
    assert world.alarm.told == ["BoomError while recording an outcome"]


# failing observers


async def test_an_observer_that_raises_admits_nobody_and_the_decision_gets_its_outcome(monkeypatch):
    monkeypatch.setattr(Tally, "decided", boom)
    world = World()
    refused = await refused_for_good(world)
    assert [one["type"] for one in world.receipts] == ["decision", "outcome"]
    assert world.receipts[1]["result"] == "refused"
    assert world.verified().open == frozenset()
    assert str(refused.stamp) == "memory-0", "the agent's refusal names the decision that is on record"


async def test_an_observer_that_raises_on_a_refusal_leaves_it_as_it_is(monkeypatch):
    monkeypatch.setattr(Tally, "decided", boom)
    world = World(rules=NO_DELETES)
    refused = await world.ask(DELETE)
    assert isinstance(refused, Refused)
    assert refused.reply.status == 403
    assert len(world.receipts) == 1
    assert world.alarm.told == ["BoomError while observing a decision"]


async def test_an_observer_that_raises_loses_no_outcome_and_no_event(monkeypatch):
    monkeypatch.setattr(Tally, "concluded", boom)
    monkeypatch.setattr(Tally, "noted", boom)
    world = World()
    world.gate.conclude(await world.ask(GITHUB), Outcome(result=Result.EXECUTED))
    await world.gate.note("stop", CODER, {})
    assert [one["type"] for one in world.receipts] == ["decision", "outcome", "stop"]
    assert world.alarm.told == ["BoomError while observing an outcome", "BoomError while observing an event"]


async def test_an_alarm_that_raises_admits_nobody(monkeypatch):
    monkeypatch.setattr(Alarm, "raise_for", boom)
    monkeypatch.setattr(Tally, "decided", boom)
    world = World()
    with pytest.raises(BoomError):
        await world.ask(GITHUB)
    assert world.verified().open == frozenset()


# who asked is gone


class Slow(MemoryJournal):
    """A journal whose receipts become durable when the test says so."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def append(self, body):
        done = super().append(body)
        if body["type"] != "decision":
            return done
        durable = asyncio.get_running_loop().create_future()
        self.waiting.append((durable, done.result()))
        return durable

    def commit(self):
        for durable, stamp in self.waiting:
            if not durable.done():
                durable.set_result(stamp)


async def given_up(world, line=GITHUB):
    """Ask, and give up once the receipt is on its way to the disk."""
    asking = asyncio.create_task(world.ask(line))
    while not world.journal.waiting:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_given_up_while_its_receipt_is_written_a_decision_still_gets_its_outcome():
    world = World(journal=Slow())
    await given_up(world)
    assert world.verified().open == {0}, "not yet: the receipt is not durable"
    world.journal.commit()
    await asyncio.sleep(0)
    assert [one.get("result") for one in world.receipts] == [None, "abandoned"]
    assert world.verified().open == frozenset()
    assert world.alarm.told == []


async def test_given_up_in_the_very_turn_in_which_its_receipt_is_durable_it_gets_its_outcome():
    world = World(journal=Slow())
    asking = asyncio.create_task(world.ask(GITHUB))
    while not world.journal.waiting:
        await asyncio.sleep(0)
    world.journal.commit()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert world.verified().open == frozenset()


async def test_given_up_while_its_receipt_fails_there_is_nothing_to_conclude():
    world = World(journal=Slow())
    await given_up(world)
    world.journal.waiting[0][0].set_exception(BoomError())
    await asyncio.sleep(0)
    assert [one["type"] for one in world.receipts] == ["decision"]


async def test_a_refusal_that_is_given_up_owes_nothing():
    world = World(rules=NO_DELETES, journal=Slow())
    await given_up(world, DELETE)
    world.journal.commit()
    await asyncio.sleep(0)
    assert [one["type"] for one in world.receipts] == ["decision"]


async def test_given_up_while_a_name_is_looked_up_there_is_no_decision(monkeypatch):
    world = World()
    looked_up = asyncio.Event()

    async def never(_host, _port):
        looked_up.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(SystemResolver, "pin", lambda _self, host, port: never(host, port))
    asking = asyncio.create_task(world.ask(GITHUB))
    await looked_up.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert world.receipts == []


# events


async def test_what_matters_and_is_no_decision_is_recorded_and_shown():
    world = World()
    await world.gate.note("tunnel-refused", CODER, {"host": "db.test", "port": 5432})
    assert (world.receipts[0]["type"], world.receipts[0]["about"]["host"]) == ("tunnel-refused", "db.test")
    assert world.tally.tunnels == {"db.test:5432": 1}


async def test_an_event_that_can_not_be_kept_raises_and_is_not_shown():
    world = World()
    world.journal.fail("the disk is full")
    with pytest.raises(Exception, match="the disk is full"):
        await world.gate.note("tunnel-refused", CODER, {"host": "db.test", "port": 5432})
    assert world.tally.tunnels == {}


# answers

ROWS = (
    "- {id: rows, phase: response, match: {host: elsewhere.test}, when: response.rows > 2, effect: block, tell: Ask for fewer.}"
)
JSON = (("content-type", "application/json"),)


async def test_only_what_a_rule_may_withhold_is_reviewed():
    world = World(rules=ROWS)
    assert (await world.ask("GET https://elsewhere.test/")).review
    assert not (await world.ask(GITHUB)).review


@pytest.mark.parametrize("mode", ["observe", "enforce"])
async def test_an_answer_over_what_a_rule_permits_is_withheld_and_says_that_it_happened(mode):
    world = World(rules=ROWS, mode=mode)
    admitted = await world.ask("GET https://elsewhere.test/")
    assert await world.gate.review(admitted, 200, JSON, WholeBody(b"[1, 2]")) is None
    reply = await world.gate.review(admitted, 200, JSON, WholeBody(b"[1, 2, 3]"))
    if mode == "observe":
        assert reply is None
    else:
        assert reply is not None
        assert reply.status == 403
        assert b"Ask for fewer." in reply.body
        assert b"withheld" in reply.body


async def test_an_answer_that_can_not_be_read_is_withheld():
    world = World(rules=ROWS)
    admitted = await world.ask("GET https://elsewhere.test/")
    for body in (WholeBody(b"["), UnreadBody(too_large=True)):
        assert await world.gate.review(admitted, 200, JSON, body) is not None


async def test_a_defect_in_deciding_on_an_answer_withholds_it(monkeypatch):
    world = World(rules=ROWS)
    admitted = await world.ask("GET https://elsewhere.test/")
    monkeypatch.setattr("outgate.gate.decide_answer", boom)
    reply = await world.gate.review(admitted, 200, JSON, WholeBody(b"[]"))
    assert reply is not None
    assert b"on purpose" not in reply.body
    assert world.alarm.told == ["BoomError while deciding on an answer"]


# the switch

HALTED = Halts((Halt(scope=Scope.SERVICE, name="github", why="broken key"),))


async def test_what_is_halted_is_refused_and_the_record_says_why():
    world = World()
    world.switch.halts = HALTED
    refused = await world.ask(GITHUB)
    assert isinstance(refused, Refused)
    assert (refused.reply.status, refused.decision.reason) == (403, Reason.HALTED)
    assert b"broken key" not in refused.reply.body
    (receipt,) = world.receipts
    assert "broken key" in receipt["why"]
    assert receipt["actions"][0]["name"] == "github.repos/get"
    assert world.looked_up == []
    assert isinstance(await world.ask("GET https://elsewhere.test/"), Admitted)


async def test_a_halt_of_a_service_holds_for_every_protocol_that_its_hosts_speak():
    world = World()
    listing = "GET https://gitlab.com/acme/site.git/info/refs?service=git-receive-pack"
    found = await world.ask(listing)
    assert found.decision.reason is Reason.UPSTREAM, "its name is not known here"
    assert {verdict.action.service for verdict in found.decision.verdicts} == {"git"}
    world.switch.halts = Halts((Halt(scope=Scope.SERVICE, name="gitlab"),))
    refused = await world.ask(listing)
    assert isinstance(refused, Refused)
    assert refused.decision.reason is Reason.HALTED


async def test_a_halt_holds_in_observe_mode_too_and_for_what_is_unreadable():
    world = World(mode="observe")
    world.switch.halts = Halts((Halt(scope=Scope.ALL),))
    assert isinstance(await world.ask(GITHUB), Refused)
    opening = world.gate.open(raw("GET https://api.github.com/", {"host": "other.test"}), CODER)
    refused = await world.gate.admit(opening, NoBody())
    assert refused.reply.status == 403


async def test_a_halt_that_comes_while_the_receipt_is_written_lets_nothing_out():
    world = World(journal=Slow())
    asking = asyncio.create_task(world.ask(GITHUB))
    while not world.journal.waiting:
        await asyncio.sleep(0)
    world.switch.halts = HALTED
    world.journal.commit()
    refused = await asking
    assert isinstance(refused, Refused)
    world.journal.commit()
    assert [r["type"] for r in world.receipts] == ["decision", "outcome"]
    assert world.receipts[1]["result"] == "refused"


# another policy


async def test_what_is_adopted_decides_from_then_on():
    world = World()
    assert isinstance(await world.ask(DELETE), Admitted)
    world.gate.adopt(world.ground(world.loaded(NO_DELETES)))
    assert isinstance(await world.ask(DELETE), Refused)
    assert world.receipts[0]["policy"] != world.receipts[1]["policy"]


async def test_a_policy_that_comes_while_the_name_is_looked_up_decides(monkeypatch):
    world = World()
    pin = world.resolver.pin

    async def pin_and_change(host, port):
        found = await pin(host, port)
        if world.gate.ground.policy is world.policy:
            world.gate.adopt(world.ground(world.loaded(NO_DELETES)))
        return found

    monkeypatch.setattr(SystemResolver, "pin", lambda _self, host, port: pin_and_change(host, port))
    assert isinstance(await world.ask(DELETE), Refused)


GRPC = {"content_type": "application/grpc+proto", "te": "trailers"}
CALL = "POST https://elsewhere.test/acme.v1.Talk/Chat"
KEY = b"sk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc"


async def test_a_call_of_grpc_is_decided_by_its_head_and_its_messages_one_by_one():
    world = World(rules=NO_SECRETS)
    opening = world.open(CALL, **GRPC)
    assert (opening.wants_body, opening.by_message) == (False, True)
    admitted = await world.gate.admit(opening, UnreadBody())
    assert isinstance(admitted, Admitted)
    assert admitted.by_message
    conversation = world.gate.converse(admitted)
    assert await conversation.decide(Message(sent=True, over="grpc", content=b"hello")) is None
    assert await conversation.decide(Message(sent=True, over="grpc", content=KEY)) is not None


async def test_the_head_of_such_a_call_is_looked_into_all_the_same():
    opening = World(rules=NO_SECRETS).open(CALL, x_note=KEY.decode(), **GRPC)
    assert isinstance(await World(rules=NO_SECRETS).gate.admit(opening, UnreadBody()), Refused)


async def test_where_a_permission_depends_on_data_a_call_must_be_whole():
    rules = "- {id: clean, match: {host: elsewhere.test}, unless: '\"secret\" in data', effect: allow}"
    world = World(rules=rules, otherwise="otherwise: block")
    opening = world.open(CALL, **GRPC)
    assert (opening.wants_body, opening.by_message) == (True, False)
    assert isinstance(await world.gate.admit(opening, UnreadBody()), Refused)
    cut = replace(opening, wants_body=False, by_message=True)
    assert isinstance(await world.gate.admit(cut, UnreadBody()), Refused)


@pytest.mark.parametrize(
    ("rules", "whole"),
    [
        ("- {id: ask, match: {host: elsewhere.test}, effect: escalate}", True),
        ("- {id: ask, match: {host: elsewhere.test}, limit: 5/day, effect: escalate}", True),
        ("- {id: ask, match: {host: elsewhere.test}, when: 'agent.age < days(1)', effect: escalate}", True),
        ("- {id: ask, match: {host: else.test}, effect: escalate}", False),
        ("- {id: ask, match: {host: elsewhere.test}, effect: escalate, mode: observe}", False),
        ("- {id: ask, match: {data: secret}, effect: escalate}", False),
    ],
)
def test_where_people_may_be_asked_about_a_call_it_must_be_whole_for_them_to_sign(rules, whole):
    opening = World(rules=rules + "\n- {id: other, match: {host: o.test}, effect: escalate}").open(CALL, **GRPC)
    assert opening.wants_body is whole


@pytest.mark.parametrize("kind", ["application/json", "application/grpc-web-text"])
def test_any_other_body_must_be_whole_where_its_data_counts(kind):
    assert World(rules=NO_SECRETS).open(CALL, content_type=kind).wants_body
    assert World(rules=NO_SECRETS).open(CALL, content_encoding="gzip", **GRPC).wants_body


async def test_messages_that_go_to_a_mock_are_decided_too():
    rules = NO_SECRETS + "\n- {id: try, match: {host: elsewhere.test}, effect: sandbox}"
    world = World(rules=rules, more="mocks: {default: {answers: canned}}")
    admitted = await world.gate.admit(world.open(CALL, **GRPC), UnreadBody())
    assert admitted.mocked
    assert await world.gate.converse(admitted).decide(Message(sent=True, over="grpc", content=KEY)) is not None
