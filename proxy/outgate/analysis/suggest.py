"""Suggest: a least-privilege policy from what was seen. What is dangerous is asked for, never simply allowed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from outgate.errors import EvidenceError
from outgate.policy.decision import Reason
from outgate.policy.effect import EFFECTS, Effect
from outgate.policy.form import LANGUAGE
from outgate.policy.reach import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.catalog import Catalog
    from outgate.digest import Json

WIDTH = 100
DANGEROUS = 2
"""The tier from which nothing is simply allowed."""
_HARMLESS = frozenset({Effect.ALLOW, Effect.THROTTLE})
"""What would be let out, or would have been, less often. What was only tried in a sandbox is asked for."""
_NO_POLICYS = frozenset({Reason.UNREADABLE, Reason.DESTINATION, Reason.AGENT, Reason.HALTED})
"""Refused for these, whatever a policy says: a rule that allowed it would only look as if it did."""
_MOST_RESOURCES = 8
_NOTHING = "(none that can be written in a rule)"
_SAFE = re.compile(r"[!-)+-~][ -)+-~]{0,198}")
"""One line of ASCII without `*`: what an agent chose must not become a pattern, or a second line."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./:@-]*")
_NOT_TEXT = frozenset({"true", "false", "null"})
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_READS = ("http.GET", "http.HEAD", "http.OPTIONS")


@dataclass(slots=True, kw_only=True)
class _Seen:
    """One action of one tier: how often, with which resources, at which hosts, and the strictest it would have got."""

    name: str
    tier: int
    mapped: bool
    reads: bool
    times: int = 0
    would: Effect = Effect.ALLOW
    resources: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)

    @property
    def slug(self) -> str:
        """The service, as part of a rule's id."""
        return (re.sub(r"[^a-z0-9]+", "-", self.name.partition(".")[0].lower()).strip("-") or "service")[:40]


@dataclass(slots=True, kw_only=True)
class _Log:
    decisions: int = 0
    first: str = ""
    last: str = ""
    agents: set[str] = field(default_factory=set)
    seen: dict[tuple[str, int, bool, bool], _Seen] = field(default_factory=dict)


def suggest(receipts: Iterable[Mapping[str, Json]], catalog: Catalog) -> str | None:
    """Write a policy that allows what these receipts show, as YAML with comments. None where they hold no decision.

    Deterministic. T2 and T3 are escalated, what nobody knows is allowed to read from the hosts seen and nothing else, and
    what a rule would have blocked stays out. The text passes `policy check`.
    """
    log = _Log()
    for fields in receipts:
        _add(log, fields)
    if not log.decisions:
        return None
    return "\n".join([*_head(log), *_rules(log, catalog)]) + "\n"


def _add(log: _Log, fields: Mapping[str, Json]) -> None:
    match fields:
        case {"type": "decision", "at": str(at), "agent": {"id": str(agent)}, "request": dict(request), "actions": list(actions)}:
            log.decisions += 1
            log.first = min(log.first or at, at)
            log.last = max(log.last, at)
            log.agents.add(agent)
            if fields.get("reason") in _NO_POLICYS:
                return
            host = request.get("host")
            for action in actions:
                _add_action(log, action, host if isinstance(host, str) else "")
        case _:
            pass  # outcomes and events say nothing of what may be done


def _add_action(log: _Log, action: Json, host: str) -> None:
    match action:
        case {
            "name": str(name), "resource": str(resource), "access": str(access),
            "tier": int(tier), "mapped": bool(mapped), "would": str(would),
        }:  # fmt: skip
            reads = access in {"read", "list"}
            found = _Seen(name=name, tier=tier, mapped=mapped, reads=reads)
            seen = log.seen.setdefault((name, tier, mapped, reads), found)
            seen.times += 1
            seen.would = max(seen.would, EFFECTS.get(would, Effect.BLOCK))
            seen.resources[resource] += 1
            seen.hosts[host] += 1
        case _:
            raise EvidenceError("a decision does not say its actions as this version does")


def _head(log: _Log) -> Iterator[str]:
    agents = ", ".join(_comment(agent) for agent in sorted(log.agents)[:5]) + (", …" if len(log.agents) > 5 else "")
    yield f"# From {log.decisions} decisions, {log.first} to {log.last}, agents: {agents}."
    yield "# Allows what was seen and no more. Read it, take out what should not have happened, try it, then enforce it:"
    yield "#   outgate policy check outgate.yaml"
    yield "#   outgate run --policy outgate.yaml --enforce -- <your agent>"
    yield f"outgate: {LANGUAGE}"
    yield "policy: suggested"
    yield "mode: observe          # the most that anything here does; `enforce` when the log shows no surprise"
    yield "otherwise:             # what was not seen"
    yield "  {T0: escalate, T1: escalate, T2: escalate, T3: escalate, unmapped: {read: escalate, other: block}}"
    yield "rules:"


def _rules(log: _Log, catalog: Catalog) -> Iterator[str]:
    yield "  - id: no-secrets-out"
    yield "    match: {data: secret}"
    yield '    unless: action.service in ["anthropic", "openai", "git"]   # conversations and packs: see coding-agent'
    yield "    effect: block"
    yield "    tell: This would send a secret outside. Take it out of the request and try again."
    everything = sorted(log.seen.values(), key=lambda seen: (seen.slug, seen.name, seen.tier, seen.mapped, seen.reads))
    left_out: list[_Seen] = []
    mapped = [seen for seen in everything if _sound(seen, catalog, left_out)]
    for slug, group in groupby(mapped, key=lambda seen: seen.slug):
        yield from _service(slug, list(group))
    yield from _unmapped_reads([seen for seen in everything if not seen.mapped], left_out)
    yield from _left_out(left_out)


def _sound(seen: _Seen, catalog: Catalog, left_out: list[_Seen]) -> bool:
    """Whether a rule can name this action, and no rule would have stopped it for good."""
    if not seen.mapped:
        return False
    named = _SAFE.fullmatch(seen.name) is not None and unknown("action", seen.name, catalog) is None
    if not named or (seen.would > Effect.SANDBOX and seen.tier < DANGEROUS):
        left_out.append(seen)
        return False
    return True


def _service(slug: str, group: list[_Seen]) -> Iterator[str]:
    """Reads together, each write with its resources, and what needs a person. Tiers keep what turns out worse out of it."""
    mild = [seen for seen in group if seen.tier < DANGEROUS]
    reads = [seen for seen in mild if seen.tier == 0 and seen.would in _HARMLESS]
    writes = [seen for seen in mild if seen.tier > 0 and seen.would in _HARMLESS]
    asked = [seen for seen in mild if seen.would not in _HARMLESS]
    if reads:
        yield from _rule(f"{slug}-reads", reads, "allow", mapped=["true"], tier=["T0"])
    for number, seen in enumerate(writes, 1):
        yield from _rule(f"{slug}-writes-{number}", [seen], "allow", mapped=["true"], tier=["T0", "T1"], **_narrowed(seen))
    if asked:
        yield from _rule(f"{slug}-ask", asked, "escalate", tier=["T0", "T1"])
    if dangerous := [seen for seen in group if seen.tier >= DANGEROUS]:
        yield from _rule(f"{slug}-ask-first", dangerous, "escalate", tier=["T2", "T3"])


def _narrowed(seen: _Seen) -> dict[str, list[str]]:
    """The resources that were seen; many of them by what they begin with. None only where the action has none."""
    if set(seen.resources) == {""}:
        return {}
    sound = sorted(resource for resource in seen.resources if _SAFE.fullmatch(resource))
    if not sound:
        return {"resource": [_NOTHING]}
    if len(sound) <= _MOST_RESOURCES:
        return {"resource": sound}
    start = _common(sound[0], sound[-1]).rpartition("/")[0]
    starts = [start] if start else sorted({resource.partition("/")[0] for resource in sound})
    return {"resource": [f"{start}/*" for start in starts]}


def _common(first: str, last: str) -> str:
    """What the first and the last of a sorted list begin with, and so all between."""
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def _unmapped_reads(group: list[_Seen], left_out: list[_Seen]) -> Iterator[str]:
    """What nobody knows may read, from the hosts that were seen. Any other method of it is never allowed."""
    reads = [seen for seen in group if seen.reads and seen.name in _READS and seen.would <= Effect.ESCALATE]
    left_out.extend(seen for seen in group if seen not in reads)
    hosts = sorted({host for seen in reads for host in seen.hosts if _HOST.fullmatch(host)})
    if hosts:
        yield from _rule("unknown-reads", reads, "allow", mapped=["false"], access=["read"], host=hosts)


def _left_out(group: list[_Seen]) -> Iterator[str]:
    if group:
        yield "# Seen, and left out: nobody knows what it does, or a rule would have stopped it."
    for seen in sorted(group, key=lambda seen: seen.name):
        where = ", ".join(_comment(resource) for resource in sorted(seen.resources)[:3])
        yield f"#   {_comment(seen.name)}  {where}  x {seen.times}"


def _rule(rule: str, group: list[_Seen], effect: str, **match: list[str]) -> Iterator[str]:
    yield f"  - id: {rule}"
    yield "    match:"
    yield "      action:"
    for name, seen in groupby(group, key=lambda seen: seen.name):
        said = Counter[int]()
        for one in seen:
            said[one.tier] += one.times
        yield f"        - {_scalar(name)}   # {', '.join(f'T{tier} x {times}' for tier, times in sorted(said.items()))}"
    for key, values in match.items():
        if key in {"mapped", "tier", "access"}:
            yield f"      {key}: {values[0] if len(values) == 1 else f'[{", ".join(values)}]'}"
            continue
        yield f"      {key}:"
        yield from (f"        - {_scalar(value)}" for value in values)
    yield f"    effect: {effect}"


def _scalar(value: str) -> str:
    """A value that YAML reads back as it is."""
    if _PLAIN.fullmatch(value) and value not in _NOT_TEXT and not value.endswith(":"):
        return value
    return "'" + value.replace("'", "''") + "'"


def _comment(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:WIDTH]
