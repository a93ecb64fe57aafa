"""Conditions: CEL, type-checked when a policy is loaded. The only module that knows the engine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from cel_expr_python import cel  # type: ignore[import-untyped]  # its stubs lack a py.typed marker

from outgate.actions.action import Money
from outgate.policy.amounts import amount, under
from outgate.policy.matching import MATCH, NO_MATCH, Erred
from outgate.policy.names import MISSING, Kind
from outgate.policy.shapes import meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.action import Action
    from outgate.policy.facts import Facts
    from outgate.policy.matching import Truth
    from outgate.policy.names import Name

type Activation = cel.Activation
"""Values behind names, in the engine's own form."""

LONGEST = 2000
"""Characters in a condition."""

_T = cel.Type
_TYPES = {
    Kind.TEXT: _T.STRING,
    Kind.INT: _T.INT,
    Kind.BOOL: _T.BOOL,
    Kind.TEXTS: _T.List(_T.STRING),
    Kind.LABELS: _T.Map(_T.STRING, _T.STRING),
    Kind.MONEY: _T.Map(_T.STRING, _T.DYN),
    Kind.DURATION: _T.DURATION,
    Kind.TIME: _T.TIMESTAMP,
    Kind.ANY: _T.DYN,
}


def _under(money: Mapping[str, int | str], cap: str) -> bool:
    minor, currency = money["minor"], money["currency"]
    if not isinstance(minor, int) or not isinstance(currency, str):
        raise TypeError("no amount")
    return under(Money(minor=minor, currency=currency), amount(cap))


_FUNCTIONS = (
    cel.FunctionDecl("under", [cel.Overload("under_money", _T.BOOL, [_TYPES[Kind.MONEY], _T.STRING], False, _under)]),
    cel.FunctionDecl("days", [cel.Overload("days_int", _T.DURATION, [_T.INT], False, lambda n: timedelta(days=n))]),
)
FUNCTIONS = ("under", "days")


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What is wrong with a condition. `line` and `column` are in its text, from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A compiled condition. `reads` are the names in it, `language` is where it was compiled and where its values are from."""

    text: str
    reads: frozenset[str]
    language: Language = field(compare=False, repr=False)
    program: cel.Expression = field(compare=False, repr=False)

    def holds(self, activation: Activation) -> Truth:
        """Exactly true, exactly false, or an error. The engine gives errors back as truthy values: only `is` tells them apart."""
        try:
            value = self.program.eval(activation=activation).value()
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            return Erred(_code(str(error)))
        if value is True:
            return MATCH
        if value is False:
            return NO_MATCH
        return Erred(_code(str(value)))


_MISSING = re.compile(r'No value with name "([\w.]+)" found')


def _code(said: str) -> str:
    """One of ours: what the engine says may hold values that an agent sent."""
    if found := _MISSING.search(said):
        return f"missing:{found[1]}"
    if "NOT_FOUND" in said or "no such key" in said.lower():
        return "no-such-key"
    return "too-costly" if "budget" in said else "failed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Language:
    """The names that conditions may use. Programs and their environment never change once made.

    The engine takes times and durations only where it compiled: a condition gets its values from its own language.
    """

    names: Mapping[str, Name]
    _env: cel.Env = field(compare=False, repr=False)

    def compile(self, text: str) -> Condition | tuple[Complaint, ...]:
        """Check a condition and compile it, or say everything that is wrong with it."""
        if len(text) > LONGEST:
            return (Complaint(line=1, column=1, message=f"a condition has at most {LONGEST} characters, split the rule"),)
        unknown = tuple(self._unknown(text))
        if unknown:
            return unknown
        try:
            program = self._env.compile(text)
        except RuntimeError as error:
            return tuple(_complaints(str(error), text, self.names))
        if program.return_type() != _T.BOOL:
            kind = _KIND_WORDS.get(program.return_type().name(), "something else")
            return (Complaint(line=1, column=1, message=f"a condition is true or false, this one is {kind}"),)
        wrong = tuple(self._literals(text))
        return wrong or Condition(text=text, reads=reads(text, self.names), language=self, program=program)

    def activation(self, names: Iterable[str], action: Action, facts: Facts) -> Activation:
        """The values behind names, for one action. What is missing is left out: reading it is an error."""
        found = ((name, self.names[name].get(action, facts)) for name in names)
        return self._env.Activation({name: value for name, value in found if value is not MISSING})

    def _unknown(self, text: str) -> Iterator[Complaint]:
        roots = {name.partition(".")[0] for name in self.names}
        for at, path in _paths(text):
            if path.partition(".")[0] in roots and _known(path, self.names) is None:
                line, column = _place(text, at)
                said = ".".join(path.split(".")[:2])
                yield Complaint(line=line, column=column, message=f"unknown name '{said}'{_meant(said, self.names)}")

    def _literals(self, text: str) -> Iterator[Complaint]:
        """What would fail each time it is read: a misspelt duration, zone, pattern, amount."""
        for found in _LITERAL_CALL.finditer(text):
            function, literal = found["function"], found["literal"]
            probe = self._env.compile(_PROBES[function].format(literal))
            if probe.eval(activation=self._env.Activation({})).type() == _T.ERROR:
                line, column = _place(text, found.start("literal"))
                yield Complaint(
                    line=line, column=column, message=f"{function}() can't read {literal}{_REMEDIES.get(function, '')}"
                )


def language(names: Mapping[str, Name]) -> Language:
    """Give the language with these names."""
    variables = {name: _TYPES[of.kind] for name, of in names.items()}
    env = cel.NewEnv(variables=variables, extensions=[cel.CelExtension("outgate", list(_FUNCTIONS))])
    return Language(names=names, _env=env)


_MOMENT = 'timestamp("2026-01-01T00:00:00Z")'
_PROBES = {
    "duration": "duration({})",
    "timestamp": "timestamp({})",
    "matches": '"".matches({})',
    "under": 'under({{"minor": dyn(0), "currency": dyn("XTS")}}, {})',
    **{
        name: f"{_MOMENT}.{name}({{}})"
        for name in ("getHours", "getMinutes", "getDayOfWeek", "getDate", "getMonth", "getFullYear")
    },
}
_REMEDIES = {
    "duration": ", write it like '36h' or '90m'; for days use days(7)",
    "timestamp": ", write it like '2026-01-31T09:00:00Z'",
    "matches": ", it is no RE2 pattern",
    "under": ", write it like '10000 GBP'",
}
_STRING = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_LITERAL_CALL = re.compile(rf"\b(?P<function>{'|'.join(_PROBES)})\s*\((?:[\w.\s]+,)?\s*(?P<literal>{_STRING})\s*\)")
_NOT_NAMES = re.compile(rf'"""(?s:.*?)"""|\'\'\'(?s:.*?)\'\'\'|{_STRING}|//[^\n]*')
_PATH = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")


def reads(text: str, names: Mapping[str, Name]) -> frozenset[str]:
    """Give the names that a condition reads. One that this overlooks is not given a value, and reading it is an error."""
    return frozenset(known for _, path in _paths(text) if (known := _known(path, names)) is not None)


def said_of(group: str, text: str) -> Iterator[Complaint]:
    """Every name of a group (`params`, `response`) in a condition, where it stands; the message is the rest of the name."""
    for at, path in _paths(text):
        root, _, rest = path.partition(".")
        if root == group and rest:
            line, column = _place(text, at)
            yield Complaint(line=line, column=column, message=rest.partition(".")[0])


def _paths(text: str) -> Iterator[tuple[int, str]]:
    """Dotted names with where they start, none out of strings or comments."""
    bare = _NOT_NAMES.sub(lambda found: " " * len(found[0]), text)
    for found in _PATH.finditer(bare):
        yield found.start(), re.sub(r"\s", "", found[0])


def _known(path: str, names: Mapping[str, Name]) -> str | None:
    """The name that a path starts with: `agent.team` in `agent.team.startsWith`. `params.x` is never `params`."""
    parts = path.split(".")
    for end in range(min(len(parts), 2), 0, -1):
        if (name := ".".join(parts[:end])) in names and not (name == "params" and len(parts) > 1):
            return name
    return None


_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_KIND_WORDS = {
    "STRING": "text", "string": "text", "INT": "a whole number", "int": "a whole number", "DOUBLE": "a number",
    "double": "a number", "DURATION": "a duration", "google.protobuf.Duration": "a duration", "TIMESTAMP": "a time",
    "google.protobuf.Timestamp": "a time", "bool": "true or false", "list(string)": "a list of texts",
    "map(string, dyn)": "an amount", "map(string, string)": "a table of texts", "LIST": "a list", "MAP": "a table",
    "dyn": "anything",
}  # fmt: skip


def _complaints(said: str, text: str, names: Mapping[str, Name]) -> Iterator[Complaint]:
    found = list(_ERROR.finditer(said))
    if not found:
        reason = "it is nested too deeply" if "recursion" in said else said.partition("\n")[0]
        yield Complaint(line=1, column=1, message=f"this condition can't be read: {reason}")
    for one in found:
        line, column = int(one[1]), int(one[2])
        if name := _UNDECLARED.search(one[3]):
            column -= _before(name[1], text.split("\n")[line - 1][column - 1 :])
        yield Complaint(line=line, column=column, message=_plainly(one[3], names))


def _before(name: str, rest: str) -> int:
    """The engine points at the dot of a name and at the bracket of a call; people look for where it starts."""
    return len(name) if rest.startswith("(") else len(name.rpartition(".")[0]) if rest.startswith(".") else 0


def _plainly(said: str, names: Mapping[str, Name]) -> str:
    """The engine's message in our words."""
    if name := _UNDECLARED.search(said):
        return f"unknown name '{name[1]}'{_meant(name[1], (*names, *FUNCTIONS))}"
    if wrong := _OVERLOAD.search(said):
        operator = wrong[1].replace("@", "").strip("_").replace("_", " ")
        kinds = " and ".join(_KIND_WORDS.get(kind, kind) for kind in _split(wrong[2]))
        return f"'{operator}' does not go with {kinds}"
    return said.removesuffix(" [INVALID_ARGUMENT]").replace("Syntax error: ", "").partition(" expecting {")[0]


def _meant(said: str, names: Iterable[str]) -> str:
    """The nearest name; of the same root where it has one, else the roots would make everything alike."""
    root, dot, rest = said.partition(".")
    own = [name.removeprefix(f"{root}.") for name in names if name.startswith(f"{root}.")]
    return meant(rest, own, f"{root}.") if own and dot else meant(said, names)


def _split(kinds: str) -> list[str]:
    """`map(string, dyn), string` is two."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", kinds)]


def _place(text: str, at: int) -> tuple[int, int]:
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
