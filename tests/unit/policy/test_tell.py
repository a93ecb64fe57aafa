import pytest
from policies import action

from outgate.policy.effect import Effect
from outgate.policy.tell import default_tell


@pytest.mark.parametrize("effect", [effect for effect in Effect if effect.restricts])
def test_every_refusal_says_what_was_stopped_and_what_not_to_try(effect):
    told = default_tell(effect, action(resource="contact 7"))
    assert told.startswith("crm.update_contact contact 7 ")
    assert "not sent" in told
    assert "Do not try another way" in told or "Wait" in told


def test_what_is_allowed_needs_no_sentence():
    assert default_tell(Effect.ALLOW, action()) == ""


def test_a_long_or_hostile_resource_stays_on_one_short_line():
    told = default_tell(Effect.BLOCK, action(resource="a\r\nb\x1b[31m" + "x" * 500))
    assert told.isprintable()
    assert len(told) < 400
