"""Python source as a miner reads it: functions of classes, calls in them, and the path that an expression makes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

type Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(source: bytes) -> Iterator[tuple[ast.ClassDef, Function]]:
    """Give the functions of the classes of a module, with their classes."""
    for one in ast.parse(source).body:
        if isinstance(one, ast.ClassDef):
            yield from ((one, inside) for inside in one.body if isinstance(inside, ast.FunctionDef | ast.AsyncFunctionDef))


def calls(function: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Give calls of methods in a function, with the method's name."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Give an argument by its name."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def text(node: ast.expr | None) -> str | None:
    """Give a text that stands in the source."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def template(node: ast.expr | None) -> str | None:
    """Give the path template that an expression makes: a text, an f-string, `.format`, `path_template(…)`. None for others."""
    match node:
        case ast.Constant(value=str(said)):
            return said
        case ast.JoinedStr(values=values):
            return "".join(_piece(value) for value in values)
        case ast.Call(func=ast.Attribute(attr="format", value=value)):
            return template(value)
        case ast.Call(func=ast.Name(id="path_template"), args=[first, *_]):
            return template(first)
        case _:
            return None


def _piece(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    return f"{{{_name(value.value)}}}" if isinstance(value, ast.FormattedValue) else "{value}"


def _name(node: ast.expr) -> str:
    """What a variable is called: `x`, `__path_parts["x"]`, `quote(x)`, `jsonable_encoder(x)`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(args=[first, *_]):
            return _name(first)
        case _:
            return "value"
