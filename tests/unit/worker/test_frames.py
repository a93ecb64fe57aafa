"""What goes between the gate and its readers: all of a catalog there, values and nothing else back."""

import pickle

import pytest
from gated import CATALOG

from outgate.actions.action import Access, Action, Money, Tier
from outgate.policy.facts import Answered
from outgate.worker.frames import Done, Failed, Learn, answered, asked, packed


class Runs:
    def __reduce__(self):
        return print, ("run",)


def test_a_catalog_is_the_same_on_the_other_side():
    learnt = asked(packed(Learn(CATALOG))).catalog
    assert learnt.listed() == CATALOG.listed()
    assert learnt.params() == CATALOG.params()
    assert learnt.at("api.stripe.com").main.otherwise == CATALOG.at("api.stripe.com").main.otherwise


@pytest.mark.parametrize(
    "found",
    [
        None,
        "sha256:0",
        frozenset({"secret"}),
        Answered(status=200, rows=3, data=frozenset()),
        (Action(service="x", operation="y", access=Access.PAY, tier=Tier.T3, params={"amount": Money(minor=1, currency="GBP")}),),
    ],
)
def test_what_was_found_comes_back_as_it_was(found):
    assert answered(packed(Done(found))) == Done(found)
    assert answered(packed(Failed("ValueError in read, line 3"))) == Failed("ValueError in read, line 3")


@pytest.mark.parametrize("lie", [Runs(), Done(Runs()), Done((Runs(),)), "text", Learn(CATALOG)])
def test_nothing_else_is_taken_from_a_process_that_was_taken_over(lie, capsys):
    with pytest.raises(pickle.UnpicklingError):
        answered(packed(lie))
    assert not capsys.readouterr().out
