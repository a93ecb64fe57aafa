import sqlglot

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.sql_kinds import ALL, changes_reading, does, is_nothing, weigh


def tree(text, dialect="postgres"):
    return sqlglot.parse(text, read=dialect)[0]


def test_a_statement_is_weighed_by_what_it_says():
    assert weigh(tree("delete from t"))[:3] == ("delete", Access.DELETE, Tier.T3)
    assert weigh(tree("drop index i"))[:3] == ("drop", Access.DELETE, Tier.T2)
    assert weigh(tree("create role r"))[:3] == ("create", Access.ADMIN, Tier.T2)
    assert weigh(tree("copy t to 's3://x'"))[:3] == ("copy", Access.SEND, Tier.T2)


def test_what_is_in_no_table_is_unknown():
    assert weigh(tree("listen x"))[1:3] == (Access.UNKNOWN, Tier.T2)


def test_some_do_something_wherever_they_stand():
    assert does(tree("delete from t"))
    assert not does(tree("select 1"))


def test_a_comment_alone_is_nothing():
    assert is_nothing(sqlglot.parse("select 1; -- x", read="postgres")[1])


def test_a_setting_that_changes_how_texts_are_read_is_told():
    assert changes_reading(tree("set standard_conforming_strings = off"))
    assert not changes_reading(tree("set search_path = x"))


def test_every_kind_is_there_once_and_none_that_changes_something_is_a_read():
    names = [kind for kind, *_ in ALL]
    assert len(set(names)) == len(names)
    reading = {kind for kind, access, *_ in ALL if access.only_reads}
    assert reading == {"select", "describe", "show", "transaction", "use", "get", "explain"}
