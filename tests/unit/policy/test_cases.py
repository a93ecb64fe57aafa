from datetime import timedelta
from pathlib import Path

import pytest
from policies import CATALOG, policy, written

from outgate.errors import ConfigError
from outgate.intake.request import WholeBody
from outgate.policy.cases import read_cases, run
from outgate.policy.lint import lint
from outgate.policy.load import load
from outgate.stores.catalog_files import load_catalog

HEAD = "outgate: cases/v1alpha\npolicy: tried\n"
RULES = """
- {id: posts, match: {action: http.POST}, effect: block, tell: Nothing is posted.}
- {id: young, when: agent.age < days(7), effect: sandbox}
- {id: data, match: {data: secret}, effect: block}
- {id: never, match: {service: payments}, effect: block}
"""


def tried(case, head=HEAD):
    (one,) = run(read_cases(f"{head}cases:\n  - {case}", "c.yaml").cases, policy(RULES), CATALOG)
    return one


def wrong(case):
    with pytest.raises(ConfigError) as caught:
        read_cases(f"{HEAD}cases:\n  - {case}", "c.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "case",
    [
        "{name: a, request: POST https://x.test/y, body: hi, actions: http.POST x.test/y, answer: block, would: block, rules: posts}",
        "{name: a, request: POST https://x.test/y, answer: block, tells: Nothing is}",
        "{name: a, request: GET https://x.test/, agent: {age: 2d}, answer: sandbox}",
        "{name: a, request: GET https://x.test/, actions: http.GET, answer: escalate, rules: otherwise}",
        "{name: a, request: GET https://x.test/, mode: observe, answer: allow, would: escalate}",
        "{name: a, request: GET https://x.test/, data: secret, answer: block, rules: data}",
        "{name: a, request: POST https://x.test/, body: x, unread: true, answer: block, rules: [posts, data]}",
        "{name: a, request: POST https://x.test/, body: x, tooLarge: true, answer: block, rules: [posts, data]}",
    ],
)
def test_a_case_that_comes_out_as_it_says_passes(case):
    assert tried(case).wrong == ()


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{name: a, request: GET https://x.test/, answer: allow}", "answer: got escalate; expected allow (otherwise: escalate)"),
        (
            "{name: a, request: GET https://x.test/, answer: escalate, would: block}",
            "would: got escalate; expected block (otherwise: escalate)",
        ),
        ("{name: a, request: GET https://x.test/, answer: escalate, rules: [posts]}", "rules: got otherwise; expected posts"),
        (
            "{name: a, request: GET https://x.test/, answer: escalate, actions: crm.x}",
            "actions: got http.GET x.test/; expected crm.x",
        ),
        ("{name: a, request: GET https://x.test/%2e%2e/, answer: escalate}", "the request has no one reading: "),
        (
            "{name: a, request: POST https://x.test/, answer: block, tells: Sorry}",
            "tells: got 'Nothing is posted.'; expected 'Sorry' in it",
        ),
    ],
)
def test_a_case_that_does_not_says_what_came_and_what_was_expected(case, said):
    (wrong,) = tried(case).wrong
    assert wrong.startswith(said)


def test_a_case_names_the_rules_that_it_met():
    assert tried("{name: a, request: POST https://x.test/y, answer: block}").matched == {"posts", "otherwise"}


def test_a_body_is_text_json_or_pkt_lines():
    cases = read_cases(
        HEAD
        + """cases:
  - {name: a, request: POST https://x.test/, body: hi, answer: block}
  - {name: b, request: POST https://x.test/, json: {a: [1, é]}, answer: block}
  - {name: c, request: POST https://x.test/, pkt: [want], answer: block}
""",
        "c",
    ).cases
    assert [case.call.body for case in cases] == [
        WholeBody(b"hi"),
        WholeBody('{"a": [1, "é"]}'.encode()),
        WholeBody(b"0008want0000"),
    ]


def test_an_agent_of_the_file_is_every_case_s_unless_it_says_otherwise():
    cases = read_cases(
        HEAD
        + "agent: {id: a, team: t, permissions: p}\ncases:\n  - {name: a, request: GET https://x.test/, agent: {team: u}, answer: block}",
        "c",
    ).cases
    assert (cases[0].agent.id, cases[0].agent.team, cases[0].agent.permissions) == ("a", "u", {"p"})


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{name: a, request: https://x.test/, answer: block}", "a request is a method and a URL"),
        ("{name: a, request: GET https://x.test/, answer: blok}", "unknown answer 'blok', did you mean 'block'?"),
        ("{name: a, request: GET https://u@x.test/, answer: block}", "is no call, write it like"),
        ("{name: a, request: GET https://x.test/, body: a, json: b, answer: block}", "a case has one body, not body and json"),
        ("{name: a, request: GET https://x.test/, answer: block, expect: x}", "a case has no key 'expect'"),
        ("{name: a, request: GET https://x.test/, now: 2026-13-01T00:00:00Z, answer: block}", "month must be in 1..12"),
    ],
)
def test_a_file_of_cases_that_is_wrong_says_where(case, said):
    (line,) = wrong(case)
    assert line.startswith("c.yaml:4:")
    assert said in line


def test_two_cases_of_one_name_are_refused():
    case = "{name: a, request: GET https://x.test/, answer: block}"
    assert "two cases are called 'a'" in wrong(f"{case}\n  - {case.replace('GET', 'PUT')}")[0]


GUARDED = """
- {id: rate, match: {action: http.GET}, effect: throttle, limit: 5/min}
- {id: ask, match: {action: http.PUT}, effect: escalate, to: ops}
- {id: rows, match: {host: x.test}, phase: response, when: response.rows > 5, effect: block, tell: Too much.}
- {id: early, when: during.early, effect: block}
- {id: leaks, match: {host: w.test, data: secret}, effect: block, tell: Secrets stay.}
- {id: long, phase: stream, match: {host: w.test}, when: message.sent && message.size > 9, effect: escalate, to: ops}
- {id: chatty, phase: stream, match: {host: w.test}, limit: 9/min, effect: throttle}
"""
AROUND = """
zone: Europe/London
approvers: {ops: {need: 1, of: ann}}
hours: {early: {days: mon-sun, from: 04:00, to: 05:00}}
"""


def guarded(case):
    under = policy(GUARDED, otherwise="otherwise: allow", more=AROUND)
    (one,) = run(read_cases(f"{HEAD}cases:\n  - {case}", "c.yaml").cases, under, CATALOG)
    return one


@pytest.mark.parametrize(
    "case",
    [
        "{name: a, request: GET https://x.test/, answer: allow, limits: rate, rules: otherwise}",
        "{name: a, request: PATCH https://x.test/, answer: allow, limits: none}",
        "{name: a, request: GET https://x.test/, over: rate, answer: throttle, rules: rate}",
        "{name: a, request: PUT https://x.test/, answer: escalate, asks: ops}",
        "{name: a, request: PUT https://x.test/, approved: true, asks: ops, answer: allow, rules: ask}",
        "{name: a, request: GET https://x.test/, answer: allow, asks: none}",
        "{name: a, request: GET https://x.test/, answer: allow, unsteady: true, agent: {observe: true}, would: block}",
        "{name: a, request: GET https://x.test/, unsteady: true, answer: block, rules: early}",
        "{name: a, request: GET https://x.test/, response: {rows: 6}, answer: allow, withheld: true, rules: rows, tells: Too much}",
        "{name: a, request: GET https://x.test/, response: {rows: 5}, answer: allow, withheld: false}",
        "{name: a, request: GET https://x.test/, response: {status: 200}, answer: allow, withheld: true}",
        "{name: a, request: GET https://x.test/, response: {rows: 6, data: none}, agent: {observe: true}, answer: allow}",
        "{name: a, request: PUT https://x.test/, approved: true, response: {rows: 9}, answer: allow, withheld: true, rules: [ask, rows]}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {text: hi, answer: allow}, limits: chatty, rules: none}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {text: hi, answer: throttle}, over: chatty}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {size: 10, answer: escalate}, asks: ops, rules: long}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {size: 10, answer: allow}, asks: ops, approved: true}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {size: 10, from: upstream, answer: allow}}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {json: {a: 1}, data: secret, answer: block}, rules: leaks}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {unread: true, over: grpc, answer: block}, tells: Secrets}",
        "{name: a, request: PATCH https://w.test/, answer: allow, agent: {observe: true}, message: {size: 10, answer: allow, would: escalate}}",
        "{name: a, request: PATCH https://w.test/, answer: allow, message: {text: %s, answer: block}}"
        % ("AKIA" + "Z2345ABCDEFGHIJK"),
    ],
)
def test_limits_people_and_answers_are_cases_too(case):
    assert guarded(case).wrong == ()


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{name: a, request: PATCH https://x.test/, over: rate, answer: allow}", "over: no limit of rate is for this request"),
        ("{name: a, request: GET https://x.test/, limits: none, answer: allow}", "limits: got rate; expected none"),
        ("{name: a, request: PUT https://x.test/, asks: leads, answer: escalate}", "asks: got ops; expected leads"),
        ("{name: a, request: GET https://x.test/, approved: true, answer: allow}", "approved: nothing of this escalates"),
        (
            "{name: a, request: PUT https://x.test/, response: {rows: 1}, answer: escalate}",
            "response: there is none, the answer is escalate",
        ),
        (
            "{name: a, request: GET https://x.test/, response: {rows: 6}, answer: allow}",
            "withheld: got true; expected false",
        ),
        (
            "{name: a, request: GET https://x.test/, response: {rows: 1}, withheld: true, answer: allow}",
            "withheld: got false; expected true",
        ),
        (
            "{name: a, request: PATCH https://w.test/, answer: allow, message: {size: 10, answer: allow}}",
            "message: got escalate; expected allow (long: escalate)",
        ),
        (
            "{name: a, request: PATCH https://w.test/, answer: allow, message: {text: hi, answer: allow, would: block}}",
            "message would: got allow; expected block (no rule restricts)",
        ),
        (
            "{name: a, request: PUT https://x.test/, answer: escalate, message: {text: hi, answer: allow}}",
            "message: none is sent, the answer is escalate",
        ),
    ],
)
def test_a_case_of_those_that_does_not_says_what_came(case, said):
    (wrong,) = guarded(case).wrong
    assert wrong.startswith(said)


def test_a_rule_whose_limit_is_met_has_a_case():
    assert guarded("{name: a, request: GET https://x.test/, answer: allow}").matched == {"rate", "otherwise"}


def test_only_an_answer_can_be_withheld():
    (line,) = wrong("{name: a, request: GET https://x.test/, withheld: true, answer: allow}")
    assert line.startswith("c.yaml:4:45: only an answer can be withheld, add response: ")


def test_a_message_has_one_content():
    (line,) = wrong("{name: a, request: GET https://x.test/, answer: allow, message: {text: a, size: 1, answer: allow}}")
    assert line.endswith("a message has one content, not text and size")


MISSION = Path(__file__).parents[2] / "cases" / "mission"
SUITE = read_cases((MISSION / "cases.yaml").read_text(), "cases.yaml")
SERVICES = load_catalog(*(MISSION / f"{name}.yaml" for name in ("payments", "crm", "invoices")))
ORGANISATION = load([("policy.yaml", (MISSION / "policy.yaml").read_text())], SERVICES)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in SUITE.cases])
def test_what_an_organisation_asks_of_its_agents_can_be_said(case):
    (tried,) = run([case], ORGANISATION, SERVICES)
    assert tried.wrong == ()


def test_every_sentence_of_it_has_a_case_and_none_is_in_vain():
    assert lint(ORGANISATION, SERVICES) == ()
    matched = frozenset().union(*(tried.matched for tried in run(SUITE.cases, ORGANISATION, SERVICES)))
    assert {rule.id for rule in ORGANISATION.rules} <= matched


def test_two_people_have_a_day_to_approve_that_all_is_deleted():
    of = ORGANISATION.approvers["two-in-a-day"]
    assert (of.need, of.within) == (2, timedelta(hours=24))


OWNED = """
- {id: only-ours, match: {service: payments}, unless: destination.owned, effect: block}
- {id: by-ours, match: {service: crm}, when: request.credential != "ours", effect: block}
"""


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        ("request: GET https://x.test/, owned: 'shop:a'", "escalate"),
        ("request: GET https://api.github.com/repos/acme/site, owned: 'organisation:acme'", "allow"),
        ("request: GET https://api.github.com/repos/acme/site, owned: 'organisation:a*'", "allow"),
        ("request: GET https://api.github.com/repos/evil/site, owned: 'organisation:acme'", "block"),
        ("request: GET https://api.github.com/repos/acme/site", "block"),
        ("request: GET https://api.github.com/user, owned: 'organisation:acme'", "block"),
        ("request: GET https://slack.com/api/auth.test, credential: ours", "allow"),
        ("request: GET https://slack.com/api/auth.test, credential: foreign", "block"),
        ("request: GET https://slack.com/api/auth.test, credential: none", "block"),
        ("request: GET https://slack.com/api/auth.test", "block"),
    ],
)
def test_whose_a_thing_is_and_whose_the_credential_counts_and_what_nobody_said_blocks(case, answer):
    catalog = load_catalog()
    text = written(OWNED.replace("payments", "github").replace("crm", "slack"))
    under = load([("tried.yaml", text)], catalog)
    (one,) = run(read_cases(f"{HEAD}cases:\n  - {{name: a, {case}, answer: {answer}}}", "c.yaml").cases, under, catalog)
    assert one.wrong == ()
