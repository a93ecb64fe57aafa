"""Every series that a gate shows to Prometheus, named once."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from outgate.digest import Json
    from outgate.policy.decision import Decision

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
"""What a label says beyond its bound: names that an agent or a long life could multiply are never series without end."""

_AGENTS = 100
_RULES = 500
_FEW = 50

_SECONDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
_RECEIPTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


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
        self._word = _Bounded(_FEW)

        self._requests = Counter(
            "outgate_requests",
            "Requests decided, by what was answered and what would have been with every rule enforced.",
            ("agent", "answer", "would", "reason"),
            registry=self.registry,
        )
        self._would = Counter(
            "outgate_rule_would",
            "Requests that a rule would have stopped, were it enforced.",
            ("rule", "effect"),
            registry=self.registry,
        )
        self._stages = Histogram(
            "outgate_stage_seconds",
            "Time that a request spends in a stage of the gate; 'decide' is all of it, its receipt included.",
            ("stage",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._outcomes = Counter(
            "outgate_outcomes",
            "What became of requests that were let out; 'status' is the upstream's class of status.",
            ("agent", "result", "status"),
            registry=self.registry,
        )
        self._groups = Histogram(
            "outgate_journal_group_receipts",
            "Receipts that became durable together.",
            registry=self.registry,
            buckets=_RECEIPTS,
        )
        self._commits = Histogram(
            "outgate_journal_commit_seconds",
            "Time that a group of receipts takes to be written, signed and on disk.",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._tunnels = Counter(
            "outgate_tunnels_refused",
            "Tunnels and connections refused before any request was read.",
            ("why",),
            registry=self.registry,
        )
        self._around = Counter(
            "outgate_around_attempts",
            "Attempts to get out around the gate that the fence saw.",
            ("how",),
            registry=self.registry,
        )
        self._trust = Counter(
            "outgate_trust_failures",
            "TLS handshakes that failed on trust: a client's of us, or ours of an upstream.",
            ("side",),
            registry=self.registry,
        )
        self._open = Gauge("outgate_open_connections", "Connections open now.", ("side",), registry=self.registry)
        self._alarms = Counter(
            "outgate_alarms",
            "Errors inside the gate; each one refused or aborted what it was about.",
            ("doing",),
            registry=self.registry,
        )
        self._unlogged = Counter("outgate_log_lines_lost", "Log lines that could not be written.", registry=self.registry)
        Info("outgate_build", "The running version.", registry=self.registry).info({"version": version("outgate")})

    def decided(self, agent: str, decision: Decision, seconds: float) -> None:
        self._requests.labels(self._agent(agent), str(decision.answer), str(decision.would), decision.reason.value).inc()
        self._stages.labels("decide").observe(seconds)
        if decision.would > decision.answer:
            for rule, effect in sorted(_would_stop(decision)):
                self._would.labels(self._rule(rule), effect).inc()

    def concluded(self, agent: str, result: str, status: int | None) -> None:
        kind = f"{status // 100}xx" if status is not None and 100 <= status <= 599 else "none"
        self._outcomes.labels(self._agent(agent), result, kind).inc()

    def noted(self, what: str, agent: str, about: Mapping[str, Json]) -> None:  # noqa: ARG002  # the port's signature
        match what:
            case "around":
                self.went_around(str(about.get("protocol", "")))
            case "tunnel-refused":
                self.tunnel_refused(str(about.get("detail", "")))
            case "trust-failed":
                self.untrusted("client")
            case _:
                pass

    def committed(self, receipts: int, seconds: float) -> None:
        """A group of receipts became durable."""
        self._groups.observe(receipts)
        self._commits.observe(seconds)

    def tunnel_refused(self, why: str) -> None:
        """Nothing was asked yet, and nothing will be. `why` is one of a few words."""
        self._tunnels.labels(self._word(why)).inc()

    def went_around(self, how: str) -> None:
        """The fence refused something. `how` is one of a few words, never where to."""
        self._around.labels(self._word(how)).inc()

    def untrusted(self, side: str) -> None:
        """A handshake failed: `client` does not trust us, or we don't trust the `upstream`."""
        self._trust.labels(self._word(side)).inc()

    def connections(self, side: str, count: Callable[[], int]) -> None:
        """Who knows how many connections of a `client` or to an `upstream` are open: asked when somebody looks."""
        self._open.labels(self._word(side)).set_function(count)

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


def _would_stop(decision: Decision) -> set[tuple[str, str]]:
    """The rules, each once, that ask for more than was answered."""
    return {
        (match.rule, str(match.effect))
        for verdict in decision.verdicts
        for match in verdict.matches
        if match.effect > decision.answer
    }
