"""`outgate explain`: what a request is, and what the policy would answer, and why."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.action import Action, Param
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.policy.call import Call, Rehearsed
    from outgate.policy.decision import Verdict
    from outgate.policy.explain import Finding
    from outgate.policy.facts import Facts
    from outgate.policy.rule import Policy

app = typer.Typer(rich_markup_mode=None, add_completion=False)

WIDTH = 80
DEFAULT_POLICY = "coding-agent"


@app.command()
def explain(  # noqa: PLR0913  # one parameter an option
    request: Annotated[str, typer.Argument(metavar="'METHOD URL'", help="As in 'DELETE https://api.github.com/repos/a/b'.")],
    *,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="FILE|NAME", help="A policy file or a starter policy's name; may be repeated.")
    ] = None,
    enforce: Annotated[bool, typer.Option("--enforce", help="As if the policy were enforced.")] = False,
    agent: Annotated[str, typer.Option(metavar="NAME", help="Who asks.")] = "agent",
    team: Annotated[str, typer.Option(metavar="T", help="The team of who asks.")] = "",
    age: Annotated[int, typer.Option(metavar="DAYS", help="Since how many days we know who asks.")] = 30,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="HEADER", help="A header, as in 'Name: value'.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", metavar="TEXT", help="The body; @FILE reads it from a file.")
    ] = None,
    services: Annotated[list[Path] | None, typer.Option("--services", metavar="PATH", help="Your own service files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what a request is and what would be answered. Nothing is sent, looked up or recorded."""
    from outgate.cli.policy import catalog_of, settings_of
    from outgate.errors import ConfigError
    from outgate.intake.request import Unreadable
    from outgate.policy.call import rehearse
    from outgate.policy.effect import Mode
    from outgate.stores.policy_files import load_policies

    catalog = catalog_of(services)
    settings = settings_of()
    asked = tuple(policy or settings.policies or (DEFAULT_POLICY,))
    under = load_policies(asked, catalog, mode=Mode.ENFORCE if enforce or settings.enforce else None)
    asker, now = _agent(agent, team, age)
    came = rehearse(_call(request, header or [], data), asker, now, under, catalog)
    if isinstance(came, Unreadable):
        raise ConfigError(f"this request has no one reading and is always refused, with {came.status}: {came.why}")
    if as_json:
        typer.echo(json.dumps(_plain(came, under), indent=2, ensure_ascii=False))
    else:
        for line in _lines(came, under):
            typer.echo(line)


def _agent(name: str, team: str, age: int) -> tuple[Agent, datetime]:
    from outgate.errors import ConfigError
    from outgate.intake.agents import Agent

    now = datetime.now(UTC)
    try:
        return Agent(id=name, team=team, since=now - timedelta(days=age)), now
    except (ValueError, OverflowError) as error:
        raise ConfigError(str(error)) from error


def _call(request: str, headers: list[str], data: str | None) -> Call:
    from outgate.errors import ConfigError
    from outgate.policy.call import call

    split = [header.partition(":") for header in headers]
    if wrong := next((header for header in headers if ":" not in header), None):
        raise ConfigError(f"'{wrong}' is no header, write it like 'Name: value'")
    try:
        content = None if data is None else Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()
        return call(request, [(name.strip(), value.strip()) for name, _, value in split], content)
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error


def _lines(came: Rehearsed, policy: Policy) -> Iterator[str]:
    from outgate.cli.text import clean
    from outgate.policy.explain import findings

    yield clean(f"{came.request.method} {came.request.scheme}://{came.request.authority}{came.request.target}")
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
    from outgate.cli.text import clean

    yield from _wrapped(clean(action.name), clean(action.resource), joint="  ")
    known = "mapped by " if action.mapped else "a guess: "
    yield from _wrapped(f"  {action.access}, {action.tier.name}", f"{clean(action.why) or '-'} ({known}{action.confidence})")
    for name, value in sorted(action.params.items()):
        yield from _wrapped(f"  params.{name}", clean(_shown(value)))
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


def _shown(value: Param) -> str:
    """A parameter as rules say it; an amount in its currency's minor unit."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int():
            return str(value)
        case tuple():
            return ", ".join(value)
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


def _plain(came: Rehearsed, policy: Policy) -> dict[str, Json]:
    from outgate.policy.explain import findings

    return {
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
        "resource": action.resource,
        "access": action.access.value,
        "tier": int(action.tier),
        "why": action.why,
        "mapped": action.mapped,
        "confidence": action.confidence.value,
        "evidence": list(action.evidence),
        "data": sorted(action.data),
        "params": {name: _shown(value) for name, value in sorted(action.params.items())},
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
