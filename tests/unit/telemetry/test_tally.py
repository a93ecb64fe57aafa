"""outgate.telemetry.tally"""

from __future__ import annotations

from dataclasses import replace

import pytest
from receipts_made import action, decided

from outgate.actions.action import Access, Confidence, Tier
from outgate.policy.decision import Reason, refusal
from outgate.policy.effect import Effect
from outgate.ports import Reserved
from outgate.telemetry.tally import MOST_ROWS, Observers, Tally

DELETE = action("github.repos/delete", "acme/site", access=Access.DELETE, tier=Tier.T3, why="irreversible")
GUESS = action("http.POST", "paste.test/new", access=Access.UNKNOWN, confidence=Confidence.HEURISTIC)


def tallied(*decisions):
    tally = Tally()
    for decision in decisions:
        tally.decided("coder", decision, 0.001)
    return tally


def test_requests_accesses_and_services_are_counted():
    tally = tallied(decided(), decided(Effect.ALLOW, DELETE, GUESS))
    assert (tally.requests, tally.let_out) == (2, 2)
    assert tally.accesses == {"read": 1, "delete": 1, "unknown": 1}
    assert tally.services == {"github", "paste.test"}, "of what nobody knows, its host"


def test_what_was_stopped_and_what_would_have_been_are_apart():
    tally = tallied(decided(Effect.BLOCK, DELETE), decided(Effect.ALLOW, DELETE, would=Effect.ESCALATE), decided())
    assert (tally.stopped_requests, tally.would_stop_requests, tally.let_out) == (1, 1, 2)
    assert [stop.effect for stop in tally.stopped] == [Effect.BLOCK]
    assert [stop.effect for stop in tally.would_stop] == [Effect.ESCALATE]


def test_the_same_again_is_one_row():
    tally = tallied(*[decided(Effect.BLOCK, DELETE)] * 3)
    assert list(tally.stopped.values()) == [3]


def test_a_guess_has_no_tier_and_goes_by_its_host():
    (stop,) = tallied(decided(Effect.BLOCK, GUESS)).stopped
    assert (stop.name, stop.resource, stop.tier) == ("http.POST", "paste.test", "?")


def test_what_was_refused_before_its_policy_is_a_row_with_its_reason():
    (stop,) = tallied(refusal(Reason.UNREADABLE, "Two hosts.")).stopped
    assert (stop.name, stop.why) == ("request", "unreadable")


def test_an_agent_fills_no_memory_with_new_names():
    tally = tallied(*[decided(Effect.BLOCK, action(f"github.repos/x{n}")) for n in range(MOST_ROWS + 50)])
    for n in range(MOST_ROWS + 50):
        tally.noted("trust-failed", "coder", {"host": f"h{n}.test"})
        tally.noted("tunnel-refused", "coder", {"host": f"h{n}.test", "port": 22})
        tally.noted("approval-asked", "coder", {"approval": f"a{n}", "actions": ["crm.delete_all"]})
        tally.decided("coder", decided(Effect.ALLOW, action(f"s{n}.get", confidence=Confidence.CATALOG)), 0.0)
    assert [len(one) for one in (tally.stopped, tally.untrusting, tally.tunnels, tally.services, tally.asked)] == [MOST_ROWS] * 5
    assert tally.stopped_requests == MOST_ROWS + 50, "what is not kept is still counted"


def test_answers_mocks_and_what_was_withheld_are_counted():
    tally = tallied(decided(Effect.THROTTLE), decided(Effect.THROTTLE), decided(), replace(decided(), approval="abcd"))
    tally.concluded("coder", "mocked", 200)
    tally.concluded("coder", "withheld", 200)
    tally.concluded("coder", "executed", 200)
    assert tally.answers == {Effect.THROTTLE: 2, Effect.ALLOW: 2}
    assert (tally.approved, tally.mocked, tally.kept_back, tally.outcomes) == (1, 1, 1, 3)


def test_approvals_are_kept_with_what_they_are_for():
    tally = Tally()
    tally.noted("approval-asked", "coder", {"approval": "one", "actions": ["a.b x", "c.d"]})
    tally.noted("approval-asked", "coder", {"approval": "two", "actions": None})
    assert tally.asked == {"one": "a.b x +1", "two": ""}


def test_events_of_other_kinds_are_nobodys():
    tally = Tally()
    tally.noted("start", "coder", {})
    assert (tally.untrusting, tally.tunnels) == (set(), {})


def test_several_observers_all_hear_everything():
    one, other = Tally(), Tally()
    both = Observers((one, other))
    both.decided("coder", decided(), 0.1)
    both.concluded("coder", "executed", 200)
    both.noted("tunnel-refused", "coder", {"host": "h.test", "port": 22})
    both.waited("coder", "held", 1.0)
    both.reserved(Reserved())
    both.used("coder", "openai", {"input": 1})
    both.sandboxed("stripe", answered=True)
    both.withheld(["rows"])
    for tally in (one, other):
        assert (tally.requests, tally.outcomes, dict(tally.tunnels)) == (1, 1, {"h.test:22": 1})


@pytest.mark.parametrize("error", [RuntimeError("a first one")])
def test_one_that_raises_is_not_passed_over(error):
    class Broken(Tally):
        def concluded(self, agent, result, status):
            raise error

    with pytest.raises(RuntimeError):
        Observers((Broken(), Tally())).concluded("coder", "executed", 200)
