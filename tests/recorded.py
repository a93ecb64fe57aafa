"""Receipts of decisions and outcomes as a gate writes them, one after another, for what reads logs again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from policies import facts

from outgate.policy.decide import decide, needs
from outgate.ports import Stamp
from outgate.receipts.receipt import Outcome, Result, decision_body, outcome_body


@dataclass
class Record:
    """One writer's receipts, decided under a policy."""

    under: Any
    receipts: list[dict[str, Any]] = field(default_factory=list)

    def decided(self, *actions, asked: str = "", unsteady: bool = False, **said) -> Stamp:
        """Decide and write it down; `said` are facts."""
        given = replace(facts(**said), unsteady=unsteady)
        decision = decide(self.under, actions, given)
        body = decision_body(
            at=given.now,
            agent=given.agent,
            request=given.request,
            decision=decision,
            policy=self.under.digest,
            pin=None,
            asked=asked,
            facts=given,
            looked=needs(self.under).data,
        )
        return self.add(body)

    def came(self, of: Stamp, result: Result = Result.EXECUTED, **said) -> Stamp:
        return self.add(outcome_body(of, facts().now, Outcome(result=result, **said)))

    def add(self, body: dict[str, Any]) -> Stamp:
        stamp = Stamp(writer="w1", seq=len(self.receipts))
        self.receipts.append({**body, "v": 1, "writer": stamp.writer, "seq": stamp.seq, "prev": ""})
        return stamp
