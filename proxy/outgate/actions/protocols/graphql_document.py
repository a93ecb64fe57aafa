"""GraphQL documents: which fields of the root a server runs, and with which arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from outgate.intake.bodies import Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphql.language import ast

    from outgate.intake.bodies import JsonValue

MOST_TOKENS = 2000
"""Of one document: 8 ms or so, whatever is in it."""
LONGEST = 256 * 1024
"""Characters of a document: a text in it is one token."""

_REMEMBERED = 256
_WORTH_REMEMBERING = 8 * 1024
_HIDDEN_LINES = re.compile("#[^\n\r]*[\u2028\u2029\x85\x0b\x0c]")
"""A comment with what some take for the end of its line: what follows is a comment to one reader and a field to another."""

type Kind = Literal["query", "mutation", "subscription"]
type Given = str | int | float | bool | Variable | Doubtful | tuple[Given, ...] | Mapping[str, Given] | None


@dataclass(frozen=True, slots=True)
class Variable:
    """Its value comes beside the document."""

    name: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Said twice: servers take the one or the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A field of the root. `key` is its alias, else its name: what has the same key is run once."""

    name: str
    key: str
    arguments: Mapping[str, Given]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a document. `defaults` are those of its variables."""

    kind: Kind
    name: str
    roots: tuple[Root, ...]
    defaults: Mapping[str, Given]


def preload() -> None:
    """Import what documents are parsed with: it takes a while, and nobody should wait for it."""
    operations_of("{a}")


def is_loaded() -> bool:
    """Whether anything was parsed here before."""
    return _remembered.cache_info().currsize > 0


def operations_of(document: str) -> tuple[Operation, ...] | Undecodable:
    """Give every operation of a document, none left out because nobody asks for it.

    `@skip` and `@include` are not believed, fragments are expanded, each of them once: running time is linear in the document.
    """
    if len(document) > LONGEST:
        return Undecodable("The GraphQL document is too long.")
    return _remembered(document) if len(document) <= _WORTH_REMEMBERING else _operations(document)


def _operations(document: str) -> tuple[Operation, ...] | Undecodable:
    from graphql.error import GraphQLError

    if _HIDDEN_LINES.search(document):
        return Undecodable("A comment of the GraphQL document has a line end that not everybody takes for one.")
    try:
        return _all(_parse(document))
    except _UnclearError as error:
        return Undecodable(str(error))
    except RecursionError:
        return Undecodable("The GraphQL document is too deep.")
    except GraphQLError:
        return Undecodable("The document is not valid GraphQL, or is too long.")


_remembered = lru_cache(maxsize=_REMEMBERED)(_operations)
"""Programs send the same few documents again and again, with other variables."""


class _UnclearError(ValueError):
    """A sentence for the agent."""


def _parse(document: str) -> ast.DocumentNode:
    from graphql.language.parser import parse

    return parse(document, no_location=True, max_tokens=MOST_TOKENS)


def _all(document: ast.DocumentNode) -> tuple[Operation, ...]:
    from graphql.language import ast

    asked, fragments = [], {}
    for definition in document.definitions:
        match definition:
            case ast.OperationDefinitionNode():
                asked.append(definition)
            case ast.FragmentDefinitionNode():
                if definition.name.value in fragments:
                    raise _UnclearError("The GraphQL document has two fragments of one name.")
                fragments[definition.name.value] = definition
            case _:
                raise _UnclearError("The GraphQL document defines types, which no request may.")
    if not asked:
        raise _UnclearError("The GraphQL document has no operation.")
    names = [definition.name.value if definition.name else "" for definition in asked]
    if len(set(names)) != len(names) or ("" in names and len(names) > 1):
        raise _UnclearError("The GraphQL document has operations that can't be told apart by name.")
    return tuple(_operation(definition, name, fragments) for definition, name in zip(asked, names, strict=True))


def _operation(
    definition: ast.OperationDefinitionNode, name: str, fragments: Mapping[str, ast.FragmentDefinitionNode]
) -> Operation:
    kind: Kind = definition.operation.value
    defaults: dict[str, Given] = {}
    for variable in definition.variable_definitions or ():
        known = variable.variable.name.value
        if known in defaults:
            raise _UnclearError("The GraphQL document has a variable twice.")
        defaults[known] = None if variable.default_value is None else _value(variable.default_value)
    roots = tuple(dict.fromkeys(map(_Hashed, _roots(definition.selection_set, fragments))))
    if not roots:
        raise _UnclearError("An operation of the GraphQL document asks for nothing.")
    return Operation(kind=kind, name=name, roots=tuple(hashed.root for hashed in roots), defaults=defaults)


class _Hashed:
    """A root that is the same as another one written alike: fragments say things again."""

    __slots__ = ("root", "said")

    def __init__(self, root: Root) -> None:
        self.root = root
        self.said = repr(root)

    def __hash__(self) -> int:
        return hash(self.said)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.said == other.said


def _roots(selections: ast.SelectionSetNode, fragments: Mapping[str, ast.FragmentDefinitionNode]) -> Iterator[Root]:
    """Iterative, and each fragment once: that two spread each other, or one a hundred times, is of no consequence."""
    from graphql.language import ast

    waiting, spread = list(reversed(selections.selections)), set[str]()
    while waiting:
        match waiting.pop():
            case ast.FieldNode() as node:
                key = node.alias.value if node.alias else node.name.value
                yield Root(name=node.name.value, key=key, arguments=_pairs((a.name.value, a.value) for a in node.arguments or ()))
            case ast.InlineFragmentNode() as node:
                waiting.extend(reversed(node.selection_set.selections))
            case ast.FragmentSpreadNode() as node:
                fragment = fragments.get(node.name.value)
                if fragment is None:
                    raise _UnclearError("The GraphQL document spreads a fragment that it does not have.")
                if node.name.value not in spread:
                    spread.add(node.name.value)
                    waiting.extend(reversed(fragment.selection_set.selections))
            case other:
                raise _UnclearError(f"The GraphQL document selects something that is no field: {type(other).__name__}.")


def _pairs(pairs: Iterable[tuple[str, ast.ValueNode]]) -> dict[str, Given]:
    made: dict[str, Given] = {}
    for name, value in pairs:
        made[name] = Doubtful() if name in made else _value(value)
    return made


def _value(node: ast.ValueNode) -> Given:
    """Nesting is bounded by what the parser, which needs more of the stack, came through."""
    from graphql.language import ast

    match node:
        case ast.VariableNode():
            return Variable(node.name.value)
        case ast.ObjectValueNode():
            return _pairs((field.name.value, field.value) for field in node.fields)
        case ast.ListValueNode():
            return tuple(map(_value, node.values))
        case ast.IntValueNode():
            return int(node.value) if len(node.value) < _DIGITS else node.value
        case ast.StringValueNode() | ast.EnumValueNode() | ast.BooleanValueNode():
            return node.value
        case _:
            return float(node.value) if isinstance(node, ast.FloatValueNode) else None


_DIGITS = 20


def resolved(value: Given, variables: Mapping[str, JsonValue], defaults: Mapping[str, Given]) -> JsonValue | Doubtful:
    """Put variables in. Doubtful where anything in it is, or a variable is used that the operation does not declare."""
    match value:
        case Variable(name):
            if name not in defaults:
                return Doubtful()
            return variables[name] if name in variables else resolved(_constant(defaults[name]), {}, {})
        case tuple():
            items = [resolved(item, variables, defaults) for item in value]
            return (
                Doubtful()
                if any(isinstance(item, Doubtful) for item in items)
                else [i for i in items if not isinstance(i, Doubtful)]
            )
        case Doubtful() | None | str() | bool() | int() | float():
            return value
        case _:
            return _object(value, variables, defaults)


def _object(
    value: Mapping[str, Given], variables: Mapping[str, JsonValue], defaults: Mapping[str, Given]
) -> JsonValue | Doubtful:
    made: dict[str, JsonValue] = {}
    for name, inner in value.items():
        item = resolved(inner, variables, defaults)
        if isinstance(item, Doubtful):
            return item
        made[name] = item
    return made


def _constant(value: Given) -> Given:
    """A default that names a variable is none."""
    return Doubtful() if isinstance(value, Variable) else value
