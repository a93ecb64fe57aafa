"""What `outgate explain` says: of one request everything, of many a line each. Never a credential that came with them."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from outgate.actions.openapi.naming import is_secret
from outgate.cli.text import clean, columns, wrapped
from outgate.inspect.mask import masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outgate.actions.action import Action, Param
    from outgate.digest import Json
    from outgate.intake.request import Request
    from outgate.policy.call import Rehearsed
    from outgate.policy.decision import Verdict
    from outgate.policy.explain import Finding
    from outgate.policy.facts import Facts
    from outgate.policy.rule import Policy

WIDTH = 80
HIDDEN = "…"
"""Stands for what is a credential by its name."""

type Explained = tuple[str, Rehearsed | str]
"""A request as it was written, for people, and what came of it, or why nothing could."""


def shown_request(request: Request) -> str:
    """A request in one line."""
    return f"{request.method} {request.scheme}://{request.authority}{shown_target(request.target)}"


def shown_target(target: str) -> str:
    """A path and its query, without what is a credential by its form or by the name that it has."""
    path, mark, query = target.partition("?")
    return masked(path) + mark + "&".join(map(_pair, query.split("&")))


def _pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}={HIDDEN}" if equals and value and is_secret(unquote_plus(name)) else masked(name) + equals + masked(value)


def table(found: Sequence[Explained]) -> Iterator[str]:
    """A line for each action of each request, and how many there were of each answer."""
    rows: list[tuple[str, ...]] = []
    for shown, came in found:
        if isinstance(came, str):
            rows.append((clean(shown_target(shown)), "-", "", f"none: {came}"))
            continue
        for at, verdict in enumerate(came.decision.verdicts):
            action = verdict.action
            tier = action.tier.name if action.mapped else "?"
            rows.append((clean(shown_request(came.request)) if not at else "", clean(action.name), tier, str(verdict.would)))
    yield from columns([("request", "action", "", "answer"), *rows], (34, 30, 2, 0))
    yield ""
    yield from _counted(found)


def _counted(found: Sequence[Explained]) -> Iterator[str]:
    known = [came for _, came in found if not isinstance(came, str)]
    would = Counter(came.decision.would for came in known)
    said = ", ".join(f"{count} {answer}" for answer, count in sorted(would.items(), reverse=True))
    yield f"{len(found)} requests" + (f", enforced: {said}" if said else "")
    guessed = sum(not all(action.mapped for action in came.actions) for came in known)
    if guessed:
        yield f"{guessed} with an action that no table knows"
    for why, count in sorted(Counter(came for _, came in found if isinstance(came, str)).items()):
        yield from wrapped(f"{count} left out: {clean(why)}", "")


def plain_many(found: Sequence[Explained], policy: Policy) -> list[Json]:
    """The same for programs."""
    return [
        {"request": shown_target(shown), "error": came} if isinstance(came, str) else dict(plain(came, policy))
        for shown, came in found
    ]


def lines(came: Rehearsed, policy: Policy) -> Iterator[str]:
    from outgate.policy.explain import findings

    yield clean(shown_request(came.request))
    for verdict in came.decision.verdicts:
        yield ""
        yield from _action(verdict.action)
        yield from _verdict(verdict, policy)
        yield from _findings(findings(policy, verdict.action, came.facts), came.facts)
    if len(came.decision.verdicts) > 1:
        yield ""
        yield f"the request: {came.decision.answer}, would {came.decision.would}: the strictest of its actions"
    if told := _told(came, policy):
        yield ""
        yield from _wrapped("the agent reads" if came.decision.answer.restricts else "enforced, the agent would read", told)


def _action(action: Action) -> Iterator[str]:
    yield from _wrapped(clean(action.name), clean(masked(action.resource)), joint="  ")
    known = "mapped by " if action.mapped else "a guess: "
    yield from _wrapped(f"  {action.access}, {action.tier.name}", f"{clean(action.why) or '-'} ({known}{action.confidence})")
    if action.evidence:
        yield from _wrapped("  evidence", clean(", ".join(action.evidence)))
    if action.instance:
        yield from _wrapped("  instance", clean(masked(action.instance)))
    if action.count > 1:
        yield from _wrapped("  count", str(action.count))
    for name, value in sorted(action.params.items()):
        yield from _wrapped(f"  params.{name}", clean(_shown(name, value)))
    if action.data:
        yield from _wrapped("  data", ", ".join(sorted(action.data)))


def _verdict(verdict: Verdict, policy: Policy) -> Iterator[str]:
    enforced, observed = policy.base(verdict.action)
    what = verdict.action.tier.name if verdict.action.mapped else "what no table knows"
    allowed = sorted(match.rule for match in verdict.matches if not match.effect.restricts and match.rule != "otherwise")
    lifted = f", lifted by {', '.join(allowed)}" if allowed else ""
    ceiling = "" if enforced is observed else ", observed"
    yield f"  answer   {verdict.answer}" + ("" if policy.mode.name == "ENFORCE" else f"   ({policy.name} only observes)")
    yield f"  would    {verdict.would}"
    yield from _wrapped("  base", f"{observed} for {what}{ceiling}{lifted}", joint="     ")


def _findings(found: tuple[Finding, ...], facts: Facts) -> Iterator[str]:
    from outgate.policy.matching import Erred, Holds
    from outgate.policy.meter import spoken

    held = [one for one in found if not one.lacked]
    yield "  rules that matched" + ("" if held else ": none")
    for one in held:
        rule = one.rule
        said = [str(rule.effect), *([] if one.acts.name == "ENFORCE" else ["observed"]), *([one.note] if one.note else [])]
        if isinstance(one.truth, Erred):
            effect = spoken(rule, facts, error=one.truth.code).effect if rule.effect.restricts else "no match"
            said = [f"can't be told ({one.truth.code}), so {effect}"]
        yield from _wrapped(f"    {rule.id}", ", ".join(said) + (f": {rule.why}" if rule.why else ""))
    near = [one for one in found if one.truth is Holds.NO_MATCH]
    if near:
        yield "  rules that nearly did"
    for one in near:
        yield from _wrapped(f"    {one.rule.id}", f"{one.rule.effect}; {one.lacked}")


def _shown(name: str, value: Param) -> str:
    """A parameter as rules say it, without what looks like a credential; an amount in its currency's minor unit."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return HIDDEN if is_secret(name) else masked(value)
        case tuple():
            return ", ".join(map(masked, value))
        case _:
            return f"{value.minor} {value.currency} (minor unit)"


def _told(came: Rehearsed, policy: Policy) -> str:
    """What the agent reads, or would if the policy were enforced."""
    from outgate.policy.decide import decide
    from outgate.policy.effect import Mode

    return came.decision.tell or decide(policy.with_mode(Mode.ENFORCE), came.actions, came.facts).tell


def _wrapped(head: str, text: str, joint: str = "   ") -> Iterator[str]:
    """A line that starts with `head`; what does not fit goes on below the text."""
    start = head + joint
    below = " " * (len(start) if len(start) <= WIDTH // 2 else len(head) - len(head.lstrip()) + 4)
    yield from textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=below) or [head.rstrip()]


def plain(came: Rehearsed, policy: Policy) -> dict[str, Json]:
    from outgate.policy.explain import findings

    return {
        "request": shown_request(came.request),
        "answer": str(came.decision.answer),
        "would": str(came.decision.would),
        "why": came.decision.why,
        "tell": _told(came, policy),
        "policy": policy.name,
        "digest": policy.digest,
        "mode": str(policy.mode),
        "actions": [
            _plain_action(verdict, policy, findings(policy, verdict.action, came.facts)) for verdict in came.decision.verdicts
        ],
    }


def _plain_action(verdict: Verdict, policy: Policy, found: tuple[Finding, ...]) -> dict[str, Json]:
    action = verdict.action
    return {
        "name": action.name,
        "resource": masked(action.resource),
        "instance": masked(action.instance),
        "count": action.count,
        "access": action.access.value,
        "tier": int(action.tier),
        "why": action.why,
        "mapped": action.mapped,
        "confidence": action.confidence.value,
        "evidence": list(action.evidence),
        "data": sorted(action.data),
        "params": {name: _shown(name, value) for name, value in sorted(action.params.items())},
        "base": str(policy.base(action)[1]),
        "answer": str(verdict.answer),
        "would": str(verdict.would),
        "rules": [
            {"id": match.rule, "effect": str(match.effect), "mode": str(match.mode), "error": match.error}
            for match in verdict.matches
        ],
        "limits": [
            {"id": one.rule.id, "limit": str(one.rule.limit), "note": one.note}
            for one in found
            if one.rule.limit and not one.lacked
        ],
        "nearly": [{"id": one.rule.id, "effect": str(one.rule.effect), "lacked": one.lacked} for one in found if one.lacked],
    }
