"""Kinds of SQL statements, and how bad each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.sql_tables import kind, narrows

if TYPE_CHECKING:
    from sqlglot.expressions.core import Expr

type Weight = tuple[str, Access, Tier, str]
"""Kind, access, tier, and why."""

READ: Final[Weight] = ("select", Access.READ, Tier.T0, "it reads rows")
OTHER: Final[Weight] = ("other", Access.UNKNOWN, Tier.T2, "a statement that is not told apart")
CALL: Final = "call"

_BULK = "all rows: nothing says which"
_QUERIES: Final = dict.fromkeys(("Select", "Union", "Except", "Intersect", "Subquery", "Values", "Table", "SetOperation"), READ)
_PLAIN: Final[dict[str, Weight]] = {
    "Insert": ("insert", Access.WRITE, Tier.T1, "it adds rows"),
    "MultitableInserts": ("insert", Access.WRITE, Tier.T1, "it adds rows"),
    "Update": ("update", Access.WRITE, Tier.T1, "it changes rows"),
    "Delete": ("delete", Access.DELETE, Tier.T2, "it deletes rows"),
    "Merge": ("merge", Access.WRITE, Tier.T1, "it adds and changes rows"),
    "TruncateTable": ("truncate", Access.DELETE, Tier.T3, "all rows are gone"),
    "Drop": ("drop", Access.DELETE, Tier.T2, "something of the schema is gone"),
    "Create": ("create", Access.WRITE, Tier.T1, "it makes something"),
    "Into": ("create", Access.WRITE, Tier.T1, "it makes a table of what it reads"),
    "Alter": ("alter", Access.ADMIN, Tier.T2, "it changes the schema"),
    "AlterSession": ("set", Access.ADMIN, Tier.T2, "it changes a setting"),
    "Grant": ("grant", Access.ADMIN, Tier.T2, "somebody may do more"),
    "Revoke": ("revoke", Access.ADMIN, Tier.T2, "somebody may do less"),
    "Copy": ("copy", Access.WRITE, Tier.T2, "rows come from elsewhere, or go there"),
    "Export": ("export", Access.SEND, Tier.T2, "rows go elsewhere"),
    "LoadData": ("load", Access.WRITE, Tier.T2, "rows come from elsewhere"),
    "Put": ("put", Access.WRITE, Tier.T2, "a file is stored"),
    "Get": ("get", Access.READ, Tier.T1, "files are fetched"),
    "Undrop": ("undrop", Access.WRITE, Tier.T2, "what was gone is back"),
    "Execute": ("execute", Access.EXECUTE, Tier.T2, "it runs a procedure"),
    "ExecuteSql": ("execute", Access.EXECUTE, Tier.T2, "it runs a text as SQL"),
    "Kill": ("kill", Access.EXECUTE, Tier.T2, "it ends what others do"),
    "Analyze": ("analyze", Access.EXECUTE, Tier.T1, "it gathers statistics"),
    "Refresh": ("refresh", Access.EXECUTE, Tier.T1, "it computes a view anew"),
    "Cache": ("cache", Access.WRITE, Tier.T1, "it keeps rows in memory"),
    "Uncache": ("cache", Access.WRITE, Tier.T1, "it forgets rows in memory"),
    "Comment": ("comment", Access.WRITE, Tier.T1, "it changes a description"),
    "Attach": ("attach", Access.ADMIN, Tier.T2, "it opens another database"),
    "Detach": ("detach", Access.ADMIN, Tier.T2, "it closes a database"),
    "Install": ("install", Access.ADMIN, Tier.T2, "it loads code"),
    "Command": OTHER,
    "DropPartition": ("drop", Access.DELETE, Tier.T3, "rows of a partition are gone"),
}
"""What does something wherever it stands in a statement."""
_ROOTS: Final[dict[str, Weight]] = {
    **_QUERIES,
    **_PLAIN,
    "Describe": ("describe", Access.READ, Tier.T0, "it reads the schema"),
    "Summarize": ("describe", Access.READ, Tier.T0, "it reads the schema"),
    "Show": ("show", Access.LIST, Tier.T0, "it reads the schema"),
    "Transaction": ("transaction", Access.READ, Tier.T0, "it changes nothing by itself"),
    "Commit": ("transaction", Access.READ, Tier.T0, "it changes nothing by itself"),
    "Rollback": ("transaction", Access.READ, Tier.T0, "it changes nothing by itself"),
    "Use": ("use", Access.READ, Tier.T0, "it chooses a database"),
    "Set": ("set", Access.WRITE, Tier.T1, "it changes a setting"),
    "Pragma": ("pragma", Access.UNKNOWN, Tier.T2, "a pragma reads or sets, and may do more"),
    "Declare": ("declare", Access.EXECUTE, Tier.T1, "a part of a script"),
    "Block": ("script", Access.EXECUTE, Tier.T2, "a script"),
    "IfBlock": ("script", Access.EXECUTE, Tier.T2, "a script"),
    "WhileBlock": ("script", Access.EXECUTE, Tier.T2, "a script"),
    "EndStatement": ("script", Access.EXECUTE, Tier.T2, "a script"),
}
_IGNORED: Final = frozenset({"Semicolon"})
_RUNS: Final = frozenset(
    {"FUNCTION", "PROCEDURE", "TRIGGER", "EXTENSION", "EVENT", "TASK", "STAGE", "PIPE", "RULE", "SERVER", "MODEL"}
)
_WHO: Final = frozenset({"USER", "ROLE", "POLICY", "SECRET", "CREDENTIAL", "INTEGRATION"})
_LASTING: Final = frozenset({"TABLE", "DATABASE", "SCHEMA", "COLUMN", "CATALOG", "PARTITION", "KEYSPACE", "TABLESPACE", ""})
_READING_PRAGMAS: Final = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list", "database_list"}
)

# What the parser keeps as text, by its first word.
_COMMANDS: Final[dict[str, Weight]] = {
    "SHOW": _ROOTS["Show"],
    "CALL": (CALL, Access.EXECUTE, Tier.T2, "it runs a procedure"),
    "DO": ("execute", Access.EXECUTE, Tier.T2, "it runs a script"),
    "EXECUTE": ("execute", Access.EXECUTE, Tier.T2, "it runs a procedure, or a text as SQL"),
    "EXEC": ("execute", Access.EXECUTE, Tier.T2, "it runs a procedure, or a text as SQL"),
    "REPLACE": ("insert", Access.WRITE, Tier.T2, "it adds rows, and deletes those in their way"),
    "CREATE": ("create", Access.ADMIN, Tier.T2, "it makes something"),
    "ALTER": ("alter", Access.ADMIN, Tier.T2, "it changes the schema, or an account"),
    "DROP": ("drop", Access.DELETE, Tier.T3, "something is gone"),
    "GRANT": _PLAIN["Grant"],
    "REVOKE": _PLAIN["Revoke"],
    "RENAME": ("rename", Access.ADMIN, Tier.T2, "it changes the schema"),
    "SET": ("set", Access.ADMIN, Tier.T2, "it changes a setting"),
    "OPTIMIZE": ("optimize", Access.EXECUTE, Tier.T1, "it orders what is stored"),
    "VACUUM": ("vacuum", Access.EXECUTE, Tier.T2, "it orders what is stored, and may end old versions"),
}


def does(node: Expr) -> bool:
    """Whether a node does something where it stands in another statement."""
    return kind(node) in _PLAIN


def is_statement(node: Expr) -> bool:
    """Whether the parser took it for a statement: a word that it does not know may be a column to it."""
    return kind(node) in _ROOTS


def is_nothing(node: Expr) -> bool:
    """Whether a statement is only a comment."""
    return kind(node) in _IGNORED


def weigh(node: Expr) -> Weight:
    """Say what a statement does by itself. What is not in the tables is not told apart, and never a read."""
    weight = _ROOTS.get(kind(node), OTHER)
    by_its_words = _BY_ITS_WORDS.get(kind(node))
    return weight if by_its_words is None else by_its_words(node, weight)


def _command(node: Expr, weight: Weight) -> Weight:
    return _COMMANDS.get(str(node.this).upper(), weight)


def _rows(node: Expr, weight: Weight) -> Weight:
    name, access, tier, why = weight
    if kind(node.parent) == "Alter":
        return name, access, Tier.T3, "it deletes rows, for good"
    return (name, access, tier, why) if narrows(node.args.get("where")) else (name, access, Tier.T3, _BULK)


def _insert(node: Expr, weight: Weight) -> Weight:
    name, access, _, _ = weight
    return (name, access, Tier.T3, "it puts rows in the place of others") if node.args.get("overwrite") else weight


def _merge(node: Expr, weight: Weight) -> Weight:
    thens = (n.args.get("then") for n in node.walk() if kind(n) == "When")
    deletes = any(then is not None and then.name.upper() == "DELETE" for then in thens)
    return (weight[0], Access.DELETE, Tier.T2, "it deletes rows as well") if deletes else weight


def _drop(node: Expr, weight: Weight) -> Weight:
    name, access, tier, why = weight
    return name, access, Tier.T3 if _lasting(node) else tier, why


def _lasting(node: Expr) -> bool:
    return str(node.args.get("kind") or "").upper() in _LASTING


def _create(node: Expr, weight: Weight) -> Weight:
    what = str(node.args.get("kind") or "").upper()
    if what in _WHO:
        return "create", Access.ADMIN, Tier.T2, "it makes an account, or a way in"
    if what in _RUNS:
        return "create", Access.ADMIN, Tier.T2, "it makes something that runs"
    if node.args.get("replace"):
        return "create", Access.WRITE, Tier.T3 if what in _LASTING else Tier.T2, "it replaces what there is"
    return weight


def _copy(node: Expr, weight: Weight) -> Weight:
    files = " ".join(str(file.name) for file in node.args.get("files") or ())
    if any("PROGRAM" in n.name.upper().split() for n in node.walk() if n.name) or "PROGRAM" in files.upper():
        return "copy", Access.EXECUTE, Tier.T3, "it runs a program on the server"
    if node.args.get("kind"):
        return weight
    if files.upper() == "STDOUT":
        return "copy", Access.READ, Tier.T1, "it reads a whole table"
    return "copy", Access.SEND, Tier.T2, "rows go elsewhere"


def _use(node: Expr, weight: Weight) -> Weight:
    what = node.args.get("kind")
    return weight if what is None or what.name.upper() in {"DATABASE", "SCHEMA", "CATALOG", "WAREHOUSE"} else (
        "use", Access.ADMIN, Tier.T2, "it takes on other rights",
    )  # fmt: skip


_FAR = frozenset({"GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "ROLE", "AUTHORIZATION"})
_READING = frozenset({"standard_conforming_strings", "backslash_quote", "sql_mode", "quoted_identifier", "ansi_quotes"})


def _set(node: Expr, weight: Weight) -> Weight:
    said = {str(item.args.get("kind") or "").upper() for item in node.expressions} | {
        n.name.upper() for n in node.walk() if kind(n) in {"Identifier", "Var"}
    }
    if said & _FAR or changes_reading(node):
        return "set", Access.ADMIN, Tier.T2, "it changes rights, or settings of others"
    return weight


def changes_reading(node: Expr) -> bool:
    """Whether what follows is read in another way after it."""
    return kind(node) == "Set" and any(n.name.lower() in _READING for n in node.walk() if kind(n) in {"Identifier", "Var"})


def _pragma(node: Expr, weight: Weight) -> Weight:
    """`PRAGMA table_info(t)` is to some parsers what `PRAGMA table_info = t` is: both read."""
    said = node.this.this if kind(node.this) == "EQ" else node.this
    said = said.expression if kind(said) == "Dot" else said
    name = said.this if kind(said) in {"Anonymous", "Var"} else ""
    return ("pragma", Access.READ, Tier.T0, "it reads the schema") if str(name).lower() in _READING_PRAGMAS else weight


_BY_ITS_WORDS: Final = {
    "Command": _command,
    "Update": _rows,
    "Delete": _rows,
    "Insert": _insert,
    "Merge": _merge,
    "Drop": _drop,
    "Create": _create,
    "Copy": _copy,
    "Use": _use,
    "Set": _set,
    "Pragma": _pragma,
}

ALL: Final = tuple(
    {
        weight[0]: weight
        for weight in (
            *reversed((*_COMMANDS.values(), *_ROOTS.values())),
            (CALL, Access.EXECUTE, Tier.T1, "it calls a function, or a procedure"),
            ("explain", Access.READ, Tier.T0, "it shows how something would be done"),
        )
    }.values()
)
"""Every kind once, as bad as it mostly is."""
