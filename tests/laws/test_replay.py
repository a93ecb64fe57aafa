"""Laws of replay: what it says is what deciding says; where it can't know, it says nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from policies import GET, action, facts, policy, pounds
from recorded import Record

from outgate.analysis.replay import replay
from outgate.intake.request import UnreadBody, WholeBody
from outgate.policy.decide import decide, needs
from outgate.stores.memory import MemoryLedger

ALL = "- {id: all, match: {}, effect: allow}"
POOL = (
    "{id: a, match: {service: crm}, effect: escalate}",
    "{id: b, match: {data: secret}, effect: block}",
    """{id: c, match: {service: crm}, when: '"secret" in data || action.count > 3', effect: sandbox}""",
    """{id: d, match: {action: payments.create_payment}, unless: 'under(params.amount, "100 GBP")', effect: block}""",
    """{id: e, match: {action: payments.create_payment}, when: 'params.note == "x" || agent.team == "ops"', effect: escalate}""",
    "{id: f, match: {action: payments.create_payment, params.note: x*}, effect: block}",
    "{id: g, match: {resource: acme/*}, effect: sandbox}",
    "{id: h, match: {}, when: agent.age < days(7), effect: sandbox}",
    """{id: i, match: {}, unless: '"write" in agent.permissions', effect: escalate}""",
    """{id: j, match: {service: crm}, when: 'agent.labels["trust"] == "low"', effect: block}""",
    """{id: k, match: {action: crm.update_contact}, when: 'params.id > 5 && params.vip', effect: block}""",
    """{id: l, match: {action: crm.update_contact}, when: '"tags" in params', effect: escalate}""",
    "{id: m, match: {agent.label.trust: high}, effect: allow}",
    """{id: n, match: {service: crm}, when: 'request.path.endsWith("7")', effect: escalate}""",
    """{id: o, match: {service: payments}, unless: 'now.getHours() < 6', effect: escalate}""",
    "{id: p, match: {agent.team: ops}, effect: block, onError: block}",
)
TEXT = st.sampled_from(
    ["", "x", "xyz", "acme/site", "acme/" + "y" * 300, "ghp_abcdefghijklmnopqrstuvwxyz012345", "a\x1bb", "two words"]
)


@st.composite
def policies(draw):
    rules = draw(st.lists(st.sampled_from(POOL), unique=True, max_size=6))
    return policy("\n".join([ALL, *(f"- {rule}" for rule in rules)]))


@st.composite
def actions(draw):
    name = draw(
        st.sampled_from(["crm.update_contact", "payments.create_payment", "payments.get_payment", "crm.delete_all", "http.GET"])
    )
    given = {
        "crm.update_contact": {"id": st.integers(0, 10) | st.just(2**60), "tags": st.just(("a", "b c")), "vip": st.booleans()},
        "payments.create_payment": {"amount": st.integers(-5, 200).map(pounds), "note": TEXT},
    }.get(name, {})
    return action(
        name,
        resource=draw(TEXT),
        params=draw(st.fixed_dictionaries({}, optional=given)),
        data=draw(st.sampled_from([frozenset(), frozenset({"secret"}), frozenset({"unreadable"})])),
        count=draw(st.integers(1, 5)),
    )


worlds = st.fixed_dictionaries(
    {
        "team": st.sampled_from(["", "ops", "o\u202eps", "z" * 300]),
        "permissions": st.sampled_from(
            [frozenset(), frozenset({"write"}), frozenset(f"{n}{'p' * 190}" for n in range(9)) | {"write"}]
        ),
        "labels": st.sampled_from([{}, {"trust": "low"}, {"trust": "high"}, {"ärger": "x"}, {"trust": "low" * 99}]),
        "age": st.sampled_from([None, timedelta(days=1), timedelta(days=30)]),
        "observe": st.booleans(),
        "request": st.sampled_from(
            [
                GET,
                replace(GET, path="/" + "a" * 3000 + "7"),
                replace(GET, body=UnreadBody(9)),
                replace(GET, body=WholeBody(b"{}")),
            ]
        ),
        "unsteady": st.booleans(),
    }
)


@given(policies(), policies(), st.lists(actions(), min_size=1, max_size=3), worlds, st.booleans())
@settings(max_examples=300)
def test_what_is_replayed_is_what_would_have_been_decided(then, now, asked, world, unread):
    record = Record(then)
    unsteady = world.pop("unsteady")
    looked = needs(then).data
    seen = tuple(one if looked else replace(one, data=frozenset()) for one in asked)
    is_unread = unread and isinstance(world["request"].body, UnreadBody)
    record.decided(*seen, unread=is_unread, unsteady=unsteady, **world)
    report = asyncio.run(replay(record.receipts, now, MemoryLedger()))
    assert report.replayed + report.lost.total() == 1
    truly = replace(facts(unread=is_unread, **world), unsteady=unsteady)
    if report.replayed:
        ((_, answer),) = report.matrix
        assert answer is decide(now, tuple(asked), truly).answer


@given(policies(), st.lists(actions(), min_size=1, max_size=3), worlds)
def test_the_same_policy_answers_as_it_did(under, asked, world):
    record = Record(under)
    unsteady = world.pop("unsteady")
    record.decided(*asked, unsteady=unsteady, **world)
    report = asyncio.run(replay(record.receipts, under, MemoryLedger()))
    assert all(before is after for before, after in report.matrix)
