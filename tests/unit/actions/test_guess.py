import pytest
from asked import asked

from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.protocols.guess import guessed


def action(access=Access.READ, tier=Tier.T0, confidence=Confidence.PROTOCOL):
    return Action(service="x", operation="y", access=access, tier=tier, confidence=confidence)


def test_a_read_by_a_reading_method_stays_one_and_is_unmapped():
    got = guessed(action(), asked("GET https://x.test/"), "X")
    assert (got.access, got.tier, got.mapped) == (Access.READ, Tier.T0, False)
    assert got.evidence == ("no service file says that this host speaks X",)


@pytest.mark.parametrize("line", ["POST https://x.test/", "PROPFIND https://x.test/", "DELETE https://x.test/"])
def test_no_other_method_reads(line):
    assert guessed(action(), asked(line), "X").access is Access.UNKNOWN
    assert guessed(action(), asked(line), "X").tier is Tier.T2


def test_what_brings_a_body_is_no_read():
    assert guessed(action(Access.LIST), asked("GET https://x.test/", text="x"), "X").access is Access.UNKNOWN


def test_what_changes_something_stays_what_it_is():
    assert guessed(action(Access.DELETE, Tier.T3), asked("POST https://x.test/"), "X").tier is Tier.T3


def test_what_can_not_be_read_stays_unknown():
    assert guessed(action(Access.UNKNOWN, Tier.T2, Confidence.UNKNOWN), asked("GET https://x.test/"), "X").evidence == ()
