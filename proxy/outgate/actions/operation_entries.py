"""Operation entries: what a service file says of one operation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from outgate.actions.action import Access, Tier
from outgate.actions.languages import LANGUAGES
from outgate.actions.operation import Operation, Override, Param, Told, Worse
from outgate.actions.written import KINDS, PLACES, param_of, source_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.actions.entries import Entry
    from outgate.actions.operation import Template

HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
ACCESSES = tuple(access.value for access in Access)
TIERS = tuple(tier.name for tier in Tier)

_SOURCE = re.compile(r"([a-z]+)\.([^\s]+)")


def operation_of(name: str, at: Entry, service: str, params: Iterable[tuple[str, str]]) -> Operation:
    access = at.get("access").choice("access", ACCESSES)
    tier = at.get("tier").choice("tier", TIERS)
    kinds: Any = dict(params)
    return Operation(
        service=service,
        operation=name,
        access=Access(access) if access else Access.UNKNOWN,
        tier=Tier[tier] if tier else Tier.T3,
        params=kinds,
        why=_sentence(at.get("why")),
    )


def override_of(
    at: Entry, names: Iterable[str] | None, params: tuple[Param, ...], told: Told | None, *, egress: bool
) -> Override:
    """Give what people say of an operation that was mined. `names` may fill its templates; None where nobody checks."""
    access = at.get("access").choice("access", ACCESSES) if at.get("access").value is not None else ""
    tier = at.get("tier").choice("tier", TIERS) if at.get("tier").value is not None else ""
    return Override(
        access=Access(access) if access else None,
        tier=Tier[tier] if tier else None,
        why=_sentence(at.get("why")) or None,
        resource=template_of("resource", at, (), names, params),
        instance=template_of("instance", at, (), names, params),
        params=params,
        worse=tuple(worse_of(one, params) for one in at.get("worse").each()),
        egress=egress,
        reads=told,
    )


def _sentence(at: Entry) -> str:
    return "" if at.value is None else at.text("'why'")


def params_of(at: Entry) -> tuple[Param, ...]:
    return tuple(param for name, inside in at.get("params").items() if (param := _param(name, inside)) is not None)


def _param(name: str, at: Entry) -> Param | None:
    param = param_of(name, at.value) if isinstance(at.value, str) else None
    if param is None:
        at.say(f"a parameter is `name: KIND PLACE.FIELD`, KIND of {', '.join(KINDS)}, PLACE of {', '.join(PLACES)}")
    elif param.currency is not None and param.kind != "money":
        at.say("only money is `in` a currency")
    return param


def told_of(at: Entry) -> Told | None:
    """`reads: LANGUAGE` or `reads: {LANGUAGE: PLACE.FIELD, option: value}`."""
    if at.value is None:
        return None
    if isinstance(at.value, str):
        return Told(language=at.choice("language of a body", LANGUAGES))
    said = dict(at.items())
    named = [name for name in said if name in LANGUAGES]
    if len(named) != 1:
        at.say(f"'reads' names one language of {', '.join(sorted(LANGUAGES))}, and where it stands: `sql: json.statement`")
        return None
    language = LANGUAGES[named[0]]
    where = _SOURCE.fullmatch(said[language.name].text("where it stands"))
    if where is None or where[1] not in PLACES:
        said[language.name].say(f"where it stands is PLACE.FIELD, PLACE of {', '.join(PLACES)}")
        return None
    options = {name: inside.text(f"'{name}'") for name, inside in said.items() if name != language.name}
    for name in options.keys() - language.options:
        said[name].say(f"'{language.name}' knows no '{name}'", key=True)
    return Told(language=language.name, source=source_of(where[1], where[2]), options=options)


def worse_of(at: Entry, params: tuple[Param, ...]) -> Worse:
    for _ in at.items({"if", "tier", "access", "why"}):
        pass
    when = dict(at.get("if").value) if isinstance(at.get("if").value, dict) else {}
    kinds = {param.name: param.kind for param in params}
    wanted = {"bool": bool, "string": str}
    if not when or any(wanted.get(kinds.get(name, "")) is not type(value) for name, value in when.items()):
        at.say("`if` names parameters of this operation, each with the text or the true or false that makes it worse")
    access = at.get("access").value
    return Worse(
        when=when,
        tier=Tier[at.get("tier").choice("tier", TIERS) or "T3"],
        access=Access(at.get("access").choice("access", ACCESSES) or Access.UNKNOWN) if access else None,
        why=_sentence(at.get("why")),
    )


def template_of(
    key: str, at: Entry, general: Iterable[str], captures: Iterable[str] | None, params: tuple[Param, ...]
) -> Template:
    """The operation's own template, else the first of its service that its names can fill. No `captures`: nobody checks."""
    known = {*(captures or ()), *(param.name for param in params if param.kind == "string")}
    own = at.get(key)
    if own.value is not None:
        parts = tuple(HOLE.split(own.text(f"'{key}'")))
        if captures is not None and not {*parts[1::2]} <= known:
            own.say(f"{key} '{own.value}' names something that is neither in the path nor a string parameter")
        return parts
    split = (tuple(HOLE.split(template)) for template in general)
    return next((parts for parts in split if {*parts[1::2]} <= known), ())
