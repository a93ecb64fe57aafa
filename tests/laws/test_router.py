"""Laws of the router: what a template is filled with leads back to it, or to one that is more literal; and none is tried twice."""

from __future__ import annotations

import time

from hypothesis import assume, given
from hypothesis import strategies as st

from outgate.actions.router import every, match, plant

WORDS = st.sampled_from(["a", "b", "c", "users", "a:go", "x.json"])
SEGMENTS = st.one_of(WORDS, st.sampled_from(["{}", "{}:go", "{}.json", "a{}", "{}-{}", "{+}"]))
FILLS = st.text("abgo:.-x", min_size=1, max_size=4)


@st.composite
def templates(draw: st.DrawFn) -> str:
    segments = draw(st.lists(SEGMENTS, min_size=1, max_size=5))
    text = "/" + "/".join(segments)
    names = iter(f"v{at}" for at in range(99))
    return "".join("{" + next(names) + piece if at else piece for at, piece in enumerate(text.split("{")))


@st.composite
def filled(draw: st.DrawFn, template: str) -> tuple[str, tuple[str, ...]]:
    """Give a path, and what its variables hold."""
    path, captures = "", []
    for piece in template.split("{"):
        if "}" not in piece:
            path += piece
            continue
        name, _, rest = piece.partition("}")
        many = name.endswith("+")
        held = "/".join(draw(st.lists(FILLS, min_size=1, max_size=3))) if many else draw(FILLS)
        captures.append(held)
        path += held + rest
    return path, tuple(captures)


def literal(template: str) -> list[int]:
    """How literal a template is, segment by segment: text, text with variables, one, many."""
    kinds = []
    for segment in template.split("/")[1:]:
        plain = "".join(part.partition("}")[2] if at else part for at, part in enumerate(segment.split("{")))
        kinds.append(3 if "{" not in segment else 0 if segment.endswith("+}") else 2 if plain else 1)
    return kinds


@given(st.data(), st.lists(templates(), min_size=1, max_size=12))
def test_a_filled_template_leads_to_itself_or_to_one_as_literal_where_they_part(data, known):
    tree: dict = {}
    planted = [one for one in known if plant(tree, "GET", one, one)]
    chosen = data.draw(st.sampled_from(planted))
    path, _ = data.draw(filled(chosen))
    found = match(tree, "GET", path)
    assert found is not None
    pairs = zip(literal(found.value), literal(chosen), strict=False)
    assert next((one >= other for one, other in pairs if one != other), True)


@given(st.data(), templates())
def test_one_template_gives_back_a_path_whose_captures_make_it(data, template):
    tree: dict = {}
    plant(tree, "GET", template, template)
    path, _ = data.draw(filled(template))
    found = match(tree, "GET", path)
    assert found is not None
    rebuilt = template
    for held in found.captures:
        start, _, rest = rebuilt.partition("{")
        rebuilt = start + held.replace("{", "\0") + rest.partition("}")[2]
    assert rebuilt == path


@given(st.data(), st.lists(templates(), min_size=1, max_size=12))
def test_every_template_that_fits_is_among_all_that_fit(data, known):
    tree: dict = {}
    planted = [one for one in known if plant(tree, "GET", one, one)]
    chosen = data.draw(st.sampled_from(planted))
    path, _ = data.draw(filled(chosen))
    all_of_them = every(tree, "GET", path)
    found = match(tree, "GET", path)
    assert chosen in all_of_them
    assert found is not None
    assert found.value in all_of_them
    assert len(all_of_them) == len(set(all_of_them))


@given(st.data(), st.lists(templates(), min_size=1, max_size=12))
def test_a_folded_tree_finds_a_path_in_any_case_and_captures_it_as_it_is(data, known):
    tree: dict = {}
    planted = [one for one in known if plant(tree, "GET", one.replace("{V", "{v"), one)]
    path, _ = data.draw(filled(data.draw(st.sampled_from(planted))))
    assume(path == path.lower())
    plain, shouted = match(tree, "GET", path, folded=True), match(tree, "GET", path.upper(), folded=True)
    assert plain is not None
    assert shouted is not None
    assert (shouted.value, shouted.captures) == (plain.value, tuple(held.upper() for held in plain.captures))


@given(st.data(), templates())
def test_another_method_finds_nothing(data, template):
    tree: dict = {}
    plant(tree, "GET", template, template)
    path, _ = data.draw(filled(template))
    assert match(tree, "POST", path) is None
    assert every(tree, "POST", path) == []


def test_paths_that_are_made_to_be_tried_many_times_are_not():
    tree: dict = {}
    for count in range(1, 7):
        plant(tree, "GET", "".join(f"/{{v{at}+}}/x" for at in range(count)) + "/end", count)
    started = time.process_time()
    assert match(tree, "GET", "/x" * 255) is None
    assert every(tree, "GET", "/x" * 255) == []
    assert time.process_time() - started < 5


def test_a_segment_of_thousands_of_hyphens_is_not_tried_as_many_times():
    tree: dict = {}
    plant(tree, "GET", "/{a}-{b}-{c}-{d}", 1)
    started = time.process_time()
    assert match(tree, "GET", "/" + "-" * 100_000 + "x") is None
    assert match(tree, "GET", "/" + "-" * 500) is not None
    assert time.process_time() - started < 1
