"""No vector is forgotten: each of the catalogue's is tried here, tried elsewhere, or stands with a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from vectors import test_steps, threats
from vectors.rig import cases

TESTS = Path(__file__).parents[1]
SAID = yaml.safe_load((Path(__file__).parent / "catalogue.yaml").read_text())
ELSEWHERE, UNTRIED = SAID["elsewhere"], ("deployment", "not_stopped", "not_here", "not_yet")


def _tried_here() -> set[str]:
    steps = (getattr(test, "vectors", ()) for test in vars(test_steps).values())
    return {case.id for case in cases()}.union(*steps)


def test_the_catalogue_has_as_many_vectors_as_its_research():
    every = threats.ids(SAID)
    assert len(every) == len(set(every)) == 250


def test_every_vector_is_tried_or_stands_in_exactly_one_list_with_a_reason():
    places = [_tried_here() | set(ELSEWHERE), *(set(SAID[name] or {}) for name in UNTRIED)]
    every = threats.ids(SAID)
    assert set().union(*places) == set(every)
    assert sum(map(len, places)) == 250, [one for one in every if sum(one in place for place in places) > 1]


def test_what_is_not_tried_says_why():
    assert all(len(why) > 10 for name in UNTRIED for why in (SAID[name] or {}).values())


def test_every_vector_has_its_sentence():
    _, sentences = threats.said()
    assert list(sentences) == threats.ids(SAID)
    assert all(one[0].isupper() and one.endswith(".") and len(one) < 140 for one in sentences.values())


def test_the_page_of_threats_is_what_the_tests_say():
    assert threats.PAGE.read_text() == threats.made(), "run: uv run python tests/vectors/threats.py"


@pytest.mark.parametrize("where", sorted({where for places in ELSEWHERE.values() for where in places}))
def test_what_is_tried_elsewhere_is_there(where: str):
    file, _, name = where.partition("::")
    text = (TESTS / file).read_text()
    assert not name or f"def {name}(" in text


def test_no_two_cases_have_one_name():
    names = [str(case) for case in cases()]
    assert sorted(set(names)) == sorted(names)
