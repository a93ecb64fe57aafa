"""Decide: the strictest match wins. Pure, total, without order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.paths import is_ambiguous, spellings
from outgate.policy.decision import Decision, Match, Reason, Verdict, refusal
from outgate.policy.effect import Effect, Mode
from outgate.policy.facts import Needs
from outgate.policy.limits import Hold
from outgate.policy.matching import MATCH, NO_MATCH, Erred
from outgate.policy.meter import Take, charges, spoken, take
from outgate.policy.names import ESTATE_NAMES
from outgate.policy.rule import OTHERWISE
from outgate.policy.tell import AMBIGUOUS_TELL, default_tell, withheld_tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.actions.action import Action
    from outgate.policy.conditions import Activation, Condition, Language
    from outgate.policy.facts import Answered, Facts
    from outgate.policy.index import Candidate, Index
    from outgate.policy.limits import Charge
    from outgate.policy.matching import Test, Truth
    from outgate.policy.rule import Policy, Rule

_MOST_TOLD = 3
_BY_PATH = frozenset({"action.resource", "request.path"})
AMBIGUOUS = "ambiguous-path"
"""Why `otherwise` holds though a rule would have permitted the request."""
NO_ACTION = "It is not known what this request does, so it was not sent. Tell the operator; do not retry."


def needs(policy: Policy) -> Needs:
    """What to gather before deciding, known from the policy alone."""
    acting = [rule for rule in policy.rules if rule.acts is not Mode.DISABLED]
    reads = frozenset[str]().union(*policy.reads.values())
    by_data = [rule for rule in acting if rule.scope.test("data") or "data" in rule.reads]
    return Needs(
        agent_since="agent.age" in reads,
        data="data" in reads or bool(by_data),
        estate=not reads.isdisjoint(ESTATE_NAMES),
        permits_by_data=any(not rule.effect.restricts for rule in by_data),
    )


def asks_people(policy: Policy, actions: tuple[Action, ...], facts: Facts) -> bool:
    """Whether people may be asked about this, whatever its limits and its body's data come to."""
    return any(_may_ask(policy, action, facts) for action in actions)


def decide(policy: Policy, actions: tuple[Action, ...], facts: Facts) -> Decision:
    """Decide a request: each action for itself, the strictest for all of it. Never raises.

    Limits are not asked yet: `charges` says which apply if something may leave, and `raised` what holds over them.
    """
    if not actions:
        return refusal(Reason.CANNOT_DECIDE, NO_ACTION, why="a request without an action")
    takes: list[Take] = []
    verdicts = tuple(_verdict(policy, action, facts, number, takes) for number, action in enumerate(actions))
    return _decided(verdicts, charges(takes) if takes else ())


def raised(decision: Decision, over: Iterable[Charge]) -> Decision:
    """The decision where these of its charges are over their limits: each asks for its effect. Never looser."""
    if decision.reason is not Reason.POLICY or not decision.verdicts:
        return decision
    added: dict[int, list[Match]] = {}
    for charge in over:
        for number in charge.verdicts:
            added.setdefault(number, []).append(charge.match)
    verdicts = tuple(_with(verdict, added.get(number, [])) for number, verdict in enumerate(decision.verdicts))
    return _decided(verdicts, decision.charges, decision.approval)


def discharged(decision: Decision, rules: frozenset[str], approval: str) -> Decision:
    """The decision where people approved what these rules escalate, and nothing else: no other effect is lifted.

    What goes over a limit of theirs was approved too: it is taken by force.
    """
    if decision.reason is not Reason.POLICY or not decision.verdicts:
        return decision
    verdicts = tuple(
        _reckoned(verdict.action, tuple(match for match in verdict.matches if not _escalated(match, rules)))
        for verdict in decision.verdicts
    )
    forced = (replace(one, hold=Hold.FORCED) if _escalated(one.match, rules) else one for one in decision.charges)
    return _decided(verdicts, tuple(forced), approval)


def reads_answer(policy: Policy, decision: Decision, facts: Facts) -> bool:
    """Whether some rule may withhold the answer: all of it must be read before the client gets any of it."""
    return any(_may_stop(policy.answers, policy, verdict.action, facts) for verdict in decision.verdicts)


def decide_answer(policy: Policy, decision: Decision, facts: Facts, answered: Answered) -> Decision:
    """Decide on the answer to a request that was let out: block withholds it. It has happened, and `tell` says so."""
    if not decision.verdicts:
        return refusal(Reason.CANNOT_DECIDE, NO_ACTION, why="an answer to no action")
    at = replace(facts, answered=answered)
    verdicts = tuple(_answer_verdict(policy, verdict.action, at) for verdict in decision.verdicts)
    made = _decided(verdicts, (), decision.approval)
    first = next((verdict.action for verdict in verdicts if verdict.answer.restricts), None)
    return made if first is None else replace(made, tell=withheld_tell(_said(made.answer, verdicts), first))


def hears(policy: Policy, decision: Decision, facts: Facts) -> bool:
    """Whether some rule may stop a message of what is let out: then each is asked about."""
    return needs(policy).data or hears_both(policy, decision, facts)


def hears_both(policy: Policy, decision: Decision, facts: Facts) -> bool:
    """Whether some rule is for messages themselves: then those of the upstream are asked about too."""
    return any(_may_stop(policy.messages, policy, verdict.action, facts) for verdict in decision.verdicts)


def decide_message(policy: Policy, before: Decision, facts: Facts, data: frozenset[str]) -> Decision:
    """Decide on one message of what was let out by `before`. `data` are the classes in it.

    Rules for messages are asked, and of one that the agent sent, every restriction on requests that did not match before: what
    was let out for its head is not let out for what is said later. What goes to nobody in particular is not asked again.
    """
    if not before.verdicts or facts.message is None:
        return refusal(Reason.CANNOT_DECIDE, NO_ACTION, why="a message of no action")
    takes: list[Take] = []
    said = (replace(verdict, action=replace(verdict.action, data=data)) for verdict in before.verdicts)
    verdicts = tuple(_message_verdict(policy, verdict, facts, number, takes) for number, verdict in enumerate(said))
    return _decided(verdicts, charges(takes) if takes else ())


class Circumstances:
    """One action with its facts. What conditions read is looked up once, when the first of them is asked."""

    __slots__ = ("_activations", "_others", "_policy", "action", "facts")

    def __init__(self, policy: Policy, action: Action, facts: Facts) -> None:
        self.action, self.facts = action, facts
        self._policy = policy
        self._activations: dict[Language, Activation] = {}
        self._others: tuple[Circumstances, ...] | None = None

    def holds(self, condition: Condition) -> Truth:
        """Whether a condition holds here."""
        language = condition.language
        found = self._activations.get(language)
        if found is None:
            found = self._activations[language] = language.activation(self._policy.reads[language], self.action, self.facts)
        return condition.holds(found)

    @property
    def others(self) -> tuple[Circumstances, ...]:
        """The same with path and resource as other servers may read them, where some may."""
        if self._others is None:
            action, request = self.action, self.facts.request
            pairs = dict.fromkeys(zip(spellings(action.resource), spellings(request.path), strict=True))
            pairs.pop((action.resource, request.path))
            self._others = tuple(self._as(resource, path) for resource, path in pairs)
        return self._others

    def _as(self, resource: str, path: str) -> Circumstances:
        facts = replace(self.facts, request=replace(self.facts.request, path=path))
        return Circumstances(self._policy, replace(self.action, resource=resource), facts)


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
    met = _met(rule, at)
    return met if met is NO_MATCH else erred or met


def _met(rule: Rule, at: Circumstances) -> Truth:
    """Whether the conditions hold, however servers read the path: for a restriction in one way, for a permission in all."""
    said = [condition for condition in (rule.when, rule.unless) if condition is not None]
    first = _conditions(rule, at)
    if not any(condition.reads & _BY_PATH for condition in said) or not at.others:
        return first
    truths = [first, *(_conditions(rule, other) for other in at.others)]
    wanted, other = (MATCH, NO_MATCH) if rule.effect.restricts else (NO_MATCH, MATCH)
    if wanted in truths:
        return wanted
    return next((truth for truth in truths if isinstance(truth, Erred)), other)


def _conditions(rule: Rule, at: Circumstances) -> Truth:
    erred: Erred | None = None
    if rule.when is not None:
        truth = at.holds(rule.when)
        if truth is NO_MATCH:
            return NO_MATCH
        erred = truth if isinstance(truth, Erred) else None
    if rule.unless is not None:
        truth = at.holds(rule.unless)
        if truth is MATCH:
            return NO_MATCH
        erred = erred or (truth if isinstance(truth, Erred) else None)
    return erred or MATCH


def _verdict(policy: Policy, action: Action, facts: Facts, number: int, takes: list[Take]) -> Verdict:
    at = Circumstances(policy, action, facts)
    found = policy.index.candidates(action)
    matches = [match for one in found if (match := _match(one, at, number, takes)) is not None]
    matches.sort(key=_rule_of)
    matches, error = _permitted(matches, action, facts)
    allowed = max((match.mode for match in matches if match.effect is Effect.ALLOW), default=Mode.DISABLED)
    enforced, observed = policy.base(action, observe=facts.agent.observe)
    enforced = Effect.ALLOW if allowed is Mode.ENFORCE else enforced
    observed = observed if allowed is Mode.DISABLED else Effect.ALLOW
    if enforced.restricts or observed.restricts:
        matches.extend(_otherwise(policy, action, enforced, observed, error))
    elif not matches:
        mode = Mode.OBSERVE if facts.agent.observe else policy.mode
        matches.append(Match(rule=OTHERWISE, effect=Effect.ALLOW, mode=mode))
    return _reckoned(action, tuple(matches))


def _permitted(matches: list[Match], action: Action, facts: Facts) -> tuple[list[Match], str]:
    """A path that servers read in several ways satisfies no permission: nobody knows which of them was meant by it."""
    if action.exact or not any(match.effect is Effect.ALLOW for match in matches) or not is_ambiguous(facts.request.path):
        return matches, ""
    return [match for match in matches if match.effect is not Effect.ALLOW], AMBIGUOUS


def _may_ask(policy: Policy, action: Action, facts: Facts) -> bool:
    at = Circumstances(policy, action, facts)
    for one in policy.index.candidates(action):
        asks = Effect.ESCALATE in {one.rule.effect, one.rule.on_error} and one.rule.acts_on(facts.agent) is Mode.ENFORCE
        if asks and _holds(one.rule, one.tests, at) is not NO_MATCH:
            return True
    matches = _verdict(policy, action, facts, 0, []).matches
    return any(match.effect is Effect.ESCALATE and match.mode is Mode.ENFORCE for match in matches)


def _may_stop(rules: Index, policy: Policy, action: Action, facts: Facts) -> bool:
    """Before it is there, what it says can't be told: a rule that certainly does not hold without it never will."""
    at = Circumstances(policy, action, facts)
    return any(_holds(one.rule, one.tests, at) is not NO_MATCH for one in rules.candidates(action))


def _answer_verdict(policy: Policy, action: Action, facts: Facts) -> Verdict:
    at, takes = Circumstances(policy, action, facts), list[Take]()
    found = (_match(one, at, 0, takes) for one in policy.answers.candidates(action))
    return _reckoned(action, tuple(sorted(filter(None, found), key=_rule_of)))


def _message_verdict(policy: Policy, before: Verdict, facts: Facts, number: int, takes: list[Take]) -> Verdict:
    action, known = before.action, {match.rule for match in before.matches}
    at = Circumstances(policy, action, facts)
    rules = [*policy.messages.candidates(action)]
    if facts.message is not None and facts.message.sent:
        again = policy.index.candidates(action)
        rules += [one for one in again if one.rule.effect.restricts and not one.rule.limit and one.rule.id not in known]
    found = (_match(one, at, number, takes) for one in rules)
    return _reckoned(action, tuple(sorted(filter(None, found), key=_rule_of)))


def _rule_of(match: Match) -> tuple[bool, str, str, int]:
    """The order of matches: rules by id, then what holds otherwise."""
    return match.rule == OTHERWISE, match.rule, match.to, -match.mode


def _match(one: Candidate, at: Circumstances, number: int, takes: list[Take]) -> Match | None:
    """A restriction that can't be told restricts; a permission that can't be told permits nothing.

    A limit is no match yet: what is taken of it is noted, and where that can't be told, it restricts as well.
    """
    rule, truth = one.rule, _holds(one.rule, one.tests, at)
    if truth is NO_MATCH:
        return None
    if rule.limit is not None and truth is MATCH:
        took = take(rule, at.action, at.facts, number)
        if not isinstance(took, Erred):
            takes.extend([] if took is None else [took])
            return None
        truth = took
    if truth is MATCH:
        return spoken(rule, at.facts)
    return spoken(rule, at.facts, error=truth.code) if isinstance(truth, Erred) and rule.effect.restricts else None


def _otherwise(policy: Policy, action: Action, enforced: Effect, observed: Effect, error: str) -> Iterator[Match]:
    """The default, where it restricts; once for each file's approvers that it asks."""
    said = [(enforced, Mode.ENFORCE)] if enforced.restricts else []
    said += [(observed, Mode.OBSERVE)] if observed > enforced else []
    tell = AMBIGUOUS_TELL if error else ""
    for effect, mode in said:
        for to in policy.asked(action, effect, mode) if effect is Effect.ESCALATE else ("",):
            yield Match(rule=OTHERWISE, effect=effect, mode=mode, to=to, error=error, tell=tell)


def _reckoned(action: Action, matches: tuple[Match, ...]) -> Verdict:
    """What matches come to. A permission that is only observed lifts the default in what would be."""
    answer = would = Effect.ALLOW
    lifted = any(match.effect is Effect.ALLOW and match.rule != OTHERWISE for match in matches)
    for match in matches:
        if match.mode is Mode.ENFORCE and match.effect > answer:
            answer = match.effect
        if match.effect > would and not (lifted and match.rule == OTHERWISE):
            would = match.effect
    return Verdict(action=action, answer=answer, would=would, matches=matches)


def _with(verdict: Verdict, added: list[Match]) -> Verdict:
    if not added:
        return verdict
    kept = (match for match in verdict.matches if match.rule != OTHERWISE or match.effect.restricts)
    return _reckoned(verdict.action, tuple(sorted({*kept, *added}, key=_rule_of)))


def _escalated(match: Match, rules: frozenset[str]) -> bool:
    return match.rule in rules and match.effect is Effect.ESCALATE and match.mode is Mode.ENFORCE


def _decided(verdicts: tuple[Verdict, ...], charges: tuple[Charge, ...], approval: str = "") -> Decision:
    answer = max(verdict.answer for verdict in verdicts)
    return Decision(
        answer=answer,
        would=max(verdict.would for verdict in verdicts),
        reason=Reason.POLICY,
        tell=_tell(answer, verdicts),
        why=_why(verdicts),
        verdicts=verdicts,
        charges=charges,
        approval=approval,
    )


def _tell(answer: Effect, verdicts: tuple[Verdict, ...]) -> str:
    """What the rules that made the answer say; where they say nothing, what was refused and what helps."""
    if not answer.restricts:
        return ""
    strictest = next(verdict for verdict in verdicts if verdict.answer is answer)
    return _said(answer, verdicts) or default_tell(answer, strictest.action)


def _said(answer: Effect, verdicts: tuple[Verdict, ...]) -> str:
    """The sentences of the rules that made the answer, each once."""
    strictest = [verdict for verdict in verdicts if verdict.answer is answer]
    said = {
        match.tell: None
        for verdict in strictest
        for match in verdict.matches
        if match.tell and match.effect is answer and match.mode is Mode.ENFORCE
    }
    return " ".join(list(said)[:_MOST_TOLD])


def _why(verdicts: tuple[Verdict, ...]) -> str:
    """For the operator: the rules that restrict, or would."""
    said = {_named(match): None for verdict in verdicts for match in verdict.matches if match.effect.restricts}
    return "; ".join(said)


def _named(match: Match) -> str:
    observed = "" if match.mode is Mode.ENFORCE else ", observed"
    return f"{match.rule}: {match.effect}{observed}" + (f" ({match.error})" if match.error else "")
