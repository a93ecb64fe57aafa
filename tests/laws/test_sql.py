"""What SQLite's own authorizer saw being written must be among the actions that write; no text crashes the reader."""

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from outgate.actions.action import Tier
from outgate.actions.protocols.sql_statement import DIALECTS, statements_of
from outgate.intake.bodies import Undecodable

WRITES = {
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_CREATE_TRIGGER,
    sqlite3.SQLITE_DROP_VIEW,
    sqlite3.SQLITE_ALTER_TABLE,
}
TABLES = ("a", "b", "c")
PIECES = st.sampled_from(
    [
        *("select", "delete", "update", "insert", "replace", "drop", "create", "with", "from", "into", "where", "set", "values"),
        *("table", "view", "trigger", "if", "exists", "or", "and", "not", "as", "on", "begin", "end", "commit"),
        *("a", "b", "c", "d", "x", "y", "1", "2", "'t'", "''", "null", "true", "*", "x=1", "x=x", "id", "x in (1,2)", "limit 1"),
        *("(", ")", ",", ";", "=", "union all", "returning *", "order by x", "temp", "alter", "rename to", "add column", "cascade"),
        *("/*", "*/", "--", "-- x\n", "\n", "'", '"', "`", "[", "]", "\\'", "\\", "/*!", "#", "$$", "E'", "\r", "\t", "||", "\xa0"),
        *("delete from a", "update b set x=1", "insert into c(x) values(1)", "drop table a", "select * from a", "replace into b(x) values(2)"),
        *("with d as (select 1)", "select x from b where x=1", "create table d(x)", "create table e as select * from a"),
        *("insert into a(x) select x from b", "alter table a rename to f", "create trigger t after insert on a begin delete from b; end"),
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    ["a", "b", "c", "A", '"a"', "`b`", "[c]", "main.a", "/*x*/ b", "'c'", "a as q", "a indexed by i", "main . b"]
)
CONDITIONS = st.sampled_from(
    ["", " where x=1", " where x=x", " where x='--'", " where x in (select x from b)", " where x=1 or 1", " returning *"]
)
CHANGES = st.sampled_from(
    [
        "delete from {}{}",
        "update {} set x=1{}",
        "insert into {}(x) values(1)",
        "replace into {}(x) values('/*')",
        "insert or replace into {}(x) select x from b{}",
        "insert into {}(x) values(1) on conflict do nothing",
        "insert into {} default values",
        "with d as (select 1 as x) delete from {}{}",
        "with d as (select 1 as x) insert into {}(x) select x from d",
        "with recursive a as (select 1 as x) update {} set x=2{}",
        "drop table {}",
        "drop table if exists {}",
        "alter table {} rename to z",
        "alter table {} add column w",
        "alter table {} drop column y",
        "create table e as select * from {}",
        "create view v as select * from {}",
        "create trigger t after insert on {} begin delete from b; end",
        "select * from {}{}",
        "select 1 union select x from {}{}",
        "begin; delete from {}{}; commit",
        "pragma table_info({})",
        "vacuum {}{}",
    ]
)
STATEMENTS = st.builds(str.format, CHANGES, NAMES, CONDITIONS)
JOINTS = st.sampled_from(
    [";", " ; ", ";;", ";--x\n", "; /* y */ ", "\n", " -- '\n;", ";/* ' */", ";\r", ";--\r", "; '';", ";/*!", ";*/", ' ;"']
)
TEXTS = (
    st.lists(PIECES, min_size=1, max_size=9).map(" ".join)
    | st.lists(st.one_of(STATEMENTS, STATEMENTS, JOINTS, PIECES), max_size=6).map(";".join)
    | st.lists(st.tuples(STATEMENTS, JOINTS), max_size=4).map(lambda pairs: "".join(part for pair in pairs for part in pair))
)


def written(text):
    """The tables of ours that SQLite says it writes; nothing where it does not take the text."""
    seen = set()

    def allow(code, first, second, database, source):
        if code in WRITES:
            seen.update(name for name in (first, second) if name in TABLES)
        return sqlite3.SQLITE_OK

    base = sqlite3.connect(":memory:")
    try:
        base.executescript(";".join(f"create table {name}(id, x, y)" for name in TABLES))
        base.set_authorizer(allow)
        base.executescript(text)
    except (sqlite3.Error, ValueError, UnicodeError):
        pass
    finally:
        base.set_authorizer(None)
        base.close()
    return seen


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(["sqlite", ""]))
def test_every_table_that_sqlite_writes_is_among_what_is_written(text, dialect):
    seen = written(text)
    statements = statements_of(text, dialect)
    if isinstance(statements, Undecodable) or any(one.tables is None and one.tier >= Tier.T2 for one in statements):
        return
    changed = {table.lower().rpartition(".")[2] for one in statements if not one.access.only_reads for table in one.tables or ()}
    assert seen <= changed, (text, statements)


@settings(max_examples=200, deadline=None)
@given(TEXTS | st.text(max_size=60), st.sampled_from([*sorted(DIALECTS), ""]))
def test_no_text_crashes_the_reader(text, dialect):
    statements = statements_of(text, dialect)
    assert isinstance(statements, Undecodable) or statements
    if not isinstance(statements, Undecodable):
        assert all(one.tier >= Tier.T2 for one in statements if one.access.value == "unknown")
