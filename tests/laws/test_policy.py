"""Laws of deciding: without order, never looser by one restriction more, total, and what fails only restricts."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from policies import CATALOG, GET, NOON, OPERATIONS, OTHERWISE, facts

from outgate.actions.action import Access, Action, Confidence, Money, Tier
from outgate.intake.agents import Agent
from outgate.intake.message import Message
from outgate.policy.decide import (
    Circumstances,
    decide,
    decide_answer,
    decide_message,
    discharged,
    hears,
    holds,
    raised,
    reads_answer,
)
from outgate.policy.decision import Decision, Reason
from outgate.policy.effect import EFFECTS, Effect, Mode
from outgate.policy.facts import Answered, Facts
from outgate.policy.limits import COUNT, MOST, Hold
from outgate.policy.load import load
from outgate.policy.matching import MATCH, Erred
from outgate.policy.rule import Policy

MATCHES = st.sampled_from(
    [
        *("{}", "{service: crm}", "{service: [crm, payments]}", "{action: 'crm.*'}", "{action: payments.create_payment}"),
        *("{access: [write, delete]}", "{tier: T2}", "{tier: [T2, T3]}", "{mapped: false}", "{data: secret}", "{resource: 'a*'}"),
        *(
            "{host: '*.crm.test'}",
            "{method: [POST, DELETE]}",
            "{agent.id: coder}",
            "{agent.team: sales}",
            "{agent.label.env: prod}",
        ),
        "{action: crm.update_contact, params.id: 7}",
    ]
)
CONDITIONS = st.sampled_from(
    [
        *("", "agent.age < days(7)", 'agent.team == "sales"', '"secret" in data', "action.count > 3", "during.office"),
        *('agent.labels.env == "prod"', 'action.resource.startsWith("a")', "1 / action.count > 0", "data[3] == action.name"),
    ]
)
WITH_PARAMS = st.sampled_from(
    [
        ("{action: payments.create_payment}", 'under(params.amount, "100 GBP")'),
        ("{action: payments.create_payment}", "under(params.amount, params.note)"),
        ("{action: crm.update_contact}", "params.id > 5 && params.vip"),
        ("{action: crm.update_contact}", '"a" in params.tags || "id" in params'),
        ("{action: 'tools.call:*'}", 'params.free == "x"'),
    ]
)
SCOPES = st.tuples(MATCHES, CONDITIONS) | WITH_PARAMS
MODES = st.sampled_from(["observe", "enforce", "enforce"])
ALL_EFFECTS = st.sampled_from(list(EFFECTS))
LIMITS = st.sampled_from(
    ["1/s", "60/min, burst: 5, per: all", "1000/month, per: [agent.team, action.name]", "3/day, count: attempted"]
)
PAYS = "{action: payments.create_payment}"
MONEY = st.sampled_from(["50 GBP/day", "0.5 EUR/month, per: [action.resource, host]"])
RESTRICTIVE = st.sampled_from([str(effect) for effect in Effect if effect.restricts])
HOURS = "zone: Europe/London\nhours: {office: {days: mon-fri, from: 08:00, to: 19:00}}"


@st.composite
def rules(draw, effects=ALL_EFFECTS):
    """One rule without its id, as an operator writes it."""
    match, condition = draw(SCOPES)
    effect = draw(effects)
    said = [f"match: {match}", f"effect: {effect}", f"mode: {draw(MODES)}"]
    if condition:
        said.append(
            f"{draw(st.sampled_from(['when', 'unless']))}: {condition!r}" if "'" not in condition else f"when: {condition}"
        )
    if effect == "throttle" or (effect != "allow" and draw(st.integers(0, 3)) == 0):
        said.append(f"limit: {draw(LIMITS | MONEY if match == PAYS else LIMITS)}")
    if effect != "allow":
        said.append(f"onError: {draw(st.sampled_from([e for e in EFFECTS if EFFECTS[e] >= EFFECTS[effect]]))}")
    return ", ".join(said)


OTHERWISES = st.sampled_from(
    [
        OTHERWISE,
        "otherwise: allow",
        "otherwise: block",
        "otherwise: {T0: allow, T1: escalate, T2: block, T3: sandbox, unmapped: escalate}",
    ]
)


def made(written, otherwise=OTHERWISE, mode="enforce") -> Policy:
    lines = "".join(f"  - {{id: r{number}, {rule}}}\n" for number, rule in written)
    head = f"outgate: policy/v1alpha\npolicy: law\nmode: {mode}\n{otherwise}\n{HOURS}\n"
    return load([("law.yaml", head + (f"rules:\n{lines}" if lines else ""))], CATALOG)


def numbered(written):
    return list(enumerate(written))


PARAMS = st.dictionaries(
    st.sampled_from(["id", "amount", "note", "tags", "vip", "free", "other"]),
    st.integers()
    | st.booleans()
    | st.text(max_size=5)
    | st.just("x")
    | st.tuples(st.text(max_size=3))
    | st.builds(Money, minor=st.integers(), currency=st.sampled_from(["GBP", "EUR", "", "\ud800"])),
    max_size=5,
)
KNOWN = st.sampled_from(OPERATIONS).map(
    lambda o: {
        "service": o.service,
        "operation": o.operation.replace("*", "search"),
        "access": o.access,
        "tier": o.tier,
        "confidence": Confidence.CATALOG,
    }
)
ANY = st.fixed_dictionaries(
    {
        "service": st.sampled_from(["http", "crm", "payments"]) | st.text(max_size=8),
        "operation": st.sampled_from(["POST", "GET", "create_payment"]) | st.text(max_size=8),
        "access": st.sampled_from(Access),
        "tier": st.sampled_from(Tier),
        "confidence": st.sampled_from(Confidence),
    }
)
DATA = st.frozensets(st.sampled_from(["secret", "unreadable", "pii"]))


@st.composite
def actions(draw):
    said = draw(KNOWN | ANY)
    resource = draw(st.sampled_from(["", "a/b", "A"]) | st.text(max_size=8))
    return Action(**said, resource=resource, params=draw(PARAMS), data=draw(DATA), count=draw(st.integers(-5, 5) | st.integers()))


AGENTS = st.builds(
    Agent,
    id=st.sampled_from(["coder", "other"]),
    team=st.sampled_from(["", "sales"]) | st.text(max_size=5),
    labels=st.dictionaries(st.sampled_from(["env", "x"]), st.sampled_from(["prod", "dev"])),
    permissions=st.frozensets(st.text(max_size=3), max_size=3),
    since=st.none() | st.timedeltas(timedelta(days=-400), timedelta(days=400)).map(lambda ago: NOON - ago),
)
SITUATIONS = st.builds(
    Facts,
    now=st.timedeltas(timedelta(days=-400), timedelta(days=400)).map(lambda ago: NOON - ago),
    agent=AGENTS,
    request=st.builds(
        lambda method, host, path: replace(GET, method=method, host=host, path=path),
        st.sampled_from(["GET", "POST", "DELETE"]),
        st.sampled_from(["api.crm.test", "crm.test", "paste.test"]) | st.text(max_size=8),
        st.text(max_size=8),
    ),
    unread=st.booleans(),
)
WRITTEN = st.lists(rules(), max_size=6)
ACTIONS = st.lists(actions(), max_size=3).map(tuple)


@given(WRITTEN, OTHERWISES, st.sampled_from(["observe", "enforce"]), ACTIONS, SITUATIONS)
def test_decide_is_total(written, otherwise, mode, acts, at):
    decision = decide(made(numbered(written), otherwise, mode), acts, at)
    assert isinstance(decision, Decision)
    assert len(decision.verdicts) == len(acts)
    assert bool(decision.tell) == decision.answer.restricts


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS, st.randoms())
def test_rules_have_no_order(written, otherwise, acts, at, random):
    shuffled = numbered(written)
    random.shuffle(shuffled)
    assert decide(made(shuffled, otherwise), acts, at) == decide(made(numbered(written), otherwise), acts, at)


@given(WRITTEN, WRITTEN, ACTIONS, SITUATIONS)
def test_files_have_no_order(written, others, acts, at):
    one = ("one.yaml", _file(numbered(written)))
    other = ("other.yaml", _file([(number + 100, rule) for number, rule in enumerate(others)]))
    assert decide(load([one, other], CATALOG), acts, at) == decide(load([other, one], CATALOG), acts, at)


def _file(written):
    lines = "".join(f"  - {{id: r{number}, {rule}}}\n" for number, rule in written)
    return f"outgate: policy/v1alpha\npolicy: law\n{OTHERWISE}\n{HOURS}\n" + (f"rules:\n{lines}" if lines else "")


@given(WRITTEN, rules(effects=RESTRICTIVE), OTHERWISES, ACTIONS, SITUATIONS)
def test_adding_a_restrictive_rule_never_loosens(written, restriction, otherwise, acts, at):
    before = decide(made(numbered(written), otherwise), acts, at)
    after = decide(made([*numbered(written), (99, restriction)], otherwise), acts, at)
    assert after.answer >= before.answer
    assert after.would >= before.would


@given(WRITTEN, rules(effects=st.just("allow")), OTHERWISES, ACTIONS, SITUATIONS)
def test_a_permission_never_lifts_a_restriction(written, permission, otherwise, acts, at):
    restrictions = [rule for rule in written if "effect: allow" not in rule]
    alone = decide(made(numbered(restrictions), "otherwise: allow"), acts, at)
    both = decide(made([*numbered(restrictions), (99, permission)], otherwise), acts, at)
    assert both.answer >= alone.answer


@given(WRITTEN, OTHERWISES, ACTIONS, actions(), SITUATIONS)
def test_one_more_action_never_loosens(written, otherwise, acts, one_more, at):
    policy = made(numbered(written), otherwise)
    if acts:
        assert decide(policy, (*acts, one_more), at).answer >= decide(policy, acts, at).answer


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS)
def test_the_answer_is_at_most_what_it_would_be_unless_a_permission_is_only_observed(written, otherwise, acts, at):
    kept = [rule for rule in written if not ("effect: allow" in rule and "mode: observe" in rule)]
    decision = decide(made(numbered(kept), otherwise), acts, at)
    assert decision.answer <= decision.would


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS)
def test_observing_never_refuses_by_a_rule(written, otherwise, acts, at):
    decision = decide(made(numbered(written), otherwise, "observe"), acts, at)
    assert decision.answer is Effect.ALLOW or decision.reason is Reason.CANNOT_DECIDE


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS)
def test_observing_shows_what_enforcing_would_do(written, otherwise, acts, at):
    enforced = [rule.replace("mode: observe", "mode: enforce") for rule in written]
    policy = made(numbered(enforced), otherwise, "observe")
    assert decide(policy, acts, at).would == decide(policy.with_mode(Mode.ENFORCE), acts, at).answer


@given(WRITTEN, ACTIONS, SITUATIONS)
def test_what_is_blocked_by_one_rule_is_blocked_whatever_else_is_said(written, acts, at):
    assert decide(made([*numbered(written), (99, "effect: block")]), acts, at).answer is Effect.BLOCK


def truths(policy, action, at):
    circumstances = Circumstances(policy, action, at)
    return {rule.id: (rule, holds(rule, circumstances)) for rule in policy.rules}


@given(WRITTEN, OTHERWISES, actions(), SITUATIONS)
def test_a_permission_that_errs_is_as_if_it_were_not_there(written, otherwise, action, at):
    policy = made(numbered(written), otherwise)
    erred = {
        name
        for name, (rule, truth) in truths(policy, action, at).items()
        if isinstance(truth, Erred) and not rule.effect.restricts
    }
    without = made([(number, rule) for number, rule in numbered(written) if f"r{number}" not in erred], otherwise)
    assert decide(policy, (action,), at) == decide(without, (action,), at)


@given(WRITTEN, OTHERWISES, actions(), SITUATIONS)
def test_a_restriction_that_errs_asks_for_at_least_its_effect(written, otherwise, action, at):
    policy = made(numbered(written), otherwise)
    matches = {match.rule: match for match in decide(policy, (action,), at).verdicts[0].matches}
    for name, (rule, truth) in truths(policy, action, at).items():
        if isinstance(truth, Erred) and rule.effect.restricts:
            assert matches[name].effect == max(rule.effect, rule.on_error)
            assert matches[name].error == truth.code


@given(actions(), SITUATIONS)
def test_a_policy_without_words_blocks(action, at):
    silent = Policy(name="silent", digest="", mode=Mode.ENFORCE)
    assert decide(silent, (action,), at).answer is Effect.BLOCK


@given(WRITTEN, actions(), SITUATIONS)
def test_the_index_leaves_no_rule_out_that_matches(written, action, at):
    policy = made(numbered(written))
    decision = decide(policy, (action,), at)
    matched = {match.rule for match in decision.verdicts[0].matches} - {"otherwise"}
    matched |= {charge.match.rule for charge in decision.charges}
    expected = {
        name
        for name, (rule, truth) in truths(policy, action, at).items()
        if truth is MATCH or (isinstance(truth, Erred) and rule.effect.restricts)
    }
    assert matched == expected


@given(actions())
def test_an_agent_reads_no_rule_id(action):
    policy = made([(7, "effect: block")])
    assert "r7" not in decide(policy, (replace(action, service="s", operation="o", resource=""),), facts()).tell


# limits

SOME = st.lists(st.booleans(), min_size=12, max_size=12)


def chosen(these, flags):
    return [one for one, flag in zip(these, flags, strict=False) if flag]


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS, SOME)
def test_a_limit_that_is_over_never_loosens(written, otherwise, acts, at, flags):
    decision = decide(made(numbered(written), otherwise), acts, at)
    after = raised(decision, chosen(decision.charges, flags))
    assert after.answer >= decision.answer
    assert after.would >= decision.would
    assert bool(after.tell) == after.answer.restricts


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS, SOME, st.randoms())
def test_limits_have_no_order(written, otherwise, acts, at, flags, random):
    decision = decide(made(numbered(written), otherwise), acts, at)
    over = chosen(decision.charges, flags)
    one_by_one = decision
    random.shuffle(over)
    for charge in over:
        one_by_one = raised(one_by_one, [charge])
    assert one_by_one == raised(decision, reversed(over)) == raised(raised(decision, over), over)


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS)
def test_over_all_its_limits_a_policy_is_as_strict_as_without_limits(written, otherwise, acts, at):
    policy = made(numbered(written), otherwise)
    unlimited = replace(policy, rules=tuple(replace(rule, limit=None) for rule in policy.rules))
    decision = decide(policy, acts, at)
    assert raised(decision, decision.charges).answer >= decide(unlimited, acts, at).answer
    assert decision.answer <= raised(decision, decision.charges).answer


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS)
def test_a_charge_is_of_something_and_binds_where_its_rule_is_enforced(written, otherwise, acts, at):
    policy = made(numbered(written), otherwise)
    rules = {rule.id: rule for rule in policy.rules}
    for charge in decide(policy, acts, at).charges:
        assert 0 <= charge.amount <= MOST
        assert charge.amount or charge.limit.unit != COUNT
        assert charge.key.isascii()
        assert len(charge.key) <= 200
        assert charge.limit == rules[charge.match.rule].limit
        assert (charge.hold is Hold.BINDING) == (charge.match.mode is Mode.ENFORCE)
        assert charge.verdicts


# approvals

NAMES = st.frozensets(st.sampled_from(["otherwise", *(f"r{number}" for number in range(6))]))


def lifted(match, names):
    return match.rule in names and match.effect is Effect.ESCALATE and match.mode is Mode.ENFORCE


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS, SOME, NAMES)
def test_an_approval_never_goes_below_what_it_does_not_name(written, otherwise, acts, at, flags, names):
    decision = decide(made(numbered(written), otherwise), acts, at)
    decision = raised(decision, chosen(decision.charges, flags))
    after = discharged(decision, names, "a")
    left = [
        match.effect
        for verdict in decision.verdicts
        for match in verdict.matches
        if match.mode is Mode.ENFORCE and not lifted(match, names)
    ]
    if acts:
        assert after.answer is max(left, default=Effect.ALLOW)
        assert after.answer <= decision.answer
    else:
        assert after == decision


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS, NAMES, NAMES)
def test_approvals_have_no_order(written, otherwise, acts, at, names, others):
    decision = decide(made(numbered(written), otherwise), acts, at)
    both = discharged(decision, names | others, "a")
    assert discharged(discharged(decision, names, "a"), others, "a") == both
    assert discharged(discharged(decision, others, "a"), names, "a") == both


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS, SOME)
def test_an_approval_of_nothing_changes_nothing(written, otherwise, acts, at, flags):
    decision = decide(made(numbered(written), otherwise), acts, at)
    decision = raised(decision, chosen(decision.charges, flags))
    assert replace(discharged(decision, frozenset(), "a"), approval="") == decision


# on whom


@given(WRITTEN, OTHERWISES, ACTIONS, SITUATIONS)
def test_on_an_observed_agent_nothing_is_enforced_and_everything_is_seen(written, otherwise, acts, at):
    policy = made(numbered(written), otherwise)
    observed = decide(policy, acts, replace(at, agent=replace(at.agent, observe=True)))
    decision = decide(policy, acts, at)
    assert observed.answer is Effect.ALLOW or observed.reason is Reason.CANNOT_DECIDE
    assert observed.would == decision.would
    assert not any(charge.hold is Hold.BINDING for charge in observed.charges)


@given(st.lists(rules(effects=RESTRICTIVE), max_size=5), st.integers(1, 99), st.integers(1, 100), ACTIONS, SITUATIONS)
def test_rolling_out_further_never_loosens(written, percent, more, acts, at):
    def rolled(to):
        return [(number, f"{rule}, rollout: {min(100, to)}") for number, rule in numbered(written)]

    less, further = decide(made(rolled(percent)), acts, at), decide(made(rolled(percent + more)), acts, at)
    assert less.answer <= further.answer
    assert less.would == further.would


# answers

OF_ANSWERS = st.tuples(
    MATCHES,
    st.sampled_from(["when", "unless"]),
    st.sampled_from(
        [
            *("response.rows > 10", "response.status >= 400 || response.size > 5", '"secret" in response.data'),
            *('agent.team == "sales" && response.rows > 1', "agent.age < days(7)", "response.rows / response.size > 1"),
        ]
    ),
    MODES,
).map(lambda said: f"phase: response, match: {said[0]}, {said[1]}: {said[2]!r}, mode: {said[3]}, effect: block")
ANSWERED = st.builds(
    Answered,
    status=st.integers(100, 599),
    rows=st.none() | st.integers(0, 20),
    data=st.none() | DATA,
    size=st.none() | st.integers(0, 9),
)


@given(WRITTEN, st.lists(OF_ANSWERS, max_size=4), ACTIONS, SITUATIONS, ANSWERED)
def test_what_may_be_withheld_is_known_before_it_is_there(written, of_answers, acts, at, answered):
    policy = made(numbered([*written, *of_answers]))
    decision = decide(policy, acts, at)
    after = decide_answer(policy, decision, at, answered)
    assert after.answer in {Effect.ALLOW, Effect.BLOCK}
    assert after.answer <= after.would
    assert bool(after.tell) == after.answer.restricts
    if acts and after.would.restricts:
        assert reads_answer(policy, decision, at)


@given(WRITTEN, st.lists(OF_ANSWERS, max_size=4), ACTIONS, SITUATIONS)
def test_rules_of_answers_change_no_decision_on_a_request(written, of_answers, acts, at):
    policy = made(numbered([*written, *of_answers]))
    assert decide(policy, acts, at) == decide(made(numbered(written)), acts, at)


# messages


OF_MESSAGES = st.builds(
    lambda match, when, effect: f"match: {match}, phase: stream, when: '{when}', effect: {effect}",
    MATCHES,
    st.sampled_from(["message.sent", "!message.sent", "message.size > 3", 'message.over == "grpc"', "1 / message.size > 0"]),
    st.sampled_from(["escalate", "sandbox", "block"]),
)
MESSAGES = st.builds(
    Message,
    sent=st.booleans(),
    over=st.sampled_from(["websocket", "grpc", "sse"]),
    content=st.binary(max_size=6),
    plain=st.booleans(),
)
SAID = st.sampled_from([frozenset(), frozenset({"secret"})])


def told(policy, acts, at, message, data):
    """What is decided on the head, and then on the message."""
    before = decide(policy, acts, at)
    return before, decide_message(policy, before, replace(at, message=message, unread=not message.plain), data)


@given(WRITTEN, st.lists(OF_MESSAGES, max_size=3), ACTIONS, SITUATIONS, MESSAGES, SAID, st.randoms())
def test_rules_of_messages_have_no_order_and_change_no_decision_on_a_request(written, more, acts, at, message, data, random):
    rules_ = numbered([*written, *more])
    shuffled = [*rules_]
    random.shuffle(shuffled)
    before, decision = told(made(rules_), acts, at, message, data)
    assert (before, decision) == told(made(shuffled), acts, at, message, data)
    assert before == decide(made(numbered(written)), acts, at)


@given(WRITTEN, st.lists(OF_MESSAGES, max_size=3), OF_MESSAGES, ACTIONS, SITUATIONS, MESSAGES, SAID)
def test_one_rule_of_messages_more_never_loosens(written, more, another, acts, at, message, data):
    _, decision = told(made(numbered([*written, *more])), acts, at, message, data)
    _, stricter = told(made(numbered([*written, *more, another])), acts, at, message, data)
    assert stricter.answer >= decision.answer


@given(WRITTEN, st.lists(OF_MESSAGES, max_size=3), ACTIONS, SITUATIONS, MESSAGES)
def test_what_may_stop_a_message_is_known_before_it_is_there(written, more, acts, at, message):
    policy = made(numbered([*written, *more]))
    before = decide(policy, acts, at)
    if before.verdicts and not hears(policy, before, at):
        received = replace(message, sent=False)
        assert decide_message(policy, before, replace(at, message=received), frozenset()).answer is Effect.ALLOW


@given(WRITTEN, ACTIONS, SITUATIONS)
def test_what_its_head_was_let_out_for_is_asked_again_for_no_message_that_says_nothing_new(written, acts, at):
    """A rule that matched the head was answered then: an approval, say, is not asked for again with every message."""
    policy = made(numbered(written))
    before = decide(policy, acts, at)
    plain = Message(sent=True, over="websocket", content=b"x")
    if before.verdicts:
        known = {match.rule for verdict in before.verdicts for match in verdict.matches}
        after = decide_message(policy, before, replace(at, message=plain), frozenset())
        alone = {m.rule for b, a in zip(before.verdicts, after.verdicts, strict=True) for m in a.matches if m in b.matches}
        assert not (alone & known)
