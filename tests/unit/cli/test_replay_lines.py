"""outgate.cli.replay_lines"""

from __future__ import annotations

import json

import pytest
from policies import NOON, policy

from outgate.analysis.replay import Change, Changed, Example, Report
from outgate.cli.replay_lines import MOST_SHOWN, fields, lines
from outgate.policy.effect import Effect

UNDER = policy("- {id: rate, match: {service: crm}, limit: 2/min, effect: throttle}")
PLAIN = policy()


def changed(
    before=Effect.ALLOW, after=Effect.BLOCK, *, let_out=True, rule="no-bulk", action="crm.delete_all", agent="coder", count=3
):
    kind = Change(before=before, after=after, let_out=let_out, rules=(rule,), action=action, agent=agent)
    example = Example(place=("0193c2", 7), at=NOON, call="GET https://api.crm.test/contacts/7")
    return kind, Changed(count=count, examples=[example])


def report(*changes, **said):
    whole = Report(decisions=10, replayed=9, first=NOON, last=NOON, changes=dict(changes), **said)
    whole.matrix[Effect.ALLOW, Effect.BLOCK] = 3
    return whole


def shown(whole, under=PLAIN, bound=None):
    return "\n".join(lines(whole, under, bound=bound))


def test_the_matrix_has_a_row_for_each_answer_that_was_given():
    text = shown(report())
    assert (
        "then / now     allow  throttle  escalate   sandbox     block\nallow              ·         ·         ·         ·         3\n"
        in text + "\n"
    )
    assert "\nblock" not in text


def test_a_kind_of_change_says_how_often_what_which_rule_and_who():
    assert (
        "let out then, stopped now: 3\n"
        "  3 x  block  no-bulk  crm.delete_all  coder\n"
        "      12:00:00 0193c2-7 GET https://api.crm.test/contacts/7" in shown(report(changed()))
    )


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (changed(Effect.ALLOW, Effect.BLOCK), "let out then, stopped now: 3\n  3 x  block "),
        (changed(Effect.BLOCK, Effect.ALLOW, let_out=False), "stopped then, let out now: 3\n  3 x  block "),
        (changed(Effect.ESCALATE, Effect.ALLOW), "let out by people then, let out without them now: 3\n  3 x  escalate "),
        (changed(Effect.ESCALATE, Effect.BLOCK), "let out then, stopped now: 3\n  3 x  block "),
        (
            changed(Effect.BLOCK, Effect.SANDBOX, let_out=False),
            "stopped then and now, by another answer: 3\n  3 x  block > sandbox ",
        ),
    ],
)
def test_every_change_has_its_section(change, title):
    assert title in shown(report(change))


def test_the_most_frequent_come_first_and_the_rest_is_counted():
    text = shown(report(*(changed(action=f"crm.a{n:02}", count=n) for n in range(1, MOST_SHOWN + 4))))
    assert text.index("crm.a15") < text.index("crm.a14")
    assert "and 3 more kinds: --json" in text


@pytest.mark.parametrize("width", [20, 300])
def test_no_line_is_wider_than_a_terminal(width):
    long = "x" * width
    change = changed(Effect.ESCALATE, Effect.THROTTLE, let_out=False, rule=long, action=long, agent=long)
    change[1].examples[0] = Example(place=(long, 7), at=NOON, call=long)
    whole = report(change)
    whole.lost[f"rule {' '.join([long[:70]] * 5)} reads it"] = 2
    whole.fixed["halted"] = 1
    assert max(map(len, shown(whole, UNDER, 0).splitlines())) <= 80


@pytest.mark.parametrize("hostile", ["\x1b[31mred", "a\rb", "\u202egnp", "a\nb", "\x9b2J"])
def test_hostile_text_can_not_drive_the_terminal(hostile):
    change = changed(rule=hostile, action=hostile, agent=hostile)
    change[1].examples[0] = Example(place=("w", 7), at=NOON, call=hostile)
    whole = report(change)
    whole.lost[hostile] = 1
    whole.fixed[hostile] = 1
    assert all(line.isprintable() for line in lines(whole, PLAIN, bound=None))
    assert not any(line.startswith("b") for line in lines(whole, PLAIN, bound=None))


def test_what_can_not_be_told_is_explained_and_counts_against_the_bound():
    whole = report(stopped=1, untold=2)
    whole.lost["rule r reads params.note, which the receipt does not hold"] = 2
    text = shown(whole, bound=2)
    assert "not replayable: 2\n       2 x rule r reads params.note" in text
    assert text.endswith("1 new stop, 2 that can't be told: more than the 2 that may be")
    assert shown(report(stopped=2), bound=2).endswith("2 new stops: no more than the 2 that may be")


def test_limits_waits_answers_and_what_is_nobodys_are_noted():
    whole = report(delayed=4, answers=5, messages=3, further=6)
    whole.fixed["destination"] = 7
    text = shown(whole, UNDER)
    for said in (
        "limits begin empty",
        "4 would have been let out after waiting",
        "answers of 5",
        "(3 messages in the record)",
        "6 more changes",
        "(destination 7)",
    ):
        assert said in text.replace("\n      ", " ")


def test_programs_get_all_of_it():
    whole = report(changed(), stopped=3)
    said = json.loads(json.dumps(fields(whole, PLAIN)))
    assert (said["decisions"], said["newStops"], said["matrix"]) == (10, 3, {"allow -> block": 3})
    (change,) = said["changes"]
    assert change == {
        "then": "allow",
        "letOut": True,
        "now": "block",
        "rules": ["no-bulk"],
        "action": "crm.delete_all",
        "agent": "coder",
        "count": 3,
        "examples": [{"receipt": "0193c2-7", "at": "2026-01-07T12:00:00.000Z", "request": "GET https://api.crm.test/contacts/7"}],
    }
