"""No vector is forgotten: each of the catalogue's is tried here, tried elsewhere, or stands with a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from vectors import test_steps
from vectors.rig import cases

TESTS = Path(__file__).parents[1]
SAID = yaml.safe_load((Path(__file__).parent / "catalogue.yaml").read_text())
ELSEWHERE, NOT_HERE, NOT_YET = SAID["elsewhere"], SAID["not_here"], SAID["not_yet"]


def _all() -> list[str]:
    spans = [(letter, span.split("-")) for letter, spans in SAID["ids"].items() for span in spans]
    return [f"{letter}-{number}" for letter, (first, last) in spans for number in range(int(first), int(last) + 1)]


def _tried_here() -> set[str]:
    steps = (getattr(test, "vectors", ()) for test in vars(test_steps).values())
    return {case.id for case in cases()}.union(*steps)


def test_the_catalogue_has_as_many_vectors_as_its_research():
    assert len(_all()) == len(set(_all())) == 250


def test_every_vector_is_in_exactly_one_place():
    places = [_tried_here(), set(ELSEWHERE), set(NOT_HERE), set(NOT_YET)]
    assert set().union(*places) == set(_all())
    assert sum(map(len, places)) == 250, [one for one in _all() if sum(one in place for place in places) > 1]


def test_what_is_not_tried_says_why():
    assert all(len(why) > 10 for why in (*NOT_HERE.values(), *NOT_YET.values()))


@pytest.mark.parametrize("where", sorted({where for places in ELSEWHERE.values() for where in places}))
def test_what_is_tried_elsewhere_is_there(where: str):
    file, _, name = where.partition("::")
    text = (TESTS / file).read_text()
    assert not name or f"def {name}(" in text


def test_no_two_cases_have_one_name():
    names = [str(case) for case in cases()]
    assert sorted(set(names)) == sorted(names)
