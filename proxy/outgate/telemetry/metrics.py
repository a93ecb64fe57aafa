"""Every series that a gate shows to Prometheus, named once."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from outgate.policy.effect import Mode
from outgate.policy.limits import Hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from outgate.digest import Json
    from outgate.policy.decision import Decision
    from outgate.ports import Reserved

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
"""What a label says beyond its bound: names that an agent or a long life could multiply are never series without end."""

_AGENTS = 100
_RULES = 500
_FEW = 50
_KNOWN = 1000
_SHORT_DIGEST = 12

_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
_DELAYS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
_PEOPLE = (5, 15, 60, 300, 900, 3600, 4 * 3600, 8 * 3600, 24 * 3600, 3 * 24 * 3600)
"""Seconds until people have signed: a few at a terminal, days over a weekend."""
_RECEIPTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

_NOT_TAKEN = {Hold.BINDING: "refused", Hold.OBSERVED: "would-refuse", Hold.FORCED: "approved-over"}
_MICROS = 1_000_000


class _Bounded:
    """The first so many values of a label, then `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
        return value


class Metrics:
    """An Observer. No host, path or other word of a request is ever a label; the registry is its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._agent = _Bounded(_AGENTS)
        self._rule = _Bounded(_RULES)
        self._service = _Bounded(_FEW)
        self._word = _Bounded(_FEW)
        self._requests_and_rules()
        self._limits_and_usage()
        self._people_and_switch()
        self._inside()
        # on every request's path: looking a series up by its labels costs more than counting
        self._asked = lru_cache(_KNOWN)(self._requests.labels)
        self._concluded = lru_cache(_KNOWN)(self._outcomes.labels)
        self._took = lru_cache(_FEW)(self._stages.labels)
        Info("outgate_build", "The running version.", registry=self.registry).info({"version": version("outgate")})

    def _requests_and_rules(self) -> None:
        self._requests = self._counter(
            "outgate_requests",
            "Requests decided, by what was answered and what would have been with every rule enforced.",
            "agent", "answer", "would", "reason",
        )  # fmt: skip
        self._would = self._counter(
            "outgate_rule_would", "Requests that a rule would have stopped, were it enforced.", "rule", "effect"
        )
        self._stopped = self._counter("outgate_rule_stopped", "Requests that an enforced rule stopped.", "rule", "effect")
        self._outcomes = self._counter(
            "outgate_outcomes",
            "What became of requests that were let out; 'status' is the upstream's class of status.",
            "agent", "result", "status",
        )  # fmt: skip
        self._sandboxed = self._counter(
            "outgate_sandboxed",
            "Requests that went to the mock of a service; 'failed': it could not answer.",
            "service",
            "result",
        )
        self._withheld = self._counter(
            "outgate_withheld", "Answers of an upstream that were withheld, by the rule that did it.", "rule"
        )
        self._messages = self._counter(
            "outgate_messages",
            "Messages of what was let out that a rule stopped, that people approved, or that a rule would have stopped.",
            "agent", "result",
        )  # fmt: skip
        self._tunnels = self._counter(
            "outgate_tunnels_refused", "Tunnels and connections refused before any request was read.", "why"
        )
        self._limits = self._counter(
            "outgate_limits_reached", "Limits of the settings that an agent or an upstream ran into.", "limit"
        )
        self._strangers = self._counter(
            "outgate_identity_failures", "Requests refused because who asks is not known, or not any more.", "why"
        )
        self._around = self._counter("outgate_around_attempts", "Attempts to get out around the gate that the fence saw.", "how")
        self._trust = self._counter(
            "outgate_trust_failures", "TLS handshakes that failed on trust: a client's of us, or ours of an upstream.", "side"
        )
        self._open = self._gauge("outgate_open_connections", "Connections open now.", "side")
        self._agents = self._gauge("outgate_agents_connected", "Agents that have a connection open now.")

    def _limits_and_usage(self) -> None:
        self._charges = self._counter(
            "outgate_limit_charges",
            "Charges on a rule's limit: taken, refused, taken over it after approval, or refused were it enforced.",
            "rule", "result",
        )  # fmt: skip
        self._tokens = self._counter(
            "outgate_tokens", "Tokens of language models, as their answers say.", "agent", "service", "kind"
        )
        self._cost = self._counter(
            "outgate_cost", "Cost of language models in major units of a currency, estimated.", "agent", "service", "currency"
        )
        self._delays = self._histogram("outgate_delay_seconds", "Time that a safe request waited for its limit.", _DELAYS)

    def _people_and_switch(self) -> None:
        self._approvals = self._counter("outgate_approvals", "What happened to approvals.", "event")
        self._approval_seconds = self._histogram(
            "outgate_approval_seconds", "Time from asking until enough people had signed.", _PEOPLE
        )
        self._votes_refused = self._counter("outgate_votes_refused", "Signatures that counted for nothing.", "why")
        self._pending = self._gauge("outgate_approvals_pending", "Approvals that wait for people now.")
        self._oldest = self._gauge(
            "outgate_approval_oldest_seconds", "Age of the approval that waits longest; 0 where none does."
        )
        self._held = self._gauge("outgate_held_requests", "Requests held open now, waiting for an approval.")
        self._notifications = self._counter(
            "outgate_notifications", "Notifications about approvals: sent, failed after every try, or dropped.", "to", "result"
        )
        self._halts = self._gauge("outgate_halts", "Halts in effect now.", "scope")
        self._cuts = self._counter("outgate_exchanges_cut", "Exchanges cut in the middle by a halt.", "scope")

    def _inside(self) -> None:
        self._stages = self._histogram(
            "outgate_stage_seconds",
            "Time that a request spends in a stage of the gate; 'decide' is all of it, its receipt included.",
            _SECONDS,
            "stage",
        )
        self._groups = self._histogram("outgate_journal_group_receipts", "Receipts that became durable together.", _RECEIPTS)
        self._commits = self._histogram(
            "outgate_journal_commit_seconds",
            "Time that a group of receipts takes to be written, signed and on disk.",
            _SECONDS,
        )
        self._stores = self._histogram(
            "outgate_store_seconds", "Time that a step of the ledger or the desk takes.", _SECONDS, "store", "step"
        )
        self._store_failures = self._counter(
            "outgate_store_failures",
            "Steps of the ledger or the desk that failed; what needed them was refused.",
            "store",
            "step",
        )
        self._reloads = self._counter(
            "outgate_reloads", "Reloads of what people wrote; 'failed': the last good one stays.", "result"
        )
        self._loaded = self._gauge("outgate_loaded_timestamp_seconds", "When what is in force was loaded, in seconds since 1970.")
        self._reload_failing = self._gauge(
            "outgate_reload_failing", "1 where the newest reload failed and something older is in force."
        )
        self._policy = self._gauge(
            "outgate_policy_info", "The policy in force: the start of its digest, and its mode.", "digest", "mode"
        )
        self._clock_steps = self._counter(
            "outgate_clock_steps", "Steps of the machine's time; on a 'large' one rules that read time can't tell.", "size"
        )
        self._alarms = self._counter(
            "outgate_alarms", "Errors inside the gate; each one refused or aborted what it was about.", "doing"
        )
        self._unlogged = self._counter("outgate_log_lines_lost", "Log lines that could not be written.")

    def decided(self, agent: str, decision: Decision, seconds: float) -> None:
        self._asked(self._agent(agent), decision.answer, decision.would, decision.reason).inc()
        self._took("decide").observe(seconds)
        if decision.approval and decision.lets_out:
            self.approval("used")
        for rule, effect in sorted(_did_stop(decision)):
            self._stopped.labels(self._rule(rule), effect).inc()
        if decision.would > decision.answer:
            for rule, effect in sorted(_would_stop(decision)):
                self._would.labels(self._rule(rule), effect).inc()

    def concluded(self, agent: str, result: str, status: int | None) -> None:
        kind = f"{status // 100}xx" if status is not None and 100 <= status <= 599 else "none"
        self._concluded(self._agent(agent), result, kind).inc()

    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None:
        """Count an event. `about` gives a word for a label only where it is one of ours."""
        times = _number(about, "count", 1)
        match what:
            case "around":
                self.went_around(str(about.get("protocol", "")), times)
            case "tunnel-refused":
                self.tunnel_refused(str(about.get("detail", "")), times)
            case "trust-failed":
                self.untrusted("client", times)
            case "stranger":
                self._strangers.labels(self._word(str(about.get("why", "")))).inc(times)
            case "cut":
                self._cuts.labels(self._word(str(about.get("scope", "")))).inc(_number(about, "cut", 0))
            case "clock-stepped":
                self._clock_steps.labels("large" if about.get("large") is True else "small").inc()
            case "approval-asked":
                self.approval("asked")
            case "message-refused" | "message-approved" | "message-would":
                self._messages.labels(self._agent(agent), what.removeprefix("message-")).inc()
                if what == "message-approved":
                    self.approval("used")
            case _:
                pass  # start, stop, halt, resume, reload …: told by gauges, or by methods of their own

    def approval(self, event: str, *, waited: float | None = None) -> None:
        """Something became of an approval; `waited` are the seconds until it was granted."""
        self._approvals.labels(self._word(event)).inc()
        if waited is not None:
            self._approval_seconds.observe(waited)

    def reserved(self, reserved: Reserved) -> None:
        """What came of a reservation, by the rules whose limits they are. Where something binding was over, nothing was taken."""
        for charge, _ in reserved.taken:
            self._charges.labels(self._rule(charge.match.rule), "taken").inc(charge.amount)
        for over in reserved.over:
            result = _NOT_TAKEN[over.charge.hold]
            self._charges.labels(self._rule(over.charge.match.rule), result).inc(over.charge.amount)

    def used(self, agent: str, service: str, tokens: Mapping[str, int], cost_micros: int = 0, currency: str = "") -> None:
        """What an answer of a language model says that it took: tokens by kind, cost in millionths of a currency."""
        at = self._agent(agent), self._service(service)
        for kind, count in tokens.items():
            self._tokens.labels(*at, self._word(kind)).inc(max(0, count))
        if currency:
            self._cost.labels(*at, self._word(currency)).inc(max(0, cost_micros) / _MICROS)

    def delayed(self, seconds: float) -> None:
        """A safe request waited for its limit."""
        self._delays.observe(seconds)

    def waited(self, agent: str, why: str, seconds: float) -> None:  # noqa: ARG002  # the port's signature
        """A request was held for people, or delayed for a limit."""
        if why == "delayed":
            self.delayed(seconds)

    def sandboxed(self, service: str, *, answered: bool) -> None:
        """A request went to the mock of a service of the catalog."""
        self._sandboxed.labels(self._service(service), "answered" if answered else "failed").inc()

    def withheld(self, rules: Sequence[str]) -> None:
        """An answer was withheld, by these rules."""
        for rule in rules:
            self._withheld.labels(self._rule(rule)).inc()

    def vote_refused(self, why: str) -> None:
        """A signature counted for nothing. `why` is one of a few words."""
        self._votes_refused.labels(self._word(why)).inc()

    def notified(self, to: str, result: str) -> None:
        """A notification was `sent`, `failed` or `dropped`; `to` is the kind of place."""
        self._notifications.labels(self._word(to), self._word(result)).inc()

    def reloaded(self, ok: bool) -> None:  # noqa: FBT001  # the one thing that it says
        """What people wrote was read again: it is in force from now on, or the last good one stays."""
        self._reloads.labels("ok" if ok else "failed").inc()
        self._reload_failing.set(not ok)
        if ok:
            self._loaded.set_to_current_time()

    def in_force(self, digest: str, mode: str) -> None:
        """The policy that decides from now on."""
        self._policy.clear()
        self._policy.labels(digest.removeprefix("sha256:")[:_SHORT_DIGEST], mode).set(1)
        self._loaded.set_to_current_time()

    def stored(self, store: str, step: str, seconds: float, *, failed: bool = False) -> None:
        """A step of the `ledger` or the `desk` is done, or failed."""
        self._stores.labels(self._word(store), self._word(step)).observe(seconds)
        if failed:
            self._store_failures.labels(self._word(store), self._word(step)).inc()

    def committed(self, receipts: int, seconds: float) -> None:
        """A group of receipts became durable."""
        self._groups.observe(receipts)
        self._commits.observe(seconds)

    def tunnel_refused(self, why: str, times: int = 1) -> None:
        """Nothing was asked yet, and nothing will be. `why` is one of a few words."""
        self._tunnels.labels(self._word(why)).inc(times)

    def limit_reached(self, limit: str) -> None:
        """Somebody ran into a limit of the settings; what came of it is on record by itself."""
        self._limits.labels(self._word(limit)).inc()

    def went_around(self, how: str, times: int = 1) -> None:
        """The fence refused something. `how` is one of a few words, never where to."""
        self._around.labels(self._word(how)).inc(times)

    def untrusted(self, side: str, times: int = 1) -> None:
        """A handshake failed: `client` does not trust us, or we don't trust the `upstream`."""
        self._trust.labels(self._word(side)).inc(times)

    def connections(self, side: str, count: Callable[[], int]) -> None:
        """Who knows how many connections of a `client` or to an `upstream` are open: asked when somebody looks."""
        self._open.labels(self._word(side)).set_function(count)

    def connected(self, count: Callable[[], int]) -> None:
        """Who knows how many agents are connected: asked when somebody looks."""
        self._agents.set_function(count)

    def waiting(self, pending: Callable[[], int], oldest: Callable[[], float]) -> None:
        """Who knows how many approvals wait for people, and for how many seconds the oldest: asked when somebody looks."""
        self._pending.set_function(pending)
        self._oldest.set_function(oldest)

    def held(self, count: Callable[[], int]) -> None:
        """Who knows how many requests are held open for an approval: asked when somebody looks."""
        self._held.set_function(count)

    def halts(self, scope: str, count: Callable[[], int]) -> None:
        """Who knows how many halts of a scope (`agent`, `team`, `service`, `all`) are in effect: asked when somebody looks."""
        self._halts.labels(self._word(scope)).set_function(count)

    def alarmed(self, doing: str) -> None:
        """Something failed inside."""
        self._alarms.labels(self._word(doing)).inc()

    def unlogged(self) -> None:
        """A log line was lost."""
        self._unlogged.inc()

    def text(self) -> bytes:
        """The exposition (Prometheus text format 0.0.4)."""
        return generate_latest(self.registry)

    def series(self) -> Iterator[tuple[str, str]]:
        """Name and meaning of each, as Prometheus shows them: what documents and dashboards are compared with."""
        suffixes = {"counter": "_total", "info": "_info"}
        for family in self.registry.collect():
            yield family.name + suffixes.get(family.type, ""), family.documentation

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, registry=self.registry, buckets=buckets)


def _number(about: Mapping[str, Json], key: str, otherwise: int) -> int:
    """How many there were, where the record says so; repeated events are one."""
    said = about.get(key)
    return said if isinstance(said, int) and said >= 0 else otherwise


def _did_stop(decision: Decision) -> set[tuple[str, str]]:
    """The rules, each once, that made an answer which restricts."""
    return {
        (match.rule, str(match.effect))
        for verdict in decision.verdicts
        for match in verdict.matches
        if match.effect is decision.answer and match.effect.restricts and match.mode is Mode.ENFORCE
    }


def _would_stop(decision: Decision) -> set[tuple[str, str]]:
    """The rules, each once, that ask for more than was answered."""
    return {
        (match.rule, str(match.effect))
        for verdict in decision.verdicts
        for match in verdict.matches
        if match.effect > decision.answer
    }
