"""What SQL statements are about: tables, columns, how many rows, and whether anything says which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlglot.expressions.core import Expr

MOST: Final = 200
"""Tables or columns of one statement."""

_TARGETS: Final = {
    "Insert": ("this",),
    "Update": ("this",),
    "Merge": ("this",),
    "Create": ("this",),
    "Alter": ("this",),
    "Into": ("this",),
    "Copy": ("this",),
    "Drop": ("tables", "this"),
    "TruncateTable": ("expressions",),
    "Comment": ("this",),
    "Grant": ("securable",),
    "Revoke": ("securable",),
    "Refresh": ("this",),
    "Cache": ("this",),
    "Uncache": ("this",),
    "LoadData": ("this",),
    "Analyze": ("this",),
    "Undrop": ("this",),
    "Execute": ("this",),
}
"""Where a statement names what it changes."""


def targets_of(node: Expr) -> list[Expr]:
    """Give the tables that a statement changes."""
    if kind(node) == "Delete":
        return _named(node.args.get("tables")) or _named(node.args.get("this"))
    found = [table for arg in _TARGETS.get(kind(node), ()) for table in _named(node.args.get(arg))]
    return found if kind(node) in {"Update", "Drop", "TruncateTable"} else found[:1]


def _named(value: Any) -> list[Expr]:
    """The tables in it, those of its joins too, but none of a query in it."""
    found: list[Expr] = []
    waiting = [value] if not isinstance(value, list) else list(reversed(value))
    while waiting:
        node = waiting.pop()
        if node is None or isinstance(node, str | bool):
            continue
        if kind(node) == "Table":
            found.append(node)
            waiting.extend(join.args.get("this") for join in node.args.get("joins") or ())
        elif kind(node) in {"Schema", "UserDefinedFunction", "Tuple", "Paren", "Join"}:
            waiting.append(node.args.get("this"))
    return found


def sources_of(nodes: Iterable[Expr], targets: Iterable[Expr]) -> list[Expr]:
    """Give the tables that are read: none that a WITH around them made."""
    changed = {id(target) for target in targets}
    return [node for node in nodes if kind(node) == "Table" and id(node) not in changed and not _is_made_by_with(node)]


def names_of(tables: Iterable[Expr]) -> tuple[str, ...] | None:
    """Name tables as they are written, `schema.table`, each once; None for too many."""
    found = dict.fromkeys(filter(None, map(_name, tables)))
    return tuple(found) if len(found) <= MOST else None


def _name(table: Expr) -> str:
    if kind(table.args.get("this")) not in {"Identifier", "Literal", "Var", "Dot", "Parameter", "Star"}:
        return ""
    parts = [str(part.name) for part in (table.args.get("catalog"), table.args.get("db"), table.args.get("this")) if part]
    return ".".join(parts) if all(part.isprintable() for part in parts) else ""


def _is_made_by_with(table: Expr) -> bool:
    """Within its own definition a name is the table's, unless the WITH is recursive; so it is before it."""
    if table.args.get("db"):
        return False
    name = table.name.casefold()
    below: Expr = table
    node = table.parent
    while node is not None:
        made = node.args.get("with_") if kind(node) != "With" else None
        inside = below is made
        if made is not None and not inside and any(name == cte.alias.casefold() for cte in made.expressions):
            return True
        if kind(node) == "With":
            earlier = node.expressions if node.args.get("recursive") else _before(node.expressions, below)
            if any(name == cte.alias.casefold() for cte in earlier):
                return True
        below, node = node, node.parent
    return False


def _before(many: list[Expr], one: Expr) -> Iterator[Expr]:
    for each in many:
        if each is one:
            return
        yield each


def columns_of(nodes: Iterable[Expr]) -> tuple[str, ...] | None:
    """Every column that a statement names anywhere; `*` for all of them; None for too many."""
    found: dict[str, None] = {}
    for node in nodes:
        if kind(node) == "Column":
            found.setdefault(node.name or "*")
        elif kind(node) == "Star" and kind(node.parent) != "Count":
            found.setdefault("*")
        elif kind(node) == "Schema":
            found.update(dict.fromkeys(inner.name for inner in node.expressions if inner.name))
    return tuple(found) if len(found) <= MOST and all(name.isprintable() for name in found) else None


def limit_of(node: Expr) -> int | None:
    """How many rows a query asks for at most; None where it does not say, or not by a number."""
    limit = node.args.get("limit")
    if limit is None:
        return limit_of(node.this) if kind(node) == "Subquery" else None
    said = limit.args.get("expression") or limit.args.get("count")
    text = "" if said is None or kind(said) != "Literal" or said.args.get("is_string") else said.name
    percent = (options := limit.args.get("limit_options")) is not None and bool(options.args.get("percent"))
    return int(text) if text.isdecimal() and len(text) < _DIGITS and not percent else None


_DIGITS = 18
_EQUAL = frozenset({"EQ", "NullSafeEQ", "Like", "ILike"})
_ORDER = frozenset({"GT", "GTE", "LT", "LTE"})
_NONE = frozenset({"NEQ", "NullSafeNEQ", "Literal", "Boolean", "Null", "Not", "Column", "Placeholder", "Parameter"})


def narrows(where: Expr | None) -> bool:
    """Whether a condition picks rows: no constant, nothing that is true of every row, as far as can be told."""
    match kind(where):
        case "Where" | "Paren":
            return narrows(where.this)  # type: ignore[union-attr]  # None is of another kind
        case "And":
            return any(map(narrows, _sides(where)))
        case "Or":
            return all(map(narrows, _sides(where)))
        case "Is":
            return all(kind(side) in {"Column", "Null"} for side in _sides(where)) and not _is_negated(where)
        case name:
            return where is not None and name not in _NONE and _has_column(where) and _compares(name, where)


def _is_negated(node: Expr | None) -> bool:
    return node is not None and bool(node.args.get("negate"))


def _sides(node: Expr | None) -> tuple[Expr | None, Expr | None]:
    return (None, None) if node is None else (node.args.get("this"), node.args.get("expression"))


def _compares(name: str, where: Expr) -> bool:
    left, right = _sides(where)
    if name == "In":
        return _has_column(where.this) and _picks(where)
    if name in _EQUAL:
        return left != right and not (right is not None and right.name.strip("%") == "" and "%" in right.name)
    return not (name in _ORDER and (left == right or _is_zero(right) or _is_zero(left)))


def _is_zero(node: Expr | None) -> bool:
    """A number below which, or above which, ids are all alike: `id > 0`, `id >= -1`."""
    return node is not None and (kind(node) == "Neg" or (kind(node) == "Literal" and node.name.strip("0.") == ""))


def _picks(where: Expr) -> bool:
    """A list of values does; so does a query that is narrowed itself, or that is of other tables."""
    query = where.args.get("query")
    if query is None:
        return not any(item == where.this for item in where.expressions)
    return any(narrows(node.args.get("where")) for node in query.walk() if kind(node) == "Select")


def _has_column(node: Expr) -> bool:
    return any(kind(inner) == "Column" for inner in node.walk())


def kind(node: Expr | None) -> str:
    """Name what a node is. By name, as the parser's classes come and go from version to version."""
    return type(node).__name__
