"""Laws of the switch: what is kept is read again, what can't be read is refused, and halting more never lets anything out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.errors import EvidenceError
from outgate.halt import Halt, Halts, Scope, read, written
from outgate.intake.agents import Agent

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.sampled_from(["a", "b", "c"])
MOMENTS = st.none() | st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis wants them naive


@st.composite
def a_halt(draw, names=NAMES):
    scope = draw(st.sampled_from(Scope))
    name = "" if scope is Scope.ALL else draw(names)
    return Halt(scope=scope, name=name, why=draw(TEXT), by=draw(TEXT), at=draw(MOMENTS))


@st.composite
def some_halts(draw, names=NAMES):
    halts = Halts()
    for halt in draw(st.lists(a_halt(names), max_size=6)):
        halts = halts.adding(halt)
    return halts


AGENTS = st.builds(lambda name, team: Agent(id=name, team=team), NAMES, NAMES | st.just(""))
SERVICES = st.frozensets(NAMES)


@given(some_halts(TEXT.filter(bool)))
def test_what_is_kept_is_read_again(halts):
    assert read(written(halts)) == halts


@given(st.binary(max_size=200) | some_halts().map(written), st.data())
def test_what_can_not_be_read_is_refused_and_never_anything_else(data, draws):
    cut = data[: draws.draw(st.integers(0, len(data)))]
    try:
        halts = read(cut)
    except EvidenceError:
        return
    assert read(written(halts)) == halts


@given(some_halts(), st.data())
def test_a_cut_file_is_refused(halts, draws):
    whole = written(halts).rstrip(b"\n")
    with pytest.raises(EvidenceError):
        read(whole[: draws.draw(st.integers(0, len(whole) - 1))])


@given(some_halts(), a_halt(), AGENTS, SERVICES)
def test_halting_more_never_lets_anything_out(halts, more, agent, services):
    if halts.covering(agent, services):
        assert halts.adding(more).covering(agent, services)
    if more.covers(agent, services):
        assert halts.adding(more).covering(agent, services)


@given(some_halts(), a_halt(), AGENTS, SERVICES)
def test_resuming_one_lets_out_only_what_it_covered(halts, one, agent, services):
    if halts.covering(agent, services) and not halts.without(*one.of).covering(agent, services):
        assert one.covers(agent, services)


@given(some_halts(), AGENTS, SERVICES)
def test_what_is_done_to_nothing_is_halted_by_no_halt_of_a_service(halts, agent, services):
    covering = halts.covering(agent)
    assert covering is None or covering.scope is not Scope.SERVICE
    if covering:
        assert halts.covering(agent, services)
