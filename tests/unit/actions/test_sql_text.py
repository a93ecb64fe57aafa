import time

import pytest

from outgate.actions.protocols.sql_text import LONGEST, hidden, odd, stray, unaccounted, verbs_in


@pytest.mark.parametrize(
    ("text", "dialect", "is_odd"),
    [
        ("select 1", "", False),
        ("select 1 /*! x */", "mysql", True),
        ("select 1 /*M! x */", "", True),
        ("select 1 /*! x */", "postgres", False),
        ("select 1 --x", "mysql", True),
        ("select 1 -- x", "mysql", False),
        ("select 1 --", "mysql", False),
        ("select 1 --x", "postgres", False),
        ("select 1\x07", "postgres", True),
        ("select\t1\r\n", "postgres", False),
    ],
)
def test_what_some_databases_run_and_others_skip_is_odd(text, dialect, is_odd):
    assert bool(odd(text, dialect)) is is_odd


def test_space_that_is_not_everybodys_is_stray():
    assert stray("select\xa0") and stray("\u2028") and stray("a\u200bb")  # noqa: PT018
    assert not stray("select \t\r\n é ß")


@pytest.mark.parametrize(
    "text",
    [
        r"select 'a\'; delete'",
        r"select 'a\\'; delete'",
        "/* /* */ delete */",
        "$x$ delete $x$",
        "'''delete'''",
        "E'delete'",
        "u&'delete'",
        "# delete",
        "-- \rdelete",
        "[a'] delete '",
        "`a'` delete '",
    ],
)
def test_a_verb_beside_what_dialects_read_differently_is_hidden(text):
    assert hidden(text, {"select"}) == "DELETE"
    assert hidden(text, {"delete"}) == ""
    assert hidden(text, {"other"}) == ""


def test_a_verb_in_a_text_that_everybody_reads_alike_is_none():
    assert hidden("select 'it''s a delete', \"drop\" -- insert", {"select"}) == ""


def test_a_verb_belongs_to_a_statement():
    assert unaccounted(["DELETE"], ["select"]) == "DELETE"
    assert unaccounted(["DELETE", "INTO"], ["merge"]) == ""
    assert unaccounted(["select", "x"], []) == ""


def test_functions_locks_and_quoted_names_are_no_verbs():
    tokens = [("SELECT", False), ("REPLACE", False), ("(", False), ("FOR", False), ("UPDATE", False), ("delete", True)]
    assert verbs_in(tokens) == []
    assert verbs_in([("INTO", False), ("(", False), ("drop", False)]) == ["INTO", "DROP"]


@pytest.mark.parametrize("piece", ["[", "`", "--", "/*", "$", "'", "\\", "E'", "#", "/*/", "\r"])
def test_no_text_takes_long_to_look_through(piece):
    text = piece * (LONGEST // len(piece))
    began = time.process_time()
    hidden(text, ())
    odd(text, "")
    assert time.process_time() - began < 2
