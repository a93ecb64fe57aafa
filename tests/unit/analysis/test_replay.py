"""outgate.analysis.replay"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from gated import DELETE, GITHUB, NEWCOMERS, NO_SECRETS, World
from policies import GET, NOON, action, policy, pounds, written
from recorded import Record

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.admission import Admitted
from outgate.analysis.replay import MOST_EXAMPLES, replay
from outgate.halt import Halt, Halts, Scope
from outgate.inspect.usage import Usage
from outgate.intake.request import UnreadBody, WholeBody
from outgate.policy.effect import Effect
from outgate.policy.load import load
from outgate.receipts.receipt import Outcome, Result, event_body
from outgate.stores.catalog_files import load_catalog
from outgate.stores.memory import MemoryLedger

OPEN = policy("- {id: all, match: {}, effect: allow}")
LOOKED = policy("- {id: all, match: {}, effect: allow}\n- {id: no-secrets, match: {data: secret}, effect: block}")
READ, WRITE = action("payments.get_payment", resource="p1"), action(resource="acme/7")
PAY = action("payments.create_payment", resource="p1", params={"amount": pounds(20_000), "note": "thanks"})
BULK = action("crm.delete_all")
ALLOW, THROTTLE, ESCALATE, SANDBOX, BLOCK = Effect


async def replayed(record, under):
    return await replay(iter(record.receipts), under, MemoryLedger())


def record(*asked, under=OPEN, **said):
    made = Record(under)
    for one in asked:
        made.decided(one, **said)
    return made


def under(rules):
    return policy("- {id: all, match: {}, effect: allow}\n" + rules)


async def test_the_same_policy_changes_nothing():
    report = await replayed(record(READ, WRITE, PAY, BULK), OPEN)
    assert report.matrix == {(ALLOW, ALLOW): 4}
    assert (report.decisions, report.replayed, report.stopped, report.changes) == (4, 4, 0, {})


async def test_what_would_be_stopped_is_counted_by_rule_agent_and_action():
    report = await replayed(record(READ, BULK, BULK), under("- {id: no-bulk, match: {tier: T3}, effect: escalate}"))
    assert report.matrix == {(ALLOW, ALLOW): 1, (ALLOW, ESCALATE): 2}
    assert report.stopped == 2
    ((kind, changed),) = report.changes.items()
    assert (kind.rules, kind.action, kind.agent, kind.before, kind.after) == (
        ("no-bulk",),
        "crm.delete_all",
        "coder",
        ALLOW,
        ESCALATE,
    )
    assert changed.count == 2
    assert changed.examples[0].place == ("w1", 1)
    assert changed.examples[0].call == "GET https://api.crm.test/contacts/7"


async def test_what_was_stopped_and_would_be_let_out_names_the_rule_that_stopped_it():
    strict = under("- {id: no-bulk, match: {tier: T3}, effect: block}")
    report = await replayed(record(BULK, under=strict), OPEN)
    ((kind, _),) = report.changes.items()
    assert (kind.before, kind.after, kind.rules) == (BLOCK, ALLOW, ("no-bulk",))
    assert (report.stopped, report.freed) == (0, 1)


async def test_only_the_first_examples_of_a_kind_are_kept():
    report = await replayed(record(*[BULK] * 20), under("- {id: no-bulk, match: {tier: T3}, effect: block}"))
    ((_, changed),) = report.changes.items()
    assert (changed.count, len(changed.examples)) == (20, MOST_EXAMPLES)


async def test_what_people_approved_is_no_new_stop_where_people_are_asked_again():
    made = record(BULK)
    made.receipts[0]["approval"] = {"id": "abcd-efgh-2345", "used": True}
    report = await replayed(made, under("- {id: ask, match: {tier: T3}, effect: escalate}"))
    assert (report.matrix, report.stopped) == ({(ESCALATE, ESCALATE): 1}, 0)
    report = await replayed(made, under("- {id: never, match: {tier: T3}, effect: block}"))
    assert report.stopped == 1


async def test_a_rule_that_reads_what_was_not_recorded_is_not_guessed():
    report = await replayed(
        record(PAY), under("""- {id: notes, match: {service: payments}, when: 'params.note != ""', effect: block}""")
    )
    assert (report.replayed, report.lost) == (0, {"rule notes reads params.note, which the receipt does not hold": 1})


@pytest.mark.parametrize(
    "rule",
    [
        """{id: r, match: {service: payments, tier: T3}, when: 'params.note == "x"', effect: block}""",
        """{id: r, match: {service: payments, access: read}, when: 'params.note == "x"', effect: block}""",
        """{id: r, match: {service: payments}, when: 'params.note == "x" && agent.team == "other"', effect: block}""",
        """{id: r, match: {service: payments}, unless: 'params.note == "x" || agent.id == "coder"', effect: block}""",
        """{id: r, match: {action: payments.create_payment, params.note: "x", agent.team: other}, effect: block}""",
        """{id: r, match: {service: payments}, when: '"note" in params', effect: block}""",
    ],
)
async def test_a_rule_on_which_the_unknown_has_no_say_is_replayed(rule):
    report = await replayed(record(PAY), under(f"- {rule}"))
    assert (report.replayed, report.lost) == (1, {})


@pytest.mark.parametrize(
    "rule",
    [
        """{id: r, match: {data: secret}, effect: block}""",
        """{id: r, match: {service: payments}, when: '"secret" in data', effect: block}""",
        """{id: r, match: {action: payments.create_payment, params.note: "x"}, effect: block}""",
        """{id: r, match: {service: payments}, unless: 'params.note == "x"', effect: block}""",
        """{id: r, match: {action: payments.create_payment, params.note: "x"}, effect: allow}""",
    ],
)
async def test_what_hangs_on_the_unknown_is_lost_also_where_it_allows(rule):
    report = await replayed(record(PAY), under(f"- {rule}"))
    assert (report.replayed, report.lost.total()) == (0, 1)


async def test_amounts_are_recorded_and_decide():
    rule = """- {id: big, match: {action: payments.create_payment}, unless: 'under(params.amount, "10000 GBP")', effect: block}"""
    small = replace(PAY, params={"amount": pounds(5)})
    report = await replayed(record(PAY, small), under(rule))
    assert report.matrix == {(ALLOW, BLOCK): 1, (ALLOW, ALLOW): 1}


async def test_an_amount_that_was_never_given_is_the_same_error_as_then():
    rule = """- {id: big, match: {action: payments.create_payment}, unless: 'under(params.amount, "10000 GBP")', effect: block}"""
    report = await replayed(record(replace(PAY, params={})), under(rule))
    assert (report.matrix, report.lost) == ({(ALLOW, BLOCK): 1}, {})


async def test_age_is_as_it_was_then_or_not_known():
    rule = "- {id: new, match: {}, when: agent.age < days(7), effect: sandbox}"
    assert (await replayed(record(READ, age=timedelta(days=3)), under(rule))).matrix == {(ALLOW, SANDBOX): 1}
    assert (await replayed(record(READ, age=timedelta(days=30)), under(rule))).matrix == {(ALLOW, ALLOW): 1}
    lost = (await replayed(record(READ, age=None), under(rule))).lost
    assert lost == {"rule new reads agent.age, which the receipt does not hold": 1}


async def test_data_is_decided_on_where_it_was_looked_for():
    made = record(replace(WRITE, data=frozenset({"secret"})), WRITE, under=LOOKED)
    report = await replayed(made, under("- {id: warn, match: {data: secret}, effect: escalate}"))
    assert report.matrix == {(BLOCK, ESCALATE): 1, (ALLOW, ALLOW): 1}


async def test_an_unread_body_restricts_as_it_did():
    made = record(WRITE, under=LOOKED, unread=True, request=replace(GET, body=UnreadBody(9)))
    assert (await replayed(made, LOOKED)).matrix == {(BLOCK, BLOCK): 1}
    no_data = under("""- {id: given, match: {}, when: '"id" in params', effect: block}""")
    lost = (await replayed(made, no_data)).lost
    assert lost == {"rule given reads params, which the receipt does not hold": 1}


async def test_what_no_policy_has_a_say_in_stays_apart():
    made = record(READ)
    made.receipts[0] |= {"reason": "halted", "answer": "block"}
    report = await replayed(made, OPEN)
    assert (report.decisions, report.replayed, report.fixed) == (1, 0, {"halted": 1})


async def test_events_are_no_decisions():
    made = record(READ)
    made.add(event_body("start", NOON, None, {"at": str(NOON)}))
    assert (await replayed(made, OPEN)).decisions == 1


async def test_an_agent_that_was_only_observed_still_is():
    made = record(BULK, observe=True)
    assert (await replayed(made, under("- {id: no, match: {tier: T3}, effect: block}"))).matrix == {(ALLOW, ALLOW): 1}


async def test_messages_of_the_record_are_counted_and_not_decided_again():
    said = {"v": 1, "type": "message-refused", "about": {"of": "w1-0", "rules": ["quiet"]}}
    quiet = under("- {id: q, phase: stream, when: message.size > 1, effect: block}")
    report = await replay(iter([*record(READ).receipts, said]), quiet, MemoryLedger())
    assert (report.replayed, report.messages) == (1, 1)


async def test_answers_that_would_be_looked_into_are_counted():
    report = await replayed(
        record(READ, WRITE),
        under("- {id: rows, match: {service: crm}, phase: response, when: response.rows > 100, effect: block}"),
    )
    assert (report.replayed, report.answers) == (2, 1)


# limits


def at(*seconds, asked=WRITE, **said):
    made = Record(OPEN)
    for second in seconds:
        made.came(made.decided(asked, now=NOON + timedelta(seconds=second), **said))
    return made


POST = replace(GET, method="POST")
RATE = under("- {id: rate, match: {service: crm}, limit: 2/min, effect: throttle}")


async def test_a_limit_is_charged_by_the_records_own_times():
    report = await replayed(at(0, 1, 2, 62, 63, request=POST), RATE)
    assert report.matrix == {(ALLOW, ALLOW): 4, (ALLOW, THROTTLE): 1}
    assert report.stopped == 1


async def test_a_limit_is_each_agents_own():
    made = Record(OPEN)
    for agent in ("one", "two", "one", "two", "one"):
        made.decided(WRITE, id=agent, request=POST)
    assert (await replayed(made, RATE)).matrix == {(ALLOW, ALLOW): 4, (ALLOW, THROTTLE): 1}


async def test_what_never_left_gives_back_what_it_took():
    made = Record(OPEN)
    for _ in range(5):
        made.came(made.decided(WRITE, request=POST), Result.ABANDONED)
    assert (await replayed(made, RATE)).matrix == {(ALLOW, ALLOW): 5}


async def test_what_the_new_policy_stops_takes_nothing():
    rules = under(
        "- {id: rate, match: {service: crm}, limit: 2/min, effect: throttle}\n- {id: no, match: {resource: other}, effect: block}"
    )
    made = record(*[action(resource="other")] * 5, WRITE, WRITE, request=POST)
    assert (await replayed(made, rules)).matrix == {(ALLOW, BLOCK): 5, (ALLOW, ALLOW): 2}


async def test_a_safe_request_that_could_have_waited_is_let_out_later():
    rules = under("- {id: rate, match: {service: payments}, limit: 2/min, effect: throttle, maxDelay: 30s}")
    report = await replayed(at(0, 1, 2, asked=READ), rules)
    assert (report.matrix, report.delayed) == ({(ALLOW, ALLOW): 3}, 1)


async def test_tokens_are_settled_by_what_the_answer_said():
    rule = "- {id: all, match: {}, effect: allow}\n- {id: budget, match: {service: openai}, limit: 1500 tokens/day, effect: throttle}"
    rules = load([("tried.yaml", written(rule))], load_catalog())
    asked = Action(
        service="openai", operation="create", access=Access.EXECUTE, tier=Tier.T1, confidence=Confidence.CATALOG, params={"n": 1}
    )
    used = Usage(model="m", input_tokens=10, output_tokens=10)
    for usage, answers in ((used, {(ALLOW, ALLOW): 5}), (None, {(ALLOW, ALLOW): 1, (ALLOW, THROTTLE): 4})):
        made = Record(OPEN)
        for _ in range(5):
            made.came(made.decided(asked, request=POST), usage=usage)
        assert (await replayed(made, rules)).matrix == answers


async def test_a_sum_of_money_that_is_not_all_there_is_not_guessed():
    rules = under("- {id: spend, match: {access: pay}, limit: 50 GBP/day, effect: escalate}")
    many = action("payments.create_payment", params={f"p{n}": "x" for n in range(40)})
    assert (await replayed(record(many), rules)).lost == {"rule spend reads an amount, which the receipt does not hold": 1}
    assert (await replayed(record(PAY), rules)).matrix == {(ALLOW, ESCALATE): 1}


# what a gate writes


RULES = f"""
{NEWCOMERS}
{NO_SECRETS}
- {{id: writes, match: {{access: write}}, effect: escalate}}
- {{id: slow, match: {{service: github}}, limit: 3/min, effect: throttle}}
"""


async def test_what_a_gate_recorded_comes_out_as_it_did():
    world = World(RULES)
    for line in (GITHUB, DELETE, "POST https://api.github.com/repos/acme/site/issues", GITHUB, GITHUB, GITHUB, GITHUB):
        admission = await world.ask(line, WholeBody(b"{}") if line.startswith("POST") else None)
        if isinstance(admission, Admitted):
            world.gate.conclude(admission, Outcome(result=Result.EXECUTED, status=200))
    report = await replay(world.receipts, world.policy, MemoryLedger())
    assert (report.decisions, report.replayed, report.lost) == (7, 7, {})
    assert report.changes == {}
    assert {before for before, _ in report.matrix} == {ALLOW, THROTTLE, ESCALATE, BLOCK}


async def test_a_halt_and_what_can_not_be_read_are_nobodys_policy():
    world = World(RULES)
    await world.ask("GET https://api.github.com/a\x00b")
    world.switch.halts = Halts((Halt(scope=Scope.ALL),))
    await world.ask(GITHUB)
    report = await replay(world.receipts, world.policy, MemoryLedger())
    assert report.fixed == {"halted": 1, "unreadable": 1}
