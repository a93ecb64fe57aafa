from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.access import judge
from outgate.actions.verbs import verb_of

WORDS = st.sampled_from(
    [
        "get",
        "list",
        "search",
        "read",
        "delete",
        "remove",
        "create",
        "update",
        "send",
        "pay",
        "run",
        "export",
        "batch",
        "all",
        "query",
        "check",
        "item",
        "items",
        "policy",
        "key",
        "token",
        "account",
        "x",
        "of",
        "or",
        "and",
    ]
)
SPELT = st.builds(
    lambda sign, words: sign.join(words), st.sampled_from(["_", "-", ".", "/", " "]), st.lists(WORDS, min_size=1, max_size=6)
)
NAMES = st.one_of(SPELT, st.text(max_size=80))
METHODS = st.sampled_from(["", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "FROB"])
LEVELS = st.sampled_from(["", *"rlwtpdx"])
MARKS = st.text("sbmiupea", max_size=4)


@given(NAMES, METHODS, LEVELS, MARKS)
def test_everything_is_judged_and_says_why(name, method, level, marks):
    judged = judge(name, method=method, level=level, marks=marks)
    assert judged.why.endswith(".")
    assert judged.evidence or judged.access == "unknown"


@given(NAMES, METHODS, LEVELS, MARKS)
def test_a_mark_never_makes_anything_milder(name, method, level, marks):
    plain, marked = judge(name, method=method, level=level), judge(name, method=method, level=level, marks=marks)
    assert marked.tier >= plain.tier
    assert marked.access.only_reads == plain.access.only_reads


@given(NAMES, st.sampled_from(["", "POST", "PUT", "PATCH", "DELETE", "FROB"]))
def test_what_has_no_known_verb_is_never_a_read_unless_its_method_reads(name, method):
    if verb_of(name) is None:
        assert not judge(name, method=method).access.only_reads


@given(NAMES, st.sampled_from(["PUT", "PATCH", "DELETE"]))
def test_a_method_that_changes_is_never_a_read_unless_the_vendor_says_so(name, method):
    assert not judge(name, method=method).access.only_reads


@given(NAMES, METHODS, st.sampled_from("wtpdx"))
def test_what_the_vendor_calls_a_change_is_never_a_read(name, method, level):
    assert not judge(name, method=method, level=level).access.only_reads


@given(SPELT)
def test_a_name_is_judged_alike_in_snake_and_in_kebab(name):
    assert judge(name.replace("-", "_")) == judge(name.replace("_", "-"))
