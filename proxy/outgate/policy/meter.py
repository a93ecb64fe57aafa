"""Meter: what a request takes of a limit, and of whose."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Money
from outgate.actions.paths import plain
from outgate.digest import sha256
from outgate.intake.bodies import DECODED_LIMIT, WHOLE_LIMIT
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody
from outgate.policy.amounts import micros
from outgate.policy.decision import Match
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import COUNT, MOST, MOST_COUNT, TOKENS, Charge, Hold
from outgate.policy.matching import Erred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from outgate.actions.action import Action
    from outgate.intake.request import Body
    from outgate.policy.facts import Facts
    from outgate.policy.rule import Rule

BYTES_A_TOKEN = 4
"""About: what goes in is estimated from the length of the body, and settled by what the provider counts."""
ANSWER_TOKENS = 1024
"""What an answer is taken for where the request does not say how long it may be."""
MICROS_A_TOKEN = 15
"""What a token is taken to cost before the provider's count is known: 15 of the currency's units a million tokens."""
COST_CURRENCY = "USD"
"""In which costs of models are known."""
_ANSWER_PARAMS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_CHOICES = "n"
_LONGEST_KEY = 200
_DATA = "missing:data"
_OF_BODIES = (_DATA, "missing:params", "missing:resource", "missing:request.body")
"""Errors of what stands in a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What one action takes of the limit of one rule. `whole`: the request takes it once, however many of its actions say so."""

    rule: Rule
    key: str
    amount: int
    whole: bool
    verdict: int
    match: Match


def take(rule: Rule, action: Action, facts: Facts, verdict: int) -> Take | Erred | None:
    """What this action takes of the rule's limit; None where it takes nothing of that kind; Erred where that can't be told."""
    limit = rule.limit
    if limit is None:
        return None
    amount = _amount(rule, action, facts)
    if amount is None or isinstance(amount, Erred):
        return amount
    key = _key(rule, action, facts)
    if isinstance(key, Erred):
        return key
    whole = limit.unit != COUNT and action.service in rule.models
    return Take(rule=rule, key=key, amount=amount, whole=whole, verdict=verdict, match=spoken(rule, facts))


def spoken(rule: Rule, facts: Facts, *, error: str = "") -> Match:
    """The match of a rule that holds; where it matches because of an error, at least what it says for that."""
    effect = rule.effect
    if error:
        too_large = rule.on_too_large is not None and _is_too_large(facts.request.body, error)
        effect = rule.on_too_large if too_large and rule.on_too_large is not None else max(rule.effect, rule.on_error)
    to = rule.to if effect is Effect.ESCALATE else ""
    return Match(rule=rule.id, effect=effect, mode=rule.acts_on(facts.agent), error=error, tell=rule.tell, to=to)


def _is_too_large(body: Body, error: str) -> bool:
    """Whether it can't be told because of that: the body is too large to be parsed, or even to be searched."""
    if not error.startswith(_OF_BODIES):
        return False
    match body:
        case SpooledBody(size=size):
            return size > (WHOLE_LIMIT if error == _DATA else DECODED_LIMIT)
        case UnreadBody(too_large=too_large):
            return too_large
        case NoBody() | WholeBody():
            return False


def charges(takes: Iterable[Take]) -> tuple[Charge, ...]:
    """One for each rule and counter, in the order of their keys."""
    by_key: dict[str, list[Take]] = defaultdict(list)
    for one in takes:
        by_key[one.key].append(one)
    return tuple(_charge(key, by_key[key]) for key in sorted(by_key))


def _charge(key: str, takes: list[Take]) -> Charge:
    first = takes[0]
    if first.rule.limit is None:
        raise ValueError("nothing is taken of a rule without a limit")
    amount = sum(one.amount for one in takes if not one.whole) + max((one.amount for one in takes if one.whole), default=0)
    return Charge(
        key=key,
        limit=first.rule.limit,
        amount=min(amount, _most(first.rule.limit.unit)),
        hold=Hold.BINDING if first.match.mode is Mode.ENFORCE else Hold.OBSERVED,
        match=first.match,
        verdicts=tuple(sorted(one.verdict for one in takes)),
    )


def _most(unit: str) -> int:
    """More than any limit, and few enough for a store to count: an agent chooses how many it asks for."""
    return MOST_COUNT if unit == COUNT else MOST


def _amount(rule: Rule, action: Action, facts: Facts) -> int | Erred | None:
    unit = rule.limit.unit if rule.limit else COUNT
    if unit == COUNT:
        return max(1, action.count)
    if action.access.only_reads:
        return None
    if action.service not in rule.models:
        return _paid(action, unit)
    if action.access not in {Access.EXECUTE, Access.UNKNOWN}:
        return None
    tokens = _tokens(action, facts.request.body)
    if unit == TOKENS or isinstance(tokens, Erred):
        return tokens
    return tokens * MICROS_A_TOKEN if unit == COST_CURRENCY else Erred("currency")


def _paid(action: Action, unit: str) -> int | Erred:
    """All the money that an action names, if all of it is in the limit's currency."""
    found = [value for value in action.params.values() if isinstance(value, Money)]
    if not found or unit == TOKENS:
        return Erred("missing:tokens" if unit == TOKENS else "missing:amount")
    if any(money.currency != unit for money in found):
        return Erred("currency")
    return sum(map(micros, found)) if all(money.minor >= 0 for money in found) else Erred("negative-amount")


def _tokens(action: Action, body: Body) -> int | Erred:
    """An estimate, never nothing: of many that run at once, each has taken its part before any of them is counted."""
    length = _length(body)
    if length is None:
        return Erred("missing:request.body")
    answer = max((_count(action, name) for name in _ANSWER_PARAMS), default=0) or ANSWER_TOKENS
    return -(-length // BYTES_A_TOKEN) + answer * max(1, _count(action, _CHOICES))


def _count(action: Action, param: str) -> int:
    value = action.params.get(param)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _length(body: Body) -> int | None:
    match body:
        case NoBody():
            return 0
        case WholeBody(content):
            return len(content)
        case SpooledBody(size=size):
            return size
        case UnreadBody(length):
            return length


_FACTS: Mapping[str, Callable[[Action, Facts], str]] = {
    "agent.id": lambda _, facts: facts.agent.id,
    "agent.team": lambda _, facts: facts.agent.team,
    "agent.owner": lambda _, facts: facts.agent.owner,
    "action.service": lambda action, _: action.service,
    "action.name": lambda action, _: action.name,
    "action.resource": lambda action, _: plain(action.resource).casefold(),  # `Acme/Sit%65` is no other limit than `acme/site`
    "host": lambda _, facts: facts.request.host,
}
PER = tuple(_FACTS)
"""Facts of which each value may have a limit of its own."""


def _key(rule: Rule, action: Action, facts: Facts) -> str | Erred:
    """The name of a counter: the rule, what is counted, and whose it is. Another unit or window is another counter."""
    limit = rule.limit
    if limit is None:
        return ""
    if "action.resource" in limit.per and facts.unread and not action.resource:
        return Erred("missing:resource")
    whose = json.dumps({name: _FACTS[name](action, facts) for name in limit.per}, sort_keys=True, separators=(",", ":"))
    key = f"{rule.id} {limit.unit}/{limit.window} {whose}"
    return key if len(key) <= _LONGEST_KEY else f"{rule.id} {limit.unit}/{limit.window} {sha256(key.encode())}"
