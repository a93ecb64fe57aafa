"""Nothing is left out of the ways in without a word: what comes in runs by each, or is named with the reason."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
from wire.ways import APART, EVERY_TIME, WAYS, ways_of

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))


def those_in(module):
    """The tests of a module, and whether they come in anywhere."""
    found = vars(importlib.import_module(f"wire.{module}"))
    return {name: "make" in needs(test, found) for name, test in found.items() if name.startswith("test_") and callable(test)}


def needs(function, names):
    """What a test asks for, and what its fixtures do."""
    asked = set()
    for name in inspect.signature(function).parameters:
        asked |= {name}
        fixture = getattr(names.get(name), "_get_wrapped_function", None)
        if fixture is not None:
            asked |= needs(fixture(), names)
        elif name == "gateway":
            asked |= {"make"}
    return asked


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_tries_is_tried_by_every_way_or_it_is_said_why_not(module):
    said = {way for one in APART if one.module == module and not one.tests for way in one.ways}
    comes_in = [name for name, comes in those_in(module).items() if comes]
    for way in set(WAYS[1:]) - said:
        assert [name for name in comes_in if way in {one.name for one in ways_of(module, name)}], (
            f"nothing of tests/wire/{module}.py comes in by {way}: have it take `gateway` or `make`, or say in ways.py why not"
        )


@pytest.mark.parametrize("apart", APART, ids=lambda one: f"{one.module}-{'-'.join(one.ways)}")
def test_whatever_is_left_out_is_there_and_would_come_in(apart):
    assert apart.why
    assert "http" not in apart.ways
    tests = those_in(apart.module)
    assert [name for name in apart.tests if not tests.get(name)] == []


def test_what_is_tried_every_time_is_there():
    assert set(EVERY_TIME) <= set(MODULES)


def test_http_is_never_left_out():
    for module in MODULES:
        for name in those_in(module):
            assert "http" in {way.name for way in ways_of(module, name) if not way.slow}
