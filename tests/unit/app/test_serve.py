"""outgate.app.serve: where agents come in. The rest is tried whole, in tests/faults/test_serve.py."""

from __future__ import annotations

import pytest
from signed import Signer

from outgate.app.serve import ServeAsk, check, listeners_of
from outgate.errors import ConfigError
from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Enrolled
from outgate.intake.listening import Listener, listener_of


def agents(**listeners: str) -> Agents:
    made = {
        name: Enrolled(agent=Agent(id=name), listener=listener_of(place, name) if place else None)
        for name, place in listeners.items()
    }
    return Agents(by_name=made)


def test_where_nothing_is_said_agents_come_in_on_3128_of_this_machine():
    assert listeners_of((), Agents()) == (Listener(host="127.0.0.1", port=3128),)


def test_agents_own_listeners_come_after_what_the_settings_say():
    shared = listener_of("127.0.0.1:9")
    found = listeners_of((shared,), agents(mailer="127.0.0.1:10", payer=""))
    assert [(str(one), one.agent) for one in found] == [("127.0.0.1:9", ""), ("127.0.0.1:10", "mailer")]


def test_a_listener_of_somebody_who_is_not_written_down_is_refused():
    with pytest.raises(ConfigError, match="'mailer', who is not written down"):
        listeners_of((listener_of("127.0.0.1:9", "mailer"),), agents(payer=""))


def test_two_that_want_one_place_are_refused():
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:10 is wanted twice"):
        listeners_of((listener_of("127.0.0.1:10"),), agents(mailer="127.0.0.1:10"))


def test_any_free_port_may_be_wanted_as_often_as_one_likes():
    assert len(listeners_of((listener_of("127.0.0.1:0"), listener_of("127.0.0.1:0")), Agents())) == 2


def test_a_policy_that_asks_people_of_whom_there_are_none_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path))
    assert check(ServeAsk(policies=("deny-all",), enforce=True)).people_file is None, "it asks nobody"
    assert check(ServeAsk(policies=("coding-agent",), enforce=True)).people_file == tmp_path / "people.yaml"
    key = Signer("alice").public
    (tmp_path / "people.yaml").write_text(f'{{outgate: people/v1alpha, people: {{alice: {{keys: ["{key}"]}}}}}}')
    assert check(ServeAsk(policies=("coding-agent",), enforce=True)).people_file is None


def test_checking_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    serving = check(ServeAsk(policies=("deny-all",), enforce=True))
    assert (serving.policy, serving.enforcing, serving.agents, serving.ca) == ("deny-all", True, 0, "")
    assert list(tmp_path.iterdir()) == []
