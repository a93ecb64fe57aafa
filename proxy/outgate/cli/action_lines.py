"""What `outgate actions` says of operations, services and recorded traffic, in eighty columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Tier
from outgate.actions.openapi.writing import scalar
from outgate.cli.text import clean, columns, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outgate.actions.known import Known, Summed
    from outgate.actions.operation import Operation
    from outgate.actions.search import Hits
    from outgate.analysis.coverage import Coverage, Unmapped
    from outgate.digest import Json
    from outgate.stores.mined_sources import MinedOf

WIDTH = 80
_MOST_SHOWN = 6


def hits(found: Hits, text: str) -> Iterator[str]:
    """A line for each operation, and how many there are."""
    rows = [(one.name, one.access.value, one.tier.name, one.why) for one in found.operations]
    yield from (clean(line) for line in columns(rows, (46, 7, 2, 0)))
    if found.total > len(rows):
        yield f"{found.total:,} operations fit, these are the best; -n {min(found.total, 1000)} shows more"
    elif not rows:
        yield f"no operation has {' and '.join(repr(word) for word in text.split())} in its name" if text else "no operation fits"


def operation(known: Known) -> Iterator[str]:
    """Everything about one operation, and a rule for it."""
    of = known.operation
    yield of.name
    yield from wrapped(f"{of.access.value}, {of.tier.name}" + (f": {clean(of.why)}" if of.why else ""), "  ")
    yield from wrapped(f"{known.confidence.value}: {', '.join(of.evidence) or known.source}", "  ")
    yield "  requests" if known.requests else "  requests: the protocol of the host says it"
    for line in known.requests[:_MOST_SHOWN]:
        yield from wrapped(clean(line), "    ")
    yield from _more(len(known.requests))
    yield from _hosts(known.hosts)
    if known.params:
        yield "  params"
        yield from (f"    {clean(line)}" for line in columns(list(known.params), (26, 7, 40)))
    for worse in known.worse:
        when = " and ".join(
            f"{name} is {str(value).lower() if isinstance(value, bool) else value}" for name, value in worse.when.items()
        )
        access = f"{worse.access.value}, " if worse.access else ""
        yield from wrapped(f"worse where {when}: {access}{worse.tier.name}{f', {worse.why}' if worse.why else ''}", "  ")
    if known.egress:
        yield from wrapped(f"what its body sends the provider to is an action too: {of.service}.egress:…", "  ")
    if known.reads is not None:
        yield from wrapped(f"its body says what it does, in {known.reads.language}: those are actions too", "  ")
    yield ""
    yield "a rule for it, under `rules:` of a policy"
    yield from (f"  {line}" for line in rule(of))


def _more(count: int) -> Iterator[str]:
    if count > _MOST_SHOWN:
        yield f"    and {count - _MOST_SHOWN} more"


def _hosts(hosts: Sequence[str]) -> Iterator[str]:
    shown = ", ".join(hosts[:_MOST_SHOWN]) + (f" and {len(hosts) - _MOST_SHOWN} more" if len(hosts) > _MOST_SHOWN else "")
    yield from wrapped(shown or "any: say yours with `adds-to` in a service file", "  hosts   ")


def rule(of: Operation) -> list[str]:
    """A rule to begin with: what is dangerous is asked for, what writes has a rate, what reads is allowed."""
    slug = re.sub(r"[^a-z0-9]+", "-", of.name.lower()).strip("-")[:48].strip("-") or "rule"
    money = next((name for name, kind in of.params.items() if kind == "money"), None)
    lines = [f"- id: {slug}", f"  match: {{action: {scalar(of.name)}}}"]
    if money is not None:
        return [*lines, f"""  unless: 'under(params.{money}, "100 GBP")'""", "  effect: escalate"]
    if of.tier >= Tier.T2 or of.access is Access.UNKNOWN:
        return [*lines, "  effect: escalate"]
    return [*lines, "  limit: 60/min", "  effect: throttle"] if of.tier is Tier.T1 else [*lines, "  effect: allow"]


def operation_json(known: Known) -> dict[str, Json]:
    """The same for programs."""
    of = known.operation
    return {
        "name": of.name,
        "service": of.service,
        "access": of.access.value,
        "tier": int(of.tier),
        "why": of.why,
        "evidence": [*(of.evidence or (known.source,))],
        "source": known.source,
        "confidence": known.confidence.value,
        "requests": [*known.requests],
        "hosts": [*known.hosts],
        "params": [{"name": name, "kind": kind, "where": where} for name, kind, where in known.params],
        "worse": [
            {"if": dict(w.when), "tier": int(w.tier), "access": w.access.value if w.access else None, "why": w.why}
            for w in known.worse
        ],
        "egress": known.egress,
        "reads": known.reads.language if known.reads else None,
        "rule": "\n".join(rule(of)) + "\n",
    }


def service(of: Summed, mined: Sequence[MinedOf]) -> Iterator[str]:
    """Everything about one service but its operations."""
    total = sum(of.tiers.values())
    yield f"{of.name}   {total:,} operations: {of.by_hand:,} by hand, {of.mined:,} mined" + (
        f"; speaks {of.speaks}" if of.speaks != "rest" else ""
    )
    yield from _hosts(of.hosts)
    yield from wrapped(", ".join(f"{count:,} {tier.name}" for tier, count in sorted(of.tiers.items())), "  tiers   ")
    counted = sorted(of.accesses.items(), key=lambda one: -one[1])
    yield from wrapped(", ".join(f"{count:,} {access.value}" for access, count in counted), "  access  ")
    for one in mined:
        yield from wrapped(f"{one.package} {one.version} ({one.registry}, {one.licence}): {one.operations:,}", "  mined   ")
    yield f"  next    outgate actions search WORD --service {of.name}"


def service_json(of: Summed, mined: Sequence[MinedOf]) -> dict[str, Json]:
    """The same for programs."""
    return {
        "name": of.name,
        "speaks": of.speaks,
        "hosts": [*of.hosts],
        "operations": sum(of.tiers.values()),
        "byHand": of.by_hand,
        "mined": of.mined,
        "tiers": {tier.name: count for tier, count in sorted(of.tiers.items())},
        "access": {access.value: count for access, count in sorted(of.accesses.items())},
        "files": [*of.files],
        "minedOf": [
            {"package": m.package, "registry": m.registry, "version": m.version, "licence": m.licence, "operations": m.operations}
            for m in mined
        ],
    }


def services(all_: Sequence[Summed]) -> Iterator[str]:
    """A line for each service."""
    rows = [
        (
            of.name,
            f"{sum(of.tiers.values()):,}",
            of.speaks if of.speaks != "rest" else "",
            ", ".join(of.hosts) or "any host that is declared",
        )
        for of in all_
    ]
    yield from (clean(line) for line in columns([("service", "operations", "speaks", "hosts"), *rows], (22, 10, 10, 0)))
    yield f"{sum(sum(of.tiers.values()) for of in all_):,} operations of {len(all_)} services"


def coverage(found: Coverage, unmapped: Sequence[Unmapped], most: int) -> Iterator[str]:
    """How much was known, and what most often was not."""
    yield f"{found.decisions:,} decisions, {found.actions:,} actions, {found.first} to {found.last}"
    if found.unreadable:
        yield f"{found.unreadable:,} decisions about what has no one reading: they have no action"
    for confidence, count in sorted(found.by.items(), key=lambda one: -one[1]):
        yield f"  {count / max(1, found.actions):6.1%}  {count:>9,}  {confidence.value:<10} {_MEANT[confidence.value]}"
    yield f"  {found.mapped / max(1, found.actions):6.1%} mapped in all"
    if not unmapped:
        return
    yield ""
    yield "not mapped, most often first"
    rows = [(f"{one.times:,}", one.method, f"{one.host}{one.path}", one.action) for one in unmapped[:most]]
    yield from (clean(f"  {line}") for line in columns(rows, (7, 9, 38, 16)))
    if len(unmapped) > most:
        yield f"  and {len(unmapped) - most:,} more shapes; -n shows more"


_MEANT = {
    "override": "you said so",
    "catalog": "a service file, or what was mined",
    "protocol": "the protocol says it",
    "heuristic": "a guess, by method and name",
    "unknown": "can't be told",
}


def coverage_json(found: Coverage, unmapped: Sequence[Unmapped], drafts: dict[str, str]) -> dict[str, Json]:
    """The same for programs."""
    return {
        "decisions": found.decisions,
        "actions": found.actions,
        "unreadable": found.unreadable,
        "from": found.first,
        "to": found.last,
        "by": {confidence.value: count for confidence, count in sorted(found.by.items())},
        "mapped": found.mapped,
        "services": {name: {"mapped": said[True], "unmapped": said[False]} for name, said in sorted(found.services.items())},
        "unmapped": [
            {"host": one.host, "method": one.method, "path": one.path, "action": one.action, "times": one.times}
            for one in unmapped
        ],
        "drafts": dict(drafts),
    }
