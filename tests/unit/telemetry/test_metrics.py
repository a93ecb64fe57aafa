from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from outgate.actions.action import Action
from outgate.policy.decision import Decision, Match, Reason, Verdict
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import COUNT, Charge, Hold, Limit, Window
from outgate.ports import Over, Reserved
from outgate.telemetry.metrics import Metrics


def decision(answer=Effect.ALLOW, would=Effect.ALLOW, *matches):
    verdict = Verdict(action=Action(service="crm", operation="read"), answer=answer, would=would, matches=matches)
    return Decision(answer=answer, would=would, reason=Reason.POLICY, tell="", verdicts=(verdict,))


def match(rule, effect, mode=Mode.OBSERVE):
    return Match(rule=rule, effect=effect, mode=mode)


def samples(metrics, name):
    """Values by what the labels say, in the alphabetical order of the labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if sample.name == name
    }


def test_a_decision_is_counted_by_agent_answer_would_and_reason():
    metrics = Metrics()
    metrics.decided("coder", decision(Effect.ALLOW, Effect.BLOCK), 0.0001)
    assert samples(metrics, "outgate_requests_total") == {("coder", "allow", "policy", "block"): 1}
    assert samples(metrics, "outgate_stage_seconds_count") == {("decide",): 1}


def test_rules_that_would_have_stopped_a_request_are_named_once_each():
    metrics = Metrics()
    metrics.decided(
        "coder",
        decision(
            Effect.ALLOW,
            Effect.BLOCK,
            match("no-deletes", Effect.BLOCK),
            match("reads", Effect.ALLOW),
            match("no-deletes", Effect.BLOCK),
        ),
        0.1,
    )
    assert samples(metrics, "outgate_rule_would_total") == {("block", "no-deletes"): 1}


def test_a_rule_that_did_stop_a_request_only_would_have_no_more():
    metrics = Metrics()
    metrics.decided("coder", decision(Effect.BLOCK, Effect.BLOCK, match("no-deletes", Effect.BLOCK, Mode.ENFORCE)), 0.1)
    assert samples(metrics, "outgate_rule_would_total") == {}


def test_rules_that_did_stop_a_request_are_named_once_each_and_others_not():
    metrics = Metrics()
    enforced = [match(rule, Effect.BLOCK, Mode.ENFORCE) for rule in ("no-deletes", "no-deletes", "no-secrets")]
    weaker, observed = match("ask", Effect.ESCALATE, Mode.ENFORCE), match("tried", Effect.BLOCK)
    metrics.decided("coder", decision(Effect.BLOCK, Effect.BLOCK, *enforced, weaker, observed), 0.1)
    metrics.decided("coder", decision(Effect.ALLOW, Effect.ALLOW, match("reads", Effect.ALLOW, Mode.ENFORCE)), 0.1)
    assert samples(metrics, "outgate_rule_stopped_total") == {("block", "no-deletes"): 1, ("block", "no-secrets"): 1}


def test_an_outcome_is_counted_with_its_class_of_status():
    metrics = Metrics()
    for status in (200, 204, 503, None, 999):
        metrics.concluded("coder", "executed", status)
    assert samples(metrics, "outgate_outcomes_total") == {
        ("coder", "executed", "2xx"): 2,
        ("coder", "executed", "5xx"): 1,
        ("coder", "executed", "none"): 2,
    }


def test_agents_beyond_the_bound_are_one_series():
    metrics = Metrics()
    for n in range(300):
        metrics.decided(f"agent-{n}", decision(), 0.1)
    counted = samples(metrics, "outgate_requests_total")
    assert (len(counted), counted["other", "allow", "policy", "allow"]) == (101, 200)


def test_words_beyond_the_bound_are_one_series():
    metrics = Metrics()
    for n in range(300):
        metrics.tunnel_refused(f"why-{n}")
        metrics.alarmed(f"doing-{n}")
    assert len(samples(metrics, "outgate_tunnels_refused_total")) <= 51
    assert len(samples(metrics, "outgate_alarms_total")) <= 51


def test_open_connections_are_counted_when_somebody_looks():
    metrics = Metrics()
    connections = ["one", "two"]
    metrics.connections("client", lambda: len(connections))
    assert samples(metrics, "outgate_open_connections") == {("client",): 2}
    connections.pop()
    assert samples(metrics, "outgate_open_connections") == {("client",): 1}


def test_a_group_commit_is_measured():
    metrics = Metrics()
    metrics.committed(7, 0.003)
    assert (
        samples(metrics, "outgate_journal_group_receipts_sum")[()],
        samples(metrics, "outgate_journal_commit_seconds_count")[()],
    ) == (7, 1)


def test_what_the_fence_and_tls_refuse_is_counted():
    metrics = Metrics()
    metrics.went_around("connect")
    metrics.untrusted("client")
    metrics.unlogged()
    names = ("outgate_around_attempts_total", "outgate_trust_failures_total", "outgate_log_lines_lost_total")
    assert [sum(samples(metrics, name).values()) for name in names] == [1, 1, 1]


def charge(rule, amount=1, hold=Hold.BINDING):
    limit = Limit(amount=60, unit=COUNT, window=Window.MINUTE)
    return Charge(key=f"{rule}/coder", limit=limit, amount=amount, hold=hold, match=match(rule, Effect.THROTTLE))


def test_charges_are_counted_by_rule_and_by_what_came_of_them():
    metrics = Metrics()
    metrics.reserved(Reserved(taken=((charge("rate"), None), (charge("rate", 4), None))))
    metrics.reserved(
        Reserved(
            over=tuple(Over(charge=charge("rate", 2, hold), wait=None) for hold in (Hold.BINDING, Hold.OBSERVED, Hold.FORCED))
        )
    )
    assert samples(metrics, "outgate_limit_charges_total") == {
        ("taken", "rate"): 5,
        ("refused", "rate"): 2,
        ("would-refuse", "rate"): 2,
        ("approved-over", "rate"): 2,
    }


def test_what_models_used_is_counted_by_agent_and_service():
    metrics = Metrics()
    metrics.used("coder", "openai", {"input": 900, "output": 100}, 2_500_000, "USD")
    metrics.used("coder", "openai", {"input": 100})
    assert samples(metrics, "outgate_tokens_total") == {("coder", "input", "openai"): 1000, ("coder", "output", "openai"): 100}
    assert samples(metrics, "outgate_cost_total") == {("coder", "USD", "openai"): 2.5}


def test_an_answer_that_claims_less_than_nothing_takes_nothing_off():
    metrics = Metrics()
    metrics.used("coder", "openai", {"input": -5}, -1, "USD")
    assert samples(metrics, "outgate_tokens_total") == {("coder", "input", "openai"): 0}
    assert samples(metrics, "outgate_cost_total") == {("coder", "USD", "openai"): 0}


@pytest.mark.parametrize("event", ["asked", "granted", "denied", "expired", "used"])
def test_what_happens_to_approvals_is_counted(event):
    metrics = Metrics()
    metrics.approval(event)
    assert samples(metrics, "outgate_approvals_total") == {(event,): 1}


def test_an_approval_that_is_asked_for_is_an_event_and_one_that_is_used_a_decision():
    metrics = Metrics()
    metrics.noted("approval-asked", "coder", {"approval": "abcd-efgh-2345"})
    metrics.decided("coder", replace(decision(), approval="abcd-efgh-2345"), 0.1)
    metrics.decided("coder", replace(decision(Effect.BLOCK, Effect.BLOCK), approval="abcd-efgh-2345"), 0.1)
    assert samples(metrics, "outgate_approvals_total") == {("asked",): 1, ("used",): 1}


def test_a_message_that_a_rule_spoke_of_is_an_event_and_one_that_people_approved_uses_their_approval():
    metrics = Metrics()
    for what in ("refused", "refused", "approved", "would"):
        metrics.noted(f"message-{what}", "coder", {"rules": ["x"], "over": "grpc"})
    assert samples(metrics, "outgate_messages_total") == {
        ("coder", "refused"): 2,
        ("coder", "approved"): 1,
        ("coder", "would"): 1,
    }
    assert samples(metrics, "outgate_approvals_total") == {("used",): 1}


def test_how_long_people_took_is_measured_when_it_is_granted():
    metrics = Metrics()
    metrics.approval("granted", waited=90)
    assert samples(metrics, "outgate_approval_seconds_sum") == {(): 90}


def test_events_count_where_they_matter_and_nowhere_else():
    metrics = Metrics()
    metrics.noted("stranger", "", {"why": "wrong-token", "host": "evil.test"})
    metrics.noted("stranger", "", {"why": "wrong-token", "host": "evil.test", "count": 41})
    metrics.noted("cut", "", {"scope": "agent", "name": "evil", "cut": 3})
    metrics.noted("clock-stepped", "", {"milliseconds": 3600, "large": True})
    metrics.noted("halt", "-", {"scope": "all"})
    assert samples(metrics, "outgate_identity_failures_total") == {("wrong-token",): 42}
    assert samples(metrics, "outgate_exchanges_cut_total") == {("agent",): 3}
    assert samples(metrics, "outgate_clock_steps_total") == {("large",): 1}
    assert b"evil" not in metrics.text()


def test_mocks_answer_or_fail_by_service():
    metrics = Metrics()
    metrics.sandboxed("stripe", answered=True)
    metrics.sandboxed("stripe", answered=False)
    assert samples(metrics, "outgate_sandboxed_total") == {("answered", "stripe"): 1, ("failed", "stripe"): 1}


def test_withheld_answers_votes_delays_and_notifications_are_counted():
    metrics = Metrics()
    metrics.withheld(["rows", "pii"])
    metrics.vote_refused("expired")
    metrics.delayed(0.3)
    metrics.notified("webhook", "failed")
    assert samples(metrics, "outgate_withheld_total") == {("rows",): 1, ("pii",): 1}
    assert samples(metrics, "outgate_votes_refused_total") == {("expired",): 1}
    assert samples(metrics, "outgate_delay_seconds_sum") == {(): 0.3}
    assert samples(metrics, "outgate_notifications_total") == {("failed", "webhook"): 1}


def test_a_failed_reload_leaves_the_old_one_in_force_and_says_so():
    metrics = Metrics()
    metrics.in_force("sha256:" + "a" * 64, "enforce")
    metrics.reloaded(True)
    at = samples(metrics, "outgate_loaded_timestamp_seconds")
    metrics.reloaded(False)
    assert samples(metrics, "outgate_reloads_total") == {("ok",): 1, ("failed",): 1}
    assert samples(metrics, "outgate_reload_failing") == {(): 1}
    assert samples(metrics, "outgate_loaded_timestamp_seconds") == at
    metrics.reloaded(True)
    assert samples(metrics, "outgate_reload_failing") == {(): 0}


def test_only_the_policy_in_force_is_shown():
    metrics = Metrics()
    metrics.in_force("sha256:" + "a" * 64, "observe")
    metrics.in_force("sha256:" + "b" * 64, "enforce")
    assert samples(metrics, "outgate_policy_info") == {("b" * 12, "enforce"): 1}


def test_what_waits_is_asked_when_somebody_looks():
    metrics = Metrics()
    waiting = [30.0, 5.0]
    metrics.waiting(lambda: len(waiting), lambda: max(waiting, default=0))
    metrics.held(lambda: 3)
    metrics.connected(lambda: 7)
    metrics.halts("team", lambda: 2)
    waiting.append(99.0)
    names = ("approvals_pending", "approval_oldest_seconds", "held_requests", "agents_connected", "halts")
    assert [next(iter(samples(metrics, f"outgate_{name}").values())) for name in names] == [3, 99, 3, 7, 2]


def test_a_store_that_fails_is_timed_and_counted():
    metrics = Metrics()
    metrics.stored("ledger", "reserve", 0.002)
    metrics.stored("ledger", "reserve", 5.0, failed=True)
    assert samples(metrics, "outgate_store_seconds_count") == {("reserve", "ledger"): 2}
    assert samples(metrics, "outgate_store_failures_total") == {("reserve", "ledger"): 1}


def test_services_beyond_the_bound_are_one_series():
    metrics = Metrics()
    for n in range(300):
        metrics.sandboxed(f"service-{n}", answered=True)
        metrics.used("coder", f"service-{n}", {"input": 1})
    assert len(samples(metrics, "outgate_sandboxed_total")) == 51
    assert len(samples(metrics, "outgate_tokens_total")) == 51


def test_two_gates_in_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.decided("coder", decision(), 0.1)
    assert samples(other, "outgate_requests_total") == {}


def test_every_series_is_ours_and_says_what_it_is():
    named = list(Metrics().series())
    assert len(named) == len({name for name, _ in named})
    assert all(name.startswith("outgate_") and meaning.endswith(".") for name, meaning in named)


def test_every_series_that_is_shown_is_named():
    metrics = Metrics()
    metrics.decided("coder", decision(), 0.1)
    shown = {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    named = {name.removesuffix("_total") for name, _ in metrics.series()}
    assert {name for name in shown if not name.endswith("_created")} == named
