"""Load one rule: what is written, checked against the catalog and the language, as a Rule."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outgate.policy.conditions import Condition, said_of
from outgate.policy.effect import EFFECTS, MODES, Effect, Mode, Phase
from outgate.policy.form import DATA, MATCH
from outgate.policy.limits import COUNT
from outgate.policy.load_limit import limit, metered, read
from outgate.policy.matching import Scope, Test, folds, reader, wanted
from outgate.policy.names import MESSAGE, RESPONSE
from outgate.policy.reach import is_open, met, named, reach, unknown
from outgate.policy.rule import EVERYBODY, OTHERWISE, Rule
from outgate.policy.shapes import meant, problems

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import tzinfo

    from outgate.actions.catalog import Catalog
    from outgate.policy.conditions import Language
    from outgate.policy.part import Part

_IN_DATA = re.compile(r"""["'](\w*)["']\s+in\s+(?:response\s*\.\s*)?data\b""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Languages:
    """Two of the same names: one in which parameters are those of the catalog, one in which callers choose them."""

    typed: Language
    free: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a rule is checked against."""

    catalog: Catalog
    languages: Mapping[Phase, Languages]
    approvers: Collection[str]
    ceiling: Mode
    zone: tzinfo | None = None


def rule(part: Part, around: Surroundings) -> Rule:
    """Give the rule that is written at `part`, which has the form of one. What is wrong with it is said there."""
    effect = EFFECTS[part.at("effect").value]
    scope = _scope(part.at("match"), around.catalog, permits=not effect.restricts)
    if part.at("id").value == OTHERWISE:
        part.at("id").say("'otherwise' is how a decision names the default, give this rule another id")
    phase = Phase(part.at("phase").value or Phase.REQUEST)
    match phase:
        case Phase.RESPONSE:
            _of_answers(part, effect)
        case Phase.STREAM:
            _of_messages(part, effect)
        case Phase.REQUEST:
            pass
    of = limit(part, effect, around.zone)
    return Rule(
        id=part.at("id").value,
        scope=scope,
        effect=effect,
        when=_condition(part.at("when"), scope, phase, around),
        unless=_condition(part.at("unless"), scope, phase, around),
        on_error=_on_error(part.at("onError"), effect),
        on_too_large=_on_too_large(part.at("onTooLarge"), effect, phase),
        mode=MODES[part.at("mode").value or "enforce"],
        ceiling=around.ceiling,
        limit=of,
        models=metered(part.at("limit"), of, scope, around.catalog) if of else frozenset(),
        rollout=_rollout(part.at("rollout")),
        phase=phase,
        tell=_sentence(part.at("tell")),
        to=_to(part, effect, around.approvers),
        why=_sentence(part.at("why")),
        place=part.place,
    )


def check(part: Part, around: Surroundings) -> None:
    """Say what else is wrong with a rule that has not the form of one: all problems at once."""
    scope = _scope(part.at("match"), around.catalog, permits=False) if _formed(part) else None
    if scope is None:
        for key in ("service", "action"):
            _check_known(part.at("match", key), around.catalog)
    phase = part.at("phase").value
    for key in ("when", "unless"):
        if isinstance(part.at(key).value, str):
            _condition(part.at(key), scope, Phase(phase) if phase in around.languages else Phase.REQUEST, around)
    if isinstance(part.at("limit").value, str):
        read(part.at("limit"))


def said_params(part: Part) -> frozenset[str]:
    """Every parameter that a rule's conditions name."""
    return frozenset(said.message for key in ("when", "unless") for said in said_of("params", str(part.at(key).value or "")))


def _formed(part: Part) -> bool:
    """Whether `match` is there in its form, or not there at all."""
    match = part.at("match")
    return "match" not in part.value or not problems(MATCH, match.document, match.path)


def _scope(match: Part, catalog: Catalog, *, permits: bool) -> Scope:
    scope = Scope(tests=tuple(_test(part, catalog, permits=permits) for part in match.entries()))
    named = {key for key in ("service", "action") if scope.test(key)}
    if len(named) == 2 and next(met(scope, catalog), None) is None and not _generic(scope):
        match.say("no action of this service is one of these actions, name the action alone")
    for part in match.entries():
        name = part.name.removeprefix("params.")
        if name != part.name and (wrong := _wrong_param(name, scope, catalog)) is not None:
            part.say(wrong)
    return scope


def _generic(scope: Scope) -> bool:
    """`http` and its methods: not all of them are listed."""
    service = scope.test("service")
    return service is not None and service.wanted.has("http")


def _test(part: Part, catalog: Catalog, *, permits: bool) -> Test:
    key = part.name
    if key in {"service", "action"}:
        _check_known(part, catalog)
    for said, place in part.each():
        if key == "host" and (wrong := _wrong_host(said)) is not None:
            place.say(wrong)
    fold = folds(key) and not permits
    said_values = [value.lower() if key == "host" else value for value in part.texts()]
    return Test(key=key, wanted=wanted(said_values, fold=fold), permits=permits, fold=fold, read=reader(key))


def _check_known(part: Part, catalog: Catalog) -> None:
    for said, place in part.each():
        if isinstance(place.value, str) and (wrong := unknown(part.name, said, catalog)) is not None:
            place.say(wrong)


def _wrong_host(host: str) -> str | None:
    if host.startswith("*.") and (host[2:].replace(".", "").isdigit() or "." not in host[2:]):
        return f"'{host}' is too wide, '*.' goes before a name of two labels or more, as in *.example.com"
    return None


def _condition(part: Part, scope: Scope | None, phase: Phase, around: Surroundings) -> Condition | None:
    text = part.value
    if text is None:
        return None
    free = scope is None or all(map(is_open, met(scope, around.catalog)))
    languages, before = around.languages[phase], len(part.found)
    for said in said_of(RESPONSE, text) if phase is not Phase.RESPONSE else ():
        what = f"'{RESPONSE}.{said.message}' is known when the answer is there, add phase: response"
        part.say_inside(replace(said, message=what))
    for said in said_of(MESSAGE, text) if phase is not Phase.STREAM else ():
        what = f"'{MESSAGE}.{said.message}' is known of each message of a stream, add phase: stream"
        part.say_inside(replace(said, message=what))
    for said in said_of("params", text):
        if scope is not None and (wrong := _wrong_param(said.message, scope, around.catalog)) is not None:
            part.say_inside(replace(said, message=wrong))
    for wrong in sorted(set(_IN_DATA.findall(text)) - set(DATA)):
        part.say(f"no data is ever '{wrong}' in this version{meant(wrong, DATA)}")
    if len(part.found) > before:
        return None
    made = (languages.free if free else languages.typed).compile(text)
    if isinstance(made, Condition):
        return made
    for complaint in made:
        part.say_inside(complaint)
    return None


def _wrong_param(name: str, scope: Scope, catalog: Catalog) -> str | None:
    """A parameter must be one of every operation that the rule meets: where it is missing, a restriction errs and blocks."""
    closed = [operation for operation in reach(scope, catalog) if not is_open(operation)]
    without = [operation for operation in closed if name not in operation.params]
    if not without:
        return None
    known = {param for operation in closed for param in operation.params}
    if name not in known:
        return f"unknown parameter 'params.{name}'{_meant_param(name, known)}"
    return f"'params.{name}' is no parameter of {named(without)}, which this rule meets too; narrow it with match: action"


def _meant_param(name: str, known: set[str]) -> str:
    return meant(name, known, "params.") if known else ", nothing that this rule meets has typed parameters"


def _on_error(part: Part, effect: Effect) -> Effect:
    if part.value is None:
        return Effect.BLOCK
    wanted_effect = EFFECTS[part.value]
    if not effect.restricts:
        part.say("an allow rule that can't be judged never matches, leave onError out", key=True)
    elif wanted_effect < effect:
        part.say(f"onError: {part.value} is weaker than effect: {effect}, use {effect} or stricter")
    return max(effect, wanted_effect)


def _on_too_large(part: Part, effect: Effect, phase: Phase) -> Effect | None:
    if part.value is None:
        return None
    if not effect.restricts:
        part.say("an allow rule that can't be judged never matches, leave onTooLarge out", key=True)
    elif phase is not Phase.REQUEST:
        part.say("onTooLarge is for the body of a request: an answer or a message that is too large takes onError", key=True)
    return EFFECTS[part.value]


def _of_answers(part: Part, effect: Effect) -> None:
    """When the answer is there it has happened: all that is left is to withhold it."""
    if effect is not Effect.BLOCK:
        part.at("effect").say(f"when the answer is there, all that can be done is to withhold it: use block, not {effect}")
    if part.at("limit").value is not None:
        part.at("limit").say("a limit is for what is asked, write a rule without phase: response for it", key=True)


def _of_messages(part: Part, effect: Effect) -> None:
    """A conversation was let out already: its messages pass, unless a rule says something else."""
    if not effect.restricts:
        part.at("effect").say("messages of what was let out pass anyway: leave the rule out, or restrict something with it")
    counted = part.at("limit").value
    if isinstance(counted, str) and (of := read(part.at("limit"))) is not None and of[1] != COUNT:
        part.at("limit").say("of messages only their number is counted, write a limit like 60/min")


def _rollout(part: Part) -> int:
    return EVERYBODY if part.value is None else int(part.value)


def _to(part: Part, effect: Effect, approvers: Collection[str]) -> str:
    to = part.at("to")
    if to.value is None:
        return ""
    if effect is not Effect.ESCALATE and "escalate" not in {part.at("onError").value, part.at("onTooLarge").value}:
        to.say("'to' says who approves, and this rule asks nobody; use effect: escalate or leave it out", key=True)
    if to.value not in approvers:
        to.say(f"no approvers '{to.value}' are in this policy{meant(to.value, approvers)}")
    return str(to.value)


def _sentence(part: Part) -> str:
    return " ".join(str(part.value or "").split())
