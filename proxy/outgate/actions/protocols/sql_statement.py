"""SQL statements: what each does, to which tables, however deep in another one it stands."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.sql_functions import done_by
from outgate.actions.protocols.sql_kinds import CALL, READ, changes_reading, does, is_nothing, is_statement, weigh
from outgate.actions.protocols.sql_tables import columns_of, kind, limit_of, names_of, narrows, sources_of, targets_of
from outgate.actions.protocols.sql_text import LONGEST, hidden, odd, stray, unaccounted, verbs_in
from outgate.intake.bodies import Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlglot.dialects.dialect import Dialect
    from sqlglot.expressions.core import Expr
    from sqlglot.tokenizer_core import Token

MOST: Final = 200
"""Statements of one text."""
DIALECTS: Final = frozenset(
    {
        *("athena", "bigquery", "clickhouse", "databricks", "duckdb", "hive", "mysql", "postgres", "presto", "redshift"),
        *("snowflake", "spark", "sqlite", "trino", "tsql"),
    }
)
_ANY: Final = ("postgres", "mysql", "tsql", "databricks")
"""What is tried where nobody said the dialect."""
_EXPLAIN = re.compile(
    r"""\s*EXPLAIN\b
    (?P<how>\s*\([^()']*\)                                # (ANALYZE, BUFFERS)
    |(?:\s+(?:ANALY[SZ]E|VERBOSE|EXTENDED|FORMATTED|LOGICAL|PLAN|QUERY|AST|SYNTAX|PIPELINE|ESTIMATE|COST|CODEGEN|FOR
        |FORMAT\s*=\s*\w+|USING\s+\w+)\b)*)\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_RUN = re.compile(r"ANALY[SZ]E", re.IGNORECASE)
_CALLS: Final = frozenset({"Anonymous", "AnonymousAggFunc"})
_KNOWN_CALLS: Final = {
    "ReadCSV": "read_csv",
    "ReadParquet": "read_parquet",
    "NextValueFor": "nextval",
    "AIGenerate": "ai_generate",
    "AIClassify": "ai_generate",
    "AIEmbed": "ai_generate",
    "AISimilarity": "ai_generate",
    "AISummarizeAgg": "ai_generate",
    "AIAgg": "ai_generate",
    "GenerateText": "ai_generate",
    "GenerateTable": "ai_generate",
    "GenerateEmbedding": "ai_generate",
}
"""Functions that the parser knows, and that do more than compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that SQL does. `where` is whether anything says which rows, where that matters. `functions` is what is called.

    `tables` and `columns` are None where nobody can tell, or where they are too many.
    """

    kind: str
    access: Access
    tier: Tier
    why: str
    tables: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    functions: tuple[str, ...] = ()
    limit: int | None = None
    where: bool | None = None


def preload() -> None:
    """Import what SQL is parsed with: it takes a while, and nobody should wait for it."""
    for dialect in _ANY:
        _dialect(dialect)


def statements_of(text: str, dialect: str = "") -> tuple[Statement, ...] | Undecodable:
    """Give everything that a text does, in a dialect, or in none that is known: then everything that it may do.

    Undecodable is also what two databases may read in two ways.
    """
    if len(text) > LONGEST:
        return Undecodable("The SQL is too long.")
    if why := odd(text, dialect):
        return Undecodable(why)
    read = [_read(text, name) for name in ((dialect,) if dialect else _ANY)]
    found = [statements for statements in read if not isinstance(statements, Undecodable)]
    if not found:
        return next(one for one in read if isinstance(one, Undecodable))
    together = tuple(dict.fromkeys(statement for statements in found for statement in statements))
    if verb := hidden(text, {statement.kind for statements in found for statement in statements}):
        return Undecodable(f"Some databases would run the {verb} in what is a text or a comment to others.")
    if not together or len(together) > MOST:
        return Undecodable("The SQL has no statement, or too many.")
    return together


def _read(text: str, name: str) -> tuple[Statement, ...] | Undecodable:
    from sqlglot.errors import SqlglotError

    try:
        return _statements(text, name)
    except RecursionError:
        return Undecodable("The SQL is too deep.")
    except SqlglotError:
        return Undecodable("The SQL can't be read in its dialect.")


_WITH_DATA = re.compile(r"(\s*INSERT\s+INTO\s+(?:TABLE\s+)?[\w.`\"]+\s*(?:\([\w\s,`\"]*\)\s*)?)FORMAT\s+\w+", re.IGNORECASE)
"""ClickHouse: what follows the name of a format is data to its end, and no SQL."""


def _statements(text: str, name: str) -> tuple[Statement, ...] | Undecodable:
    if name == "clickhouse" and (begun := _WITH_DATA.match(text)):
        text = f"{begun[1]} VALUES (1)"
    dialect = _dialect(name)
    tokens = dialect.tokenize(text)
    trees = [tree for tree in _parsed(dialect, tokens, text) if tree is not None and not is_nothing(tree)]
    if not all(map(is_statement, trees)):
        return Undecodable("The SQL has something that is no statement.")
    if any(map(changes_reading, trees[:-1])):
        return Undecodable("The SQL changes how what follows in it is read.")
    found = [statement for tree in trees for statement in _done(tree, name)]
    said = [(token.text, text[token.start : token.end + 1] != token.text) for token in tokens]
    if stray(_between(text, tokens)):
        return Undecodable("The SQL has characters that are space to some databases and not to others.")
    if verb := unaccounted(verbs_in(said), {statement.kind for statement in found}):
        return Undecodable(f"The SQL has a {verb} that belongs to no statement of it.")
    return tuple(map(_guarded, found))


_HOLD_PASSWORDS = frozenset({"pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "mysql.user", "sys.sql_logins"})


def _guarded(said: Statement) -> Statement:
    """Reading the tables in which databases keep passwords is no plain read."""
    named = [table.lower() for table in said.tables or ()]
    holds = any(name in _HOLD_PASSWORDS or name.rpartition(".")[2] in _HOLD_PASSWORDS for name in named)
    return replace(said, tier=Tier.T1, why="passwords are kept there") if holds and said.tier is Tier.T0 else said


def _between(text: str, tokens: list[Token]) -> str:
    """What is no quoted text and no quoted name: words, signs, space and comments."""
    parts, at = list[str](), 0
    for token in tokens:
        parts.append(text[at : token.start])
        if text[token.start : token.end + 1] == token.text:
            parts.append(token.text)
        at = token.end + 1
    return "".join((*parts, text[at:]))


@cache
def _dialect(name: str) -> Dialect:
    """Parsers log what they do not know, and that quotes a request: nobody is told."""
    from sqlglot.dialects.dialect import Dialect

    logging.getLogger("sqlglot").disabled = True
    dialect = Dialect.get_or_raise(name)
    _parsed(dialect, dialect.tokenize("SELECT 1"), "SELECT 1")
    return dialect


def _parsed(dialect: Dialect, tokens: list[Token], text: str) -> list[Expr | None]:
    from sqlglot.errors import ErrorLevel

    return dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)


def _done(tree: Expr, dialect: str) -> Iterator[Statement]:
    """What a statement does: itself, whatever stands in it, and what it reads for that."""
    if kind(tree) == "Command" and str(tree.this).upper() == "EXPLAIN":
        yield from _explained(f"EXPLAIN {_text(tree)}", dialect)
        return
    if kind(tree) == "Command" and str(tree.this).upper() == "REPLACE":
        yield from _replaced(tree, dialect)
        return
    if kind(tree) == "Command":
        yield _one(tree, None)
        return
    nodes = list(tree.walk())
    doing = [node for node in nodes if does(node) or node is tree]
    targets = [target for node in doing for target in targets_of(node)]
    sources = names_of(sources_of(nodes, targets))
    for node in doing:
        yield _one(node, names_of(targets_of(node)) if does(node) else sources)
    if does(tree) and sources != ():
        yield Statement(kind=READ[0], access=READ[1], tier=READ[2], why=READ[3], tables=sources, columns=columns_of(nodes))
    yield from _called(nodes)


def _one(node: Expr, tables: tuple[str, ...] | None) -> Statement:
    name, access, tier, why = weigh(node)
    bounded = kind(node) in {"Update", "Delete"}
    return Statement(
        kind=name,
        access=access,
        tier=tier,
        why=why,
        tables=tables,
        columns=None if kind(node) == "Command" else columns_of(node.walk()),
        limit=limit_of(node),
        where=narrows(node.args.get("where")) if bounded else None,
    )


def _called(nodes: list[Expr]) -> Iterator[Statement]:
    """The functions that do more than compute, together where they do the same."""
    together: dict[tuple[Access, Tier, str], dict[str, None]] = {}
    for node in nodes:
        name = str(node.this) if kind(node) in _CALLS else _KNOWN_CALLS.get(kind(node), "")
        if name and (done := done_by(name)) is not None:
            together.setdefault(done, {})[name if name.isprintable() else ""] = None
    for (access, tier, why), names in together.items():
        yield Statement(kind=CALL, access=access, tier=tier, why=why, tables=(), columns=(), functions=tuple(names)[:MOST])


def _text(command: Expr) -> str:
    """What follows the first word of a statement that the parser keeps as text."""
    rest = command.args.get("expression")
    return rest if isinstance(rest, str) else "" if rest is None else str(rest.name)


def _replaced(tree: Expr, dialect: str) -> Iterator[Statement]:
    """REPLACE is an INSERT that deletes what is in its way."""
    inner = _read(f"INSERT {_text(tree)}", dialect)
    if isinstance(inner, Undecodable):
        yield _one(tree, None)
        return
    _, access, tier, why = weigh(tree)
    for one in inner:
        yield replace(one, access=access, tier=max(tier, one.tier), why=why) if one.kind == "insert" else one


def _explained(text: str, dialect: str) -> Iterator[Statement]:
    """EXPLAIN runs nothing, EXPLAIN ANALYZE all of it."""
    found = _EXPLAIN.match(text)
    assert found is not None
    inner = _read(text[found.end() :], dialect)
    if isinstance(inner, Undecodable) or not inner:
        yield Statement(kind="explain", access=Access.UNKNOWN, tier=Tier.T2, why="what it explains can't be read")
        return
    tables = dict.fromkeys(table for one in inner for table in one.tables or ())
    why = "it shows how something would be done"
    yield Statement(kind="explain", access=Access.READ, tier=Tier.T0, why=why, tables=tuple(tables), columns=())
    if _RUN.search(found["how"]) or any(one.kind == "other" for one in inner):
        yield from inner
