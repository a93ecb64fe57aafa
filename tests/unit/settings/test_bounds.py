"""What an operator may set of the bounds: every one that the engine has, and nothing that would undo one."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from outgate.errors import ConfigError
from outgate.mitm.link import Limits
from outgate.settings.bounds import BOUNDS
from outgate.settings.load import read

HEAD = "outgate: settings/v1alpha\n"
TABLE = Path(__file__).parents[3] / "proxy/outgate/settings/README.md"
NOT_THERE = {"body"}
"""It has a setting of its own, `body_limit`."""


def wrong(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(HEAD + text, "config.yaml", Path("/nowhere"))
    return [str(problem) for problem in caught.value.problems]


def test_every_limit_of_the_engine_can_be_set_and_nothing_else():
    assert set(BOUNDS) == {field.name for field in fields(Limits)} - NOT_THERE


def test_what_holds_without_being_set_may_be_set():
    defaults = Limits()
    for name, bound in BOUNDS.items():
        value = getattr(defaults, name)
        said = f"{round(value.total_seconds())}s" if isinstance(value, timedelta) else "none" if value is None else value
        assert bound.read(said) == value, name


def test_the_table_for_people_has_each_with_what_it_is():
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]+) \|$", TABLE.read_text(), re.MULTILINE))
    assert set(rows) == set(BOUNDS)
    for name, said in rows.items():
        assert BOUNDS[name].read(int(said) if said.isdigit() else said) == getattr(Limits(), name), name


def test_what_is_set_is_what_the_engine_goes_by():
    text = "limits: {head: 32 KiB, head_time: 10s, requests: 64, answer_size: 2 GiB, body_rate: none}\n"
    said = read(HEAD + text, "config.yaml", Path("/nowhere"))
    limits = replace(Limits(), body=said.body_limit, **said.limits)
    assert (limits.head, limits.head_time, limits.requests) == (32 << 10, timedelta(seconds=10), 64)
    assert (limits.answer_size, limits.body_rate, limits.idle) == (2 << 30, None, Limits().idle)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("limits: {heads: 1}\n", "config.yaml:2:10: 'limits' has no key 'heads', did you mean 'head'?"),
        ("limits: {head: 1}\n", "config.yaml:2:16: 'head' is a number of bytes, like 1 MiB, from 4 KiB to 256 KiB"),
        ("limits: {head: 1 GB}\n", "config.yaml:2:16: 'head' is a number of bytes, like 1 MiB, from 4 KiB to 256 KiB"),
        ("limits: {head: true}\n", "config.yaml:2:16: 'head' is a number of bytes, like 1 MiB, from 4 KiB to 256 KiB"),
        ("limits: {head: none}\n", "config.yaml:2:16: 'head' is a number of bytes, like 1 MiB, from 4 KiB to 256 KiB"),
        ("limits: {head_time: 30}\n", "config.yaml:2:21: 'head_time' is a time, like 30s, from 1s to 10m"),
        ("limits: {head_time: 0s}\n", "config.yaml:2:21: 'head_time' is a time, like 30s, from 1s to 10m"),
        ("limits: {answer_lasts: 0s}\n", "config.yaml:2:24: 'answer_lasts' is a time, like 30s, from 1s to 720h, or none"),
        ("limits: {requests: 0}\n", "config.yaml:2:20: 'requests' is a whole number, from 1 to 100000"),
        ("limits: {requests: many}\n", "config.yaml:2:20: 'requests' is a whole number, from 1 to 100000"),
        ("limits: {unsent: 64 KiB}\n", "config.yaml:2:18: 'unsent' is a number of bytes, like 1 MiB, from 128 KiB to 64 MiB"),
    ],
)
def test_a_bound_that_would_bound_nothing_or_let_nothing_through_is_refused(text, problem):
    assert wrong(text) == [problem]


def test_all_that_is_wrong_is_said_at_once():
    assert len(wrong("limits: {head: 1, idle: 1ms}\nhold: 2h\n")) == 3
