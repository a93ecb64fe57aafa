"""What is decided with, and what comes out."""

from __future__ import annotations

import pytest
from gated import ALLOW_ALL, World


@pytest.mark.parametrize(
    ("rules", "mode", "asks"),
    [
        ("", "enforce", False),
        ("- {id: a, effect: escalate}", "enforce", True),
        ("- {id: a, effect: escalate}", "observe", False),
        ("- {id: a, effect: throttle, limit: 1/min, onError: escalate}", "enforce", True),
    ],
)
def test_a_ground_knows_whether_people_may_be_asked(rules, mode, asks):
    it = World(rules=rules, mode=mode)
    assert it.ground(it.policy).asks is asks


def test_what_holds_otherwise_asks_people_too():
    it = World(otherwise=ALLOW_ALL.replace("T3: allow", "T3: escalate"))
    assert it.ground(it.policy).asks
    assert it.open("POST https://elsewhere.test/").wants_body, "people sign exact requests"
