"""Suggest: a least-privilege policy from what was seen. What is dangerous is asked for, never simply allowed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from outgate.policy.effect import EFFECTS, Effect
from outgate.policy.form import LANGUAGE
from outgate.policy.reach import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.catalog import Catalog
    from outgate.digest import Json

WIDTH = 100
_MOST_RESOURCES = 8
_SAFE = re.compile(r"[!-)+-~][ -)+-~]{0,198}")
"""One line of ASCII without `*`: what an agent chose must not become a pattern, or a second line."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./:@-]*")
_NOT_TEXT = frozenset({"true", "false", "null"})
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_READS = ("http.GET", "http.HEAD", "http.OPTIONS")


@dataclass(slots=True, kw_only=True)
class _Seen:
    """One action: how often, with which resources, at which hosts, at worst which tier, and the strictest it would have got."""

    name: str
    mapped: bool = True
    tier: int = 0
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
    seen: dict[tuple[str, bool], _Seen] = field(default_factory=dict)


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
            host = request.get("host")
            for action in actions:
                _add_action(log, action, host if isinstance(host, str) else "")
        case _:
            pass  # outcomes and events say nothing of what may be done


def _add_action(log: _Log, action: Json, host: str) -> None:
    match action:
        case {"name": str(name), "resource": str(resource), "tier": int(tier), "mapped": bool(mapped), "would": str(would)}:
            seen = log.seen.setdefault((name, mapped), _Seen(name=name, mapped=mapped))
            seen.times += 1
            seen.tier = max(seen.tier, tier)
            seen.would = max(seen.would, EFFECTS.get(would, Effect.BLOCK))
            seen.resources[resource] += 1
            seen.hosts[host] += 1
        case _:
            raise ValueError("a decision without its actions")


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
    yield "    effect: block"
    yield "    tell: This would send a secret outside. Take it out of the request and try again."
    left_out: list[_Seen] = []
    mapped = [seen for seen in log.seen.values() if seen.mapped]
    for slug, group in groupby(sorted(mapped, key=lambda seen: (seen.slug, seen.name)), key=lambda seen: seen.slug):
        yield from _service(slug, list(group), catalog, left_out)
    unmapped = sorted((seen for seen in log.seen.values() if not seen.mapped), key=lambda seen: seen.name)
    yield from _unmapped_reads(unmapped, left_out)
    yield from _left_out(left_out)


def _service(slug: str, group: list[_Seen], catalog: Catalog, left_out: list[_Seen]) -> Iterator[str]:
    """Reads together, each write with its resources, and what needs a person."""
    sound = [seen for seen in group if _SAFE.fullmatch(seen.name) and unknown("action", seen.name, catalog) is None]
    left_out.extend(seen for seen in group if seen not in sound)
    left_out.extend(seen for seen in sound if seen.would > Effect.ESCALATE and seen.tier < 2)
    allowed = [seen for seen in sound if seen.tier < 2 and seen.would is Effect.ALLOW]
    reads = [seen for seen in allowed if seen.tier == 0]
    asked = [seen for seen in sound if seen.tier >= 2 or Effect.ALLOW < seen.would <= Effect.ESCALATE]
    if reads:
        yield from _rule(f"{slug}-reads", {"action": [seen.name for seen in reads]}, "allow", reads)
    for number, seen in enumerate((seen for seen in allowed if seen.tier == 1), 1):
        yield from _rule(f"{slug}-writes-{number}", {"action": [seen.name], **_narrowed(seen)}, "allow", [seen])
    if asked:
        yield from _rule(f"{slug}-ask-first", {"action": [seen.name for seen in asked]}, "escalate", asked)


def _narrowed(seen: _Seen) -> dict[str, list[str]]:
    """The resources that were seen; many of them by what they begin with; none if that says nothing."""
    resources = sorted(seen.resources)
    if not all(_SAFE.fullmatch(resource) and "…" not in resource for resource in resources):
        return {}
    if len(resources) <= _MOST_RESOURCES:
        return {"resource": resources}
    start = _common(resources[0], resources[-1]).rpartition("/")[0]
    return {"resource": [f"{start}/*"]} if start else {}


def _common(first: str, last: str) -> str:
    """What the first and the last of a sorted list begin with, and so all between."""
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def _unmapped_reads(group: list[_Seen], left_out: list[_Seen]) -> Iterator[str]:
    hosts: dict[str, list[_Seen]] = defaultdict(list)
    for seen in group:
        if seen.name not in _READS or seen.would > Effect.ESCALATE:
            left_out.append(seen)
            continue
        for host in seen.hosts:
            if _HOST.fullmatch(host):
                hosts[host].append(seen)
    if hosts:
        read = sorted({seen.name: seen for group in hosts.values() for seen in group}.values(), key=lambda seen: seen.name)
        match = {"action": [seen.name for seen in read], "host": sorted(hosts)}
        yield from _rule("unknown-reads", match, "allow", read)


def _left_out(group: list[_Seen]) -> Iterator[str]:
    if group:
        yield "# Seen, and left out: nobody knows what it does, or a rule would have stopped it."
    for seen in sorted(group, key=lambda seen: seen.name):
        where = ", ".join(_comment(resource) for resource in sorted(seen.resources)[:3])
        yield f"#   {_comment(seen.name)}  {where}  x {seen.times}"


def _rule(rule: str, match: dict[str, list[str]], effect: str, group: list[_Seen]) -> Iterator[str]:
    yield f"  - id: {rule}"
    yield "    match:"
    times = {seen.name: seen for seen in group}
    for key, values in match.items():
        yield f"      {key}:"
        for value in values:
            said = times.get(value) if key == "action" else None
            yield f"        - {_scalar(value)}" + (f"   # T{said.tier}, x {said.times}" if said else "")
    yield f"    effect: {effect}"


def _scalar(value: str) -> str:
    """A value that YAML reads back as it is."""
    if _PLAIN.fullmatch(value) and value not in _NOT_TEXT and not value.endswith(":"):
        return value
    return "'" + value.replace("'", "''") + "'"


def _comment(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:WIDTH]
