"""Load a limit: `60/min`, `1000/month`, `2000000 tokens/hour`, `50 GBP/day`, and what goes with it."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from outgate.policy.amounts import amount as money
from outgate.policy.amounts import micros
from outgate.policy.effect import Effect
from outgate.policy.limits import COUNT, MOST, MOST_COUNT, TOKENS, Limit, Window
from outgate.policy.meter import COST_CURRENCY
from outgate.policy.reach import models, named, reach
from outgate.policy.shapes import meant, shown

if TYPE_CHECKING:
    from datetime import tzinfo

    from outgate.actions.catalog import Catalog
    from outgate.policy.matching import Scope
    from outgate.policy.part import Part

FORM = "60/min, 1000/month, 2000000 tokens/hour or 50 GBP/day"
"""How limits are written."""
EVERYTHING = "all"
"""One limit for all agents together."""
KEYS = ("burst", "per", "count", "maxDelay")
"""What says more of a limit."""
_PER_AGENT = ("agent.id",)
_FORM = re.compile(r"(?P<amount>[^\s/]*)(?:\s+(?P<unit>[^\s/]*))?\s*/\s*(?P<window>.*?)\s*")
_WHOLE = re.compile(r"[0-9]{1,18}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_WINDOWS = {
    **{window.value: window for window in Window},
    "s": Window.SECOND,
    "sec": Window.SECOND,
    "min": Window.MINUTE,
    "h": Window.HOUR,
}
_DELAY = re.compile(r"(?P<amount>[1-9][0-9]{0,4})(?P<unit>ms|s)")
_LONGEST_DELAY = timedelta(seconds=30)


def limit(part: Part, effect: Effect, zone: tzinfo | None) -> Limit | None:
    """The limit of the rule at `part`, if it has one that is right. What is wrong with it is said where it stands."""
    if part.at("limit").value is None:
        _without(part, effect)
        return None
    if not effect.restricts:
        part.at("limit").say("an allow rule has no limit, add a rule with effect: throttle for what is too much", key=True)
        return None
    said = read(part.at("limit"))
    if said is None:
        return None
    amount, unit, window = said
    made = Limit(
        amount=amount,
        unit=unit,
        window=window,
        zone=zone or UTC,
        burst=part.at("burst").value,
        per=_per(part.at("per")),
        attempted=part.at("count").value == "attempted",
        max_delay=_delay(part.at("maxDelay")),
    )
    _fits(part, made, effect)
    return made


def metered(part: Part, made: Limit, scope: Scope, catalog: Catalog) -> frozenset[str]:
    """The services of which the limit counts what language models use. Says what the rule meets and the limit can't count."""
    if made.unit == COUNT:
        return frozenset()
    serve = models(scope, catalog)
    others = [o for o in reach(scope, catalog) if not o.access.only_reads and o.service not in serve]
    if made.unit == TOKENS:
        if others or not serve:
            what = f"{named(others)}, which" if others else "anything that"
            part.say(f"no language model answers {what} this rule meets; narrow it with match: service")
        return serve
    if silent := [o for o in others if "money" not in o.params.values()]:
        part.say(f"no amount can be read from {named(silent)}, which this rule meets; narrow it with match: action")
    if serve and made.unit != COST_CURRENCY:
        part.say(f"what language models cost is known in {COST_CURRENCY} only; limit that, or leave them to a rule of their own")
    return serve


def _without(part: Part, effect: Effect) -> None:
    for key in KEYS:
        if part.at(key).value is not None:
            part.at(key).say(f"'{key}' says more of a limit, and this rule has none", key=True)
    if effect is Effect.THROTTLE:
        part.at("effect").say("throttle is for what goes over a limit, add one, as in limit: 60/min; or use effect: block")


def read(part: Part) -> tuple[int, str, Window] | None:
    """What is written: how much, of what, in which time. What is wrong with it is said there."""
    found = _FORM.fullmatch(part.value)
    if found is None:
        part.say(f"a limit is {FORM}, not {shown(part.value)}")
        return None
    unit, window = found["unit"] or "", _WINDOWS.get(found["window"])
    if window is None:
        part.say_at(found.start("window"), f"unknown window {shown(found['window'])}{meant(found['window'], Window)}")
    if unit not in {"", TOKENS} and not _CURRENCY.fullmatch(unit):
        remedy = meant(unit.lower(), (TOKENS,)) if unit.lower().startswith("tok") else ", use tokens or a currency such as GBP"
        part.say_at(found.start("unit"), f"unknown unit {shown(unit)}{remedy}")
        return None
    amount = _amount(part, found["amount"], unit)
    return None if amount is None or window is None else (amount, unit or COUNT, window)


def _amount(part: Part, said: str, unit: str) -> int | None:
    """How much: a whole number; of money what the currency allows, in millionths."""
    most = MOST_COUNT if not unit else MOST
    try:
        many = micros(money(f"{said} {unit}")) if _CURRENCY.fullmatch(unit) else int(said) if _WHOLE.fullmatch(said) else None
    except ValueError as error:
        part.say_at(0, str(error))
        return None
    if many is None:
        part.say_at(0, f"{shown(said)} is no amount, write a whole number, as in {FORM}")
    elif many == 0:
        part.say_at(0, "a limit of 0 lets nothing through, leave it out and use effect: block")
    elif many >= most:
        part.say_at(0, f"{shown(said)} is more than can be counted, leave the limit out")
    else:
        return many
    return None


def _per(part: Part) -> tuple[str, ...]:
    """Facts in one order, each once. `all` is none of them."""
    said = part.texts()
    if EVERYTHING in said and len(said) > 1:
        part.say("'all' is one limit for everything, leave the others out")
    return tuple(sorted(set(said) - {EVERYTHING})) if said else _PER_AGENT


def _delay(part: Part) -> timedelta:
    if part.value is None:
        return timedelta(0)
    found = _DELAY.fullmatch(part.value)
    if found is None:
        raise ValueError("the form of a policy says how a time is written")
    delay = timedelta(milliseconds=int(found["amount"]) * (1000 if found["unit"] == "s" else 1))
    if delay > _LONGEST_DELAY:
        part.say(f"nobody waits so long for an answer, use {_LONGEST_DELAY.seconds}s or less")
    return delay


def _fits(part: Part, made: Limit, effect: Effect) -> None:
    """What goes with a rate alone, or with throttle alone."""
    if made.burst is not None and not made.is_rate:
        part.at("burst").say(f"'burst' is for counts in a second, minute or hour; {made} is used up in any order", key=True)
    if part.at("maxDelay").value is None:
        return
    if effect is not Effect.THROTTLE:
        part.at("maxDelay").say(f"only what is throttled can wait, and this is effect: {effect}; leave it out", key=True)
    elif not made.is_rate:
        part.at("maxDelay").say(f"'maxDelay' is for counts in a second, minute or hour; {made} frees nothing so soon", key=True)
