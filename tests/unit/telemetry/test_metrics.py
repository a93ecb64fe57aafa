from prometheus_client.parser import text_string_to_metric_families

from outgate.actions.action import Action
from outgate.policy.decision import Decision, Match, Reason, Verdict
from outgate.policy.effect import Effect, Mode
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


def test_two_gates_in_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.decided("coder", decision(), 0.1)
    assert samples(other, "outgate_requests_total") == {}


def test_every_series_is_ours_and_says_what_it_is():
    named = list(Metrics().series())
    assert len(named) == len({name for name, _ in named}) == 13
    assert all(name.startswith("outgate_") and meaning.endswith(".") for name, meaning in named)


def test_every_series_that_is_shown_is_named():
    metrics = Metrics()
    metrics.decided("coder", decision(), 0.1)
    shown = {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    named = {name.removesuffix("_total") for name, _ in metrics.series()}
    assert {name for name in shown if not name.endswith("_created")} == named
