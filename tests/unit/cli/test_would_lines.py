"""outgate.cli.would_lines"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from receipts_made import NOW, action, decided, decision, outcome

from outgate.cli.would_lines import MOST_SHOWN, Would
from outgate.intake.agents import Agent
from outgate.policy.effect import Effect
from outgate.ports import Stamp
from outgate.receipts.chain import Receipt


def receipt(body: dict[str, Any], seq: int = 7) -> Receipt:
    return Receipt(line=b"", writer="0193c2", seq=seq, prev="", type=body["type"], fields=body)


def observed(*actions: Any, would: Effect = Effect.BLOCK, agent: str = "coder", rule: str = "no-deletes", **said: Any) -> Receipt:
    verdicts = decided(Effect.ALLOW, *actions, would=would).verdicts
    body = decision(verdicts=verdicts, would=would, agent=Agent(id=agent), **said)
    return receipt(body | {"rules": [{"id": rule, "effect": str(would), "mode": "observe", "error": ""}]})


def lines(*receipts: Receipt) -> list[str]:
    counted = Would()
    for one in receipts:
        counted.add(one)
    return list(counted.lines())


DELETE = action("github.repos/delete")


def test_what_would_be_stopped_is_counted_by_rule_action_and_agent_with_examples() -> None:
    assert lines(*[observed(DELETE)] * 12, observed(DELETE, agent="other"), receipt(decision())) == [
        "14 decisions, 2026-01-31 08:00 to 2026-01-31 08:00 UTC",
        "had everything been enforced, 13 would have been stopped, of 2 agents:",
        "  12 x  block  no-deletes  github.repos/delete  coder",
        "      2026-01-31 08:00:00 0193c2-7 GET api.github.com/repos/acme/site",
        "      2026-01-31 08:00:00 0193c2-7 GET api.github.com/repos/acme/site",
        "  1 x   block  no-deletes  github.repos/delete  other",
        "      2026-01-31 08:00:00 0193c2-7 GET api.github.com/repos/acme/site",
    ]


def test_what_was_stopped_already_would_not_be_stopped_more() -> None:
    assert lines(receipt(decision(Effect.BLOCK)))[1] == "had everything been enforced, nothing more would have been stopped"


def test_what_is_stopped_would_be_stopped_harder() -> None:
    body = decision(Effect.ESCALATE, would=Effect.BLOCK)
    assert "1 would have been stopped" in lines(receipt(body))[1]


def test_outcomes_and_events_are_no_decisions() -> None:
    assert lines(receipt(outcome(Stamp(writer="w", seq=0)))) == ["no decisions here"]


def test_of_several_actions_the_one_that_would_be_stopped_is_named() -> None:
    both = observed(action(), DELETE)
    both.fields["actions"][0]["would"] = "allow"
    assert "github.repos/delete +1" in lines(both)[2]


def test_what_no_rule_stops_says_why() -> None:
    body = decision(would=Effect.BLOCK, why="10.0.0.1 is private") | {"rules": []}
    assert "10.0.0.1 is private" in lines(receipt(body))[2]


def test_the_span_is_that_of_all_decisions() -> None:
    later = receipt(decision(at=NOW + timedelta(days=2)))
    assert lines(later, observed(DELETE))[0] == "2 decisions, 2026-01-31 08:00 to 2026-02-02 08:00 UTC"


def test_beyond_a_page_the_rest_is_counted() -> None:
    many = lines(*(observed(action(f"github.x{n}")) for n in range(MOST_SHOWN + 3)))
    assert many[-1] == "  and 3 more kinds: --agent, --action, --since, --json"


@pytest.mark.parametrize("hostile", ["\x1b[31mred", "a\rb", "\u202egnp", "a\nb", "\x9b2J", "x" * 500])
def test_hostile_text_can_not_drive_the_terminal(hostile: str) -> None:
    one = observed(DELETE, rule=hostile)
    one.fields["agent"]["id"] = hostile
    one.fields["request"]["path"] = hostile
    one.fields["actions"][0]["name"] = hostile
    shown = lines(one)
    assert all(line.isprintable() and len(line) <= 80 for line in shown)
