"""Load the tables around the rules: hours, approvers, mocks, and what holds otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outgate.actions.action import Tier
from outgate.policy.effect import EFFECTS
from outgate.policy.hours import Hours, clock, days
from outgate.policy.rule import DEFAULT_MOCK, Approvers, Mock, Otherwise
from outgate.policy.shapes import meant

if TYPE_CHECKING:
    from collections.abc import Collection

    from outgate.policy.effect import Mode
    from outgate.policy.part import Part

_WITHIN = timedelta(hours=24)
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def hours(part: Part, zone: ZoneInfo | None) -> Hours | None:
    """Hours by the wall clock of their file's zone."""
    if part.at("from").value == part.at("to").value:
        part.at("to").say("these hours are empty, for a whole day write from: 00:00, to: 24:00")
        return None
    if zone is None:
        return None  # said where the zone should be
    start, end = clock(part.at("from").value), clock(part.at("to").value)
    return Hours(days=days(part.at("days").texts()), start=start, end=end, zone=zone)


def zone(file: Part) -> ZoneInfo | None:
    """The file's time zone, which its hours need, and of which the calendar of its limits is; None where it has none."""
    part = file.at("zone")
    if not isinstance(part.value, str):
        if part.value is None and file.at("hours").value:
            file.at("hours").say("hours need a zone, add one to this file, as in zone: Europe/London", key=True)
        return None
    try:
        return ZoneInfo(part.value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        part.say(f"no time zone '{part.value}' is known here, write it like Europe/London (or install tzdata)")
        return None


def approvers(part: Part) -> Approvers:
    """Who may approve."""
    need, of = part.at("need").value, tuple(part.at("of").texts())
    if need > len(of) and not any(who.startswith("group:") for who in of):
        part.at("need").say(f"{need} of {len(of)} can never be had, name more people or need fewer")
    within = part.at("within").value
    return Approvers(
        need=need,
        of=of,
        within=_UNITS[within[-1]] * int(within[:-1]) if within else _WITHIN,
        owner=part.at("owner").value is True,
        place=part.place,
    )


def mock(part: Part, services: Collection[str]) -> Mock:
    """What answers for a service."""
    if part.name != DEFAULT_MOCK and part.name not in services:
        part.say(f"no service '{part.name}' is known{meant(part.name, (*services, DEFAULT_MOCK))}", key=True)
    if len(part.value) != 1:
        part.say("a mock has a url, or answers: canned, or openapi: FILE: one of them")
    openapi = part.value.get("openapi", "")
    return Mock(url=part.value.get("url", ""), openapi=openapi, beside=part.document.source.rpartition("/")[0] if openapi else "")


def otherwise(part: Part, approvers: Collection[str], ceiling: Mode) -> Otherwise:
    """One word for everything, or a table by tier."""
    value = part.value
    if isinstance(value, str):
        one = EFFECTS[value]
        return Otherwise(tiers=(one, one, one, one), read=one, other=one, ceiling=ceiling)
    to = value.get("to", "")
    if to and to not in approvers:
        part.at("to").say(f"no approvers '{to}' are in this policy{meant(to, approvers)}")
    return _by_tier(value, to, ceiling)


def _by_tier(value: dict[str, Any], to: str, ceiling: Mode) -> Otherwise:
    unmapped = value["unmapped"]
    read, other = (unmapped, unmapped) if isinstance(unmapped, str) else (unmapped["read"], unmapped["other"])
    t0, t1, t2, t3 = (EFFECTS[value[tier.name]] for tier in Tier)
    return Otherwise(tiers=(t0, t1, t2, t3), read=EFFECTS[read], other=EFFECTS[other], to=to, ceiling=ceiling)
