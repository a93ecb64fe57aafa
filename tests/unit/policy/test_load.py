import pytest
from policies import CATALOG, NOON, OTHERWISE, policy, written

from outgate.errors import ConfigError
from outgate.policy.effect import Effect, Mode, Phase
from outgate.policy.load import load


def said(text, source="a.yaml"):
    """What is wrong with a file: places and messages."""
    with pytest.raises(ConfigError) as caught:
        load([(source, text)], CATALOG)
    return [str(problem) for problem in caught.value.problems]


def wrong(rule, **more):
    """What is wrong with one rule, without its place."""
    return [line.split(": ", 1)[1] for line in said(written(rule, **more))]


def test_a_whole_policy_loads():
    loaded = policy(
        """
        - id: big
          match: {action: payments.create_payment}
          unless: under(params.amount, "10000 GBP")
          effect: escalate
          onError: sandbox
          to: finance
          tell: |
            Ask finance,
            please.
          why: the board said so
        """,
        more="""
        zone: Europe/London
        approvers: {finance: {need: 2, of: [alice, bob, group:cfo], within: 12h}}
        hours: {office: {days: [mon-thu, fri], from: 08:00, to: 18:00}}
        mocks: {payments: {url: https://sandbox.payments.test}, default: {answers: canned}}
        """,
    )
    (rule,) = loaded.rules
    assert (rule.id, rule.effect, rule.on_error, rule.to) == ("big", Effect.ESCALATE, Effect.SANDBOX, "finance")
    assert (rule.tell, rule.why) == ("Ask finance, please.", "the board said so")
    assert (loaded.name, loaded.mode) == ("tried", Mode.ENFORCE)
    assert loaded.approvers["finance"].need == 2
    assert loaded.hours["office"].has(NOON)
    assert loaded.mocks["payments"].url == "https://sandbox.payments.test"


def test_a_file_that_says_no_mode_is_enforced():
    assert load([("a", f"outgate: policy/v1alpha\npolicy: a\n{OTHERWISE}\n")], CATALOG).mode is Mode.ENFORCE


def test_the_mode_asked_for_takes_the_place_of_the_files():
    text = written("- {id: a, effect: block}", mode="observe")
    assert load([("a", text)], CATALOG, mode=Mode.ENFORCE).rules[0].acts is Mode.ENFORCE


def test_a_rule_never_does_more_than_its_file():
    assert policy("- {id: a, effect: block, mode: enforce}", mode="observe").rules[0].acts is Mode.OBSERVE


def test_every_problem_is_reported_at_once_with_its_place():
    text = written(
        """
        - {id: a, match: {action: payments.create_paymnt, tier: T5}, effect: blok}
        - {id: a, match: {service: crm}, when: agnt.team == "x", effect: block}
        - id: b
          effect: block
          limit: 3/mon
          onErr: block
          when: agent.taem == "x"
        """,
        mode="enfroce",
    )
    assert said(text) == [
        "a.yaml:3:7: unknown mode 'enfroce', did you mean 'enforce'?",
        "a.yaml:7:29: no action 'payments.create_paymnt' is known, did you mean 'payments.create_payment'?",
        "a.yaml:7:59: unknown tier 'T5', use one of T0, T1, T2, T3",
        "a.yaml:7:72: unknown effect 'blok', did you mean 'block'?",
        "a.yaml:8:42: unknown name 'agnt.team', did you mean 'agent.team'?",
        "a.yaml:11:14: unknown window 'mon', did you mean 'month'?",
        "a.yaml:12:5: a rule has no key 'onErr', did you mean 'onError'?",
        "a.yaml:13:11: unknown name 'agent.taem', did you mean 'agent.team'?",
    ]


@pytest.mark.parametrize("key", ["locked", "redact"])
def test_keys_that_can_not_be_acted_on_yet_are_refused(key):
    (message,) = wrong(f"- {{id: a, effect: block, {key}: 5}}")
    assert message.startswith(f"'{key}' is not in this version: ")


def test_a_rule_of_messages_may_read_them_and_count_them():
    (rule,) = policy("- {id: a, phase: stream, when: message.sent && message.size > 5, limit: 60/min, effect: throttle}").rules
    assert (rule.phase, rule.reads) == (Phase.STREAM, {"message.sent", "message.size"})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{id: a, when: message.sent, effect: block}", "'message.sent' is known of each message of a stream, add phase: stream"),
        ("{id: a, phase: stream, when: response.rows > 5, effect: block}", "'response.rows' is known when the answer is there"),
        ("{id: a, phase: stream, when: message.length > 5, effect: block}", "unknown name 'message.length'"),
        ("{id: a, phase: stream, effect: allow}", "messages of what was let out pass anyway"),
        ("{id: a, phase: stream, effect: block, limit: 9 tokens/min}", "of messages only their number is counted"),
    ],
)
def test_what_is_wrong_with_a_rule_of_messages_is_said(rule, message):
    assert any(said.startswith(message) for said in wrong(f"- {rule}"))


def test_a_rule_of_answers_may_read_them():
    (rule,) = policy("- {id: a, phase: response, when: response.rows > 5 || 'secret' in response.data, effect: block}").rules
    assert (rule.phase, rule.reads) == (Phase.RESPONSE, {"response.rows", "response.data"})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "{id: a, when: response.rows > 5, effect: block}",
            "'response.rows' is known when the answer is there, add phase: response",
        ),
        (
            "{id: a, phase: response, when: response.row > 5, effect: block}",
            "unknown name 'response.row', did you mean 'response.rows'?",
        ),
        (
            "{id: a, phase: response, when: response.rows > 5, effect: escalate}",
            "when the answer is there, all that can be done is to withhold it: use block, not escalate",
        ),
        (
            "{id: a, phase: response, when: response.rows > 5, effect: allow}",
            "when the answer is there, all that can be done is to withhold it: use block, not allow",
        ),
        (
            "{id: a, phase: response, effect: block, limit: 5/min}",
            "a limit is for what is asked, write a rule without phase: response for it",
        ),
        ("{id: a, phase: response, when: '\"pii\" in response.data', effect: block}", "no data is ever 'pii' in this version"),
    ],
)
def test_what_is_wrong_with_a_rule_of_answers_is_said(rule, message):
    assert any(said.startswith(message) for said in wrong(f"- {rule}"))


def test_the_owner_of_an_agent_may_approve_where_it_says_so():
    said = policy(more="approvers: {a: {need: 1, of: ann, owner: true}, b: {need: 1, of: ann}}").approvers
    assert (said["a"].owner, said["b"].owner) == (True, False)


@pytest.mark.parametrize("where", ["match: {data: pii}", "when: '\"pii\" in data'"])
def test_data_that_nothing_recognises_is_refused(where):
    assert any("pii" in message for message in wrong(f"- {{id: a, {where}, effect: block}}"))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{id: a, effekt: block, effect: block}", "a rule has no key 'effekt', did you mean 'effect'?"),
        ("{id: a}", "a rule lacks 'effect'"),
        (
            "{id: A b, effect: block}",
            "a name is small letters, digits, '-' and '_', starting with a letter, at most 63, not 'A b'",
        ),
        ("{id: otherwise, effect: block}", "'otherwise' is how a decision names the default, give this rule another id"),
        ("{id: a, effect: block, match: {service: crmm}}", "no service 'crmm' is known, did you mean 'crm'?"),
        (
            "{id: a, effect: block, match: {action: crm.updte_contact}}",
            "no action 'crm.updte_contact' is known, did you mean 'crm.update_contact'?",
        ),
        (
            "{id: a, effect: block, match: {action: 'crm.x*'}}",
            "no action 'crm.x*' is known, use one of crm.delete_all, crm.update_contact",
        ),
        ("{id: a, effect: block, match: {team: x}}", "'match' has no key 'team', did you mean 'agent.team'?"),
        (
            "{id: a, effect: block, match: {service: crm, action: payments.get_payment}}",
            "no action of this service is one of these actions, name the action alone",
        ),
        ("{id: a, effect: block, match: {service: []}}", "an empty list matches nothing, name at least one"),
        ("{id: a, effect: block, match: {tier: [T1, T1]}}", "'T1' is here twice, keep one"),
        ("{id: a, effect: block, match: {method: post}}", "a method is capital letters, as in POST, not 'post'"),
        (
            "{id: a, effect: block, match: {host: '*.com'}}",
            "'*.com' is too wide, '*.' goes before a name of two labels or more, as in *.example.com",
        ),
        (
            "{id: a, effect: block, match: {host: 'api.*.test'}}",
            "a host is a name as it goes on the wire or an address, a leading '*.' stands for any labels before it, not 'api.*.test'",
        ),
        (
            "{id: a, effect: allow, onTooLarge: block}",
            "an allow rule that can't be judged never matches, leave onTooLarge out",
        ),
        (
            "{id: a, phase: response, when: response.rows > 3, effect: block, onTooLarge: block}",
            "onTooLarge is for the body of a request: an answer or a message that is too large takes onError",
        ),
        ("{id: a, effect: allow, onError: block}", "an allow rule that can't be judged never matches, leave onError out"),
        ("{id: a, effect: block, onError: escalate}", "onError: escalate is weaker than effect: block, use block or stricter"),
        ("{id: a, effect: escalate, to: ops}", "no approvers 'ops' are in this policy"),
        ("{id: a, effect: block, when: agent.team}", "a condition is true or false, this one is text"),
        ("{id: a, effect: block, when: agent.age > 5}", "'>' does not go with a duration and a whole number"),
        ("{id: a, effect: block, when: during.ofice}", "unknown name 'during.ofice'"),
        (
            "{id: a, effect: block, when: 'agent.age > duration(\"7d\")'}",
            "duration() can't read \"7d\", write it like '36h' or '90m'; for days use days(7)",
        ),
        (
            "{id: a, effect: block, match: {action: payments.create_payment}, when: 'under(params.amount, \"10,000 GBP\")'}",
            "under() can't read \"10,000 GBP\", write it like '10000 GBP'",
        ),
        (
            "{id: a, effect: block, match: {action: payments.create_payment}, when: params.amuont.minor > 5}",
            "unknown parameter 'params.amuont', did you mean 'params.amount'?",
        ),
        (
            "{id: a, effect: block, match: {action: crm.update_contact}, when: params.note == 'x'}",
            "unknown parameter 'params.note', use one of params.id, params.tags, params.vip",
        ),
        (
            "{id: a, effect: block, match: {service: crm}, when: params.id > 5}",
            "'params.id' is no parameter of crm.delete_all, which this rule meets too; narrow it with match: action",
        ),
        (
            "{id: a, effect: block, match: {service: crm, params.id: 5}}",
            "'params.id' is no parameter of crm.delete_all, which this rule meets too; narrow it with match: action",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_says_what_was_meant(rule, message):
    assert message in wrong(f"- {rule}")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("approvers: {ops: {need: 3, of: [ann, ben]}}", "3 of 2 can never be had, name more people or need fewer"),
        ("approvers: {ops: {need: 0, of: ann}}", "'need' is a whole number from 1, not 0"),
        (
            "hours: {office: {days: mon-fri, from: 08:00, to: 19:00}}",
            "hours need a zone, add one to this file, as in zone: Europe/London",
        ),
        (
            "zone: Europe/Lundon\nhours: {office: {days: mon-fri, from: 08:00, to: 19:00}}",
            "no time zone 'Europe/Lundon' is known here, write it like Europe/London (or install tzdata)",
        ),
        (
            "zone: Europe/London\nhours: {office: {days: mon-fri, from: 08:00, to: 08:00}}",
            "these hours are empty, for a whole day write from: 00:00, to: 24:00",
        ),
        ("mocks: {paymnts: {answers: canned}}", "no service 'paymnts' is known, did you mean 'payments'?"),
        ("mocks: {payments: {}}", "a mock has a url, or answers: canned, or openapi: FILE: one of them"),
        (
            "colour: red",
            "a policy has no key 'colour', use one of approvers, hours, mocks, mode, otherwise, outgate, policy, rules, why, zone",
        ),
    ],
)
def test_what_is_wrong_around_the_rules_says_what_to_do(more, message):
    assert message in [line.split(": ", 1)[1] for line in said(written("- {id: a, effect: block}", more=more))]


def test_a_policy_must_say_what_holds_otherwise():
    assert "nothing says what holds where no rule allows" in said(written("- {id: a, effect: block}", otherwise=""))[0]


def test_an_empty_file_is_no_policy():
    assert said("")[0].startswith("a.yaml: a policy is a table with outgate, policy")


def test_no_file_is_no_policy():
    with pytest.raises(ConfigError, match="no policy was given"):
        load([], CATALOG)


def test_a_disabled_policy_is_none():
    assert "a policy that is disabled decides nothing" in said(written("- {id: a, effect: block}", mode="disabled"))[0]


def test_a_table_of_tiers_must_be_whole():
    assert "'otherwise' lacks 'T3', 'unmapped'" in said(written("", otherwise="otherwise: {T0: allow, T1: allow, T2: block}"))[0]


def test_one_word_holds_for_everything_otherwise():
    (otherwise,) = policy(otherwise="otherwise: block").otherwise
    assert {*otherwise.tiers, otherwise.read, otherwise.other} == {Effect.BLOCK}


def test_rules_of_several_files_are_one_set_and_an_id_is_given_once():
    one, other = written("- {id: a, effect: block}"), written("- {id: b, effect: block}", otherwise="")
    assert {rule.id for rule in load([("one", one), ("other", other)], CATALOG).rules} == {"a", "b"}
    with pytest.raises(ConfigError, match="rule 'a' is already at one:7"):
        load([("one", one), ("two", one)], CATALOG)


def test_hours_and_approvers_are_shared_between_files_and_mean_one_thing():
    hours = "zone: Europe/London\nhours: {office: {days: mon-fri, from: 08:00, to: 19:00}}"
    org = written("", more=hours)
    team = written("- {id: a, unless: during.office, effect: block}", otherwise="")
    assert load([("org", org), ("team", team)], CATALOG).rules[0].reads == {"during.office"}
    other = written("", more=hours.replace("19:00", "20:00"))
    with pytest.raises(ConfigError, match="'office' means something else in another file"):
        load([("org", org), ("other", other)], CATALOG)


def test_one_file_that_is_no_yaml_does_not_hide_the_problems_of_another():
    with pytest.raises(ConfigError) as caught:
        load([("a", "rules: ["), ("b", written("- {id: a, effect: blok}"))], CATALOG)
    assert {problem.source for problem in caught.value.problems} == {"a", "b"}


def test_words_that_other_yaml_takes_for_truth_values_stay_words():
    assert policy("- {id: no, match: {agent.team: [off, on, yes]}, effect: block}").rules[0].id == "no"


def test_the_digest_is_of_the_content_not_of_names_order_or_comments():
    one, other = written("- {id: a, effect: block}"), written("- {id: b, effect: block}", otherwise="")
    digest = load([("x", one), ("y", other)], CATALOG).digest
    assert load([("p", other), ("q", "# a comment\n" + one)], CATALOG).digest == digest
    assert load([("x", one.replace("block}", "escalate}")), ("y", other)], CATALOG).digest != digest


def test_parameters_that_callers_choose_may_have_any_type():
    rules = (
        "- {id: a, match: {action: 'tools.call:search'}, when: params.query == 'x' && params.deep.contains('y'), effect: block}"
    )
    assert policy(rules).rules[0].reads == {"params.query", "params.deep"}


def test_every_method_that_no_table_lists_can_be_named():
    assert policy(
        "- {id: a, match: {action: [http.POST, http.PROPFIND, 'http.*', crm.POST, crm.unreadable]}, effect: block}"
    ).rules


def test_the_place_of_a_problem_inside_a_block_of_text_is_exact():
    text = written(
        """
        - id: a
          effect: block
          when: |
            agent.team == "x" &&
              agnt.team == "y"
        """
    )
    assert said(text) == ["a.yaml:11:9: unknown name 'agnt.team', did you mean 'agent.team'?"]


def test_a_host_is_taken_in_small_letters():
    assert str(policy("- {id: a, match: {host: API.Test}, effect: block}").rules[0].scope.tests[0].wanted) == "api.test"
