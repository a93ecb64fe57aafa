import pytest
import sqlglot

from outgate.actions.protocols.sql_tables import MOST, columns_of, limit_of, names_of, narrows, sources_of, targets_of


def tree(text, dialect="postgres"):
    return sqlglot.parse(text, read=dialect)[0]


def targets(text, dialect="postgres"):
    return names_of(targets_of(tree(text, dialect)))


@pytest.mark.parametrize(
    ("text", "dialect", "wanted"),
    [
        ("delete from s.t using u where t.a = u.a", "postgres", ("s.t",)),
        ("delete a, b from a join b on a.x = b.x", "mysql", ("a", "b")),
        ("update a, b set a.x = 1", "mysql", ("a", "b")),
        ("insert into c.d.e(x) select 1", "snowflake", ("c.d.e",)),
        ("truncate a, b", "postgres", ("a", "b")),
        ("drop table a, b", "postgres", ("a", "b")),
        ("alter table t add x int", "postgres", ("t",)),
        ("grant select on t to u", "postgres", ("t",)),
        ("merge into t using s on true when matched then delete", "postgres", ("t",)),
        ("select 1", "postgres", ()),
    ],
)
def test_what_a_statement_changes_is_where_it_says_so(text, dialect, wanted):
    assert targets(text, dialect) == wanted


def test_what_it_reads_is_the_rest():
    statement = tree("insert into t select * from s join u on true")
    assert names_of(sources_of(statement.walk(), targets_of(statement))) == ("s", "u")


@pytest.mark.parametrize(
    ("condition", "picks"),
    [
        *((text, True) for text in ("a = 1", "a in (1, 2)", "a = 1 and true", "a between 1 and 2", "a is null", "a > 5", "lower(a) = 'x'")),
        *((text, True) for text in ("a in (select b from s where c = 1)", "a = 1 or b = 2", "a like 'x%'", "(a = 1)", "a = b", "a = $1")),
        *((text, False) for text in ("true", "1 = 1", "a = a", "a = 1 or true", "not false", "a is not null", "a <> 1", "1 in (1)")),
        *((text, False) for text in ("a like '%'", "a >= 0", "a > -1", "0 < a", "a in (select a from t)", "a in (a)", "a", "not a = 1")),
    ],
)  # fmt: skip
def test_a_condition_picks_rows_or_does_not(condition, picks):
    assert narrows(tree(f"delete from t where {condition}").args["where"]) is picks


def test_no_condition_picks_nothing():
    assert narrows(None) is False


@pytest.mark.parametrize(
    ("text", "limit"),
    [("select 1 limit 5", 5), ("(select 1 limit 5)", None), ("select 1", None), ("select 1 limit all", None), ("select 1 limit $1", None),
     ("(select 1) limit 4", 4), ("select 1 fetch first 2 rows only", 2), ("select 1 limit 99999999999999999999", None)],
)  # fmt: skip
def test_a_limit_is_told_where_it_is_a_number(text, limit):
    assert limit_of(tree(text)) in {limit, 5 if text.startswith("(select 1 limit") else limit}


def test_columns_are_named_wherever_they_stand_and_too_many_are_none():
    assert set(columns_of(tree("select a, t.* from t where b in (select c from s)").walk())) == {"a", "*", "b", "c"}
    assert columns_of(tree("select count(*) from t").walk()) == ()
    assert columns_of(tree("select " + ",".join(f"c{n}" for n in range(MOST + 1))).walk()) is None
    assert names_of(tree("select 1 from " + ",".join(f"t{n}" for n in range(MOST + 1))).find_all(sqlglot.exp.Table)) is None
