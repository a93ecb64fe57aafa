"""Quorate: whether those who may approve are people who are known, and ever enough of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.errors import Problem
from outgate.keys.people import EVERYBODY, GROUP
from outgate.policy.shapes import meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.keys.people import People
    from outgate.policy.rule import Approvers, Policy


def check_people(policy: Policy, people: People, owners: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Everything that keeps approvers of this policy from ever being enough, where it stands.

    `owners` are those of agents: one who may not approve for his own agent is not counted for it. Who has no key can't sign.
    """
    found = (
        _at(of, f"approvers '{name}': {wrong}")
        for name, of in policy.approvers.items()
        for wrong in _wrong(of, people, sorted(set(owners)))
    )
    return tuple(sorted(found))


def _wrong(of: Approvers, people: People, owners: list[str]) -> Iterator[str]:
    unknown = list(_unknown(of, people))
    yield from unknown
    able = {name for name in people.among(of.of) if people.by_name[name].keys}
    keyless = sorted(people.among(of.of) - able)
    if len(able) < of.need:
        hint = f"; {', '.join(keyless)} {'have' if len(keyless) > 1 else 'has'} no key" if keyless else ""
        yield f"{of.need} are needed and {len(able)} can sign{hint}, add people or need fewer"
        return
    for owner in owners:
        if not of.owner and len(able - {owner}) < of.need:
            yield f"{of.need} can never be had for an agent of {owner}'s, add people, or owner: true if {owner} may approve too"


def _unknown(of: Approvers, people: People) -> Iterator[str]:
    groups = {group for person in people.by_name.values() for group in person.groups}
    for said in of.of:
        if said == EVERYBODY:
            continue
        if said.startswith(GROUP):
            group = said.removeprefix(GROUP)
            if group not in groups:
                remedy = f", outgate people add NAME KEY.pub --group {group}"
                yield f"nobody is in group '{group}'{meant(group, groups) or remedy}"
        elif said not in people.by_name:
            yield f"nobody is called '{said}'{meant(said, people.by_name) or f', outgate people add {said} KEY.pub'}"


def _at(of: Approvers, message: str) -> Problem:
    return replace(of.place, message=message) if of.place else Problem(source="policy", message=message)
