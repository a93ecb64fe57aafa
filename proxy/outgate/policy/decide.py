"""Decide: the strictest match wins. Pure, total, without order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.policy.decision import Decision, Match, Reason, Verdict, refusal
from outgate.policy.effect import Effect, Mode
from outgate.policy.facts import Needs
from outgate.policy.matching import MATCH, NO_MATCH, Erred, Holds
from outgate.policy.rule import OTHERWISE
from outgate.policy.tell import default_tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.action import Action
    from outgate.policy.conditions import Activation, Condition, Language
    from outgate.policy.facts import Facts
    from outgate.policy.matching import Test, Truth
    from outgate.policy.rule import Policy, Rule

_MOST_TOLD = 3
NO_ACTION = "It is not known what this request does, so it was not sent. Tell the operator; do not retry."


def needs(policy: Policy) -> Needs:
    """What to gather before deciding, known from the policy alone."""
    acting = [rule for rule in policy.rules if rule.acts is not Mode.DISABLED]
    reads = frozenset[str]().union(*policy.reads.values())
    return Needs(agent_since="agent.age" in reads, data="data" in reads or any(rule.scope.test("data") for rule in acting))


def decide(policy: Policy, actions: tuple[Action, ...], facts: Facts) -> Decision:
    """Decide a request: each action for itself, the strictest for all of it. Never raises."""
    if not actions:
        return refusal(Reason.CANNOT_DECIDE, NO_ACTION, why="a request without an action")
    verdicts = tuple(_verdict(policy, action, facts) for action in actions)
    answer = max(verdict.answer for verdict in verdicts)
    return Decision(
        answer=answer,
        would=max(verdict.would for verdict in verdicts),
        reason=Reason.POLICY,
        tell=_tell(answer, verdicts),
        why=_why(verdicts),
        verdicts=verdicts,
    )


class Circumstances:
    """One action with its facts. What conditions read is looked up once, when the first of them is asked."""

    __slots__ = ("_activations", "_policy", "action", "facts")

    def __init__(self, policy: Policy, action: Action, facts: Facts) -> None:
        self.action, self.facts = action, facts
        self._policy = policy
        self._activations: dict[Language, Activation] = {}

    def holds(self, condition: Condition) -> Truth:
        """Whether a condition holds here."""
        language = condition.language
        found = self._activations.get(language)
        if found is None:
            found = self._activations[language] = language.activation(self._policy.reads[language], self.action, self.facts)
        return condition.holds(found)


def holds(rule: Rule, at: Circumstances) -> Truth:
    """Whether all of a rule holds. One part that certainly does not settles it; else one that can't be told does."""
    return _holds(rule, rule.scope.tests, at)


def _holds(rule: Rule, tests: tuple[Test, ...], at: Circumstances) -> Truth:
    erred: Erred | None = None
    for test in tests:
        truth = test.holds(at.action, at.facts)
        if truth is NO_MATCH:
            return NO_MATCH
        if isinstance(truth, Erred):
            erred = erred or truth
    if rule.when is not None:
        truth = at.holds(rule.when)
        if truth is NO_MATCH:
            return NO_MATCH
        if isinstance(truth, Erred):
            erred = erred or truth
    if rule.unless is not None:
        truth = at.holds(rule.unless)
        if truth is MATCH:
            return NO_MATCH
        if isinstance(truth, Erred):
            erred = erred or truth
    return erred or MATCH


def _verdict(policy: Policy, action: Action, facts: Facts) -> Verdict:
    at = Circumstances(policy, action, facts)
    found = policy.index.candidates(action)
    matches = [match for one in found if (match := _match(one.rule, _holds(one.rule, one.tests, at))) is not None]
    matches.sort(key=lambda match: match.rule)
    allowed = max((match.mode for match in matches if match.effect is Effect.ALLOW), default=Mode.DISABLED)
    enforced, observed = policy.base(action)
    enforced = Effect.ALLOW if allowed is Mode.ENFORCE else enforced
    observed = observed if allowed is Mode.DISABLED else Effect.ALLOW
    return Verdict(
        action=action,
        answer=max([enforced, *(match.effect for match in matches if match.mode is Mode.ENFORCE)]),
        would=max([observed, *(match.effect for match in matches)]),
        matches=(*matches, *_otherwise(enforced, observed, unless=matches, mode=policy.mode)),
    )


def _match(rule: Rule, truth: Truth) -> Match | None:
    """A restriction that can't be told restricts; a permission that can't be told permits nothing."""
    match truth:
        case Holds.NO_MATCH:
            return None
        case Holds.MATCH:
            return Match(rule=rule.id, effect=rule.effect, mode=rule.acts, tell=rule.tell)
        case Erred(code):
            if not rule.effect.restricts:
                return None
            return Match(rule=rule.id, effect=max(rule.effect, rule.on_error), mode=rule.acts, error=code, tell=rule.tell)


def _otherwise(enforced: Effect, observed: Effect, *, unless: list[Match], mode: Mode) -> Iterator[Match]:
    """The default: where it restricts, and where nothing else spoke."""
    if enforced.restricts:
        yield Match(rule=OTHERWISE, effect=enforced, mode=Mode.ENFORCE)
    if observed > enforced:
        yield Match(rule=OTHERWISE, effect=observed, mode=Mode.OBSERVE)
    if not (unless or enforced.restricts or observed.restricts):
        yield Match(rule=OTHERWISE, effect=Effect.ALLOW, mode=mode)


def _tell(answer: Effect, verdicts: tuple[Verdict, ...]) -> str:
    """What the rules that made the answer say, each sentence once; where they say nothing, what was refused and what helps."""
    if not answer.restricts:
        return ""
    strictest = [verdict for verdict in verdicts if verdict.answer is answer]
    said = {
        match.tell: None
        for verdict in strictest
        for match in verdict.matches
        if match.tell and match.effect is answer and match.mode is Mode.ENFORCE
    }
    return " ".join(list(said)[:_MOST_TOLD]) or default_tell(answer, strictest[0].action)


def _why(verdicts: tuple[Verdict, ...]) -> str:
    """For the operator: the rules that restrict, or would."""
    said = {_named(match): None for verdict in verdicts for match in verdict.matches if match.effect.restricts}
    return "; ".join(said)


def _named(match: Match) -> str:
    observed = "" if match.mode is Mode.ENFORCE else ", observed"
    return f"{match.rule}: {match.effect}{observed}" + (f" ({match.error})" if match.error else "")
