"""outgate.app.enrolment"""

from __future__ import annotations

import json

import pytest

from outgate.app import enrolment
from outgate.app.enrolment import Place, add, agents, revoke, trust
from outgate.errors import ConfigError
from outgate.intake.credentials import token_digest
from outgate.intake.listening import listener_of
from outgate.stores.logs import log_folder, receipts_of, writers


@pytest.fixture
def at(tmp_path):
    return Place(file=tmp_path / "config" / "agents.yaml", state=tmp_path / "state", listeners=(listener_of("127.0.0.1:9"),))


def recorded(at) -> list[tuple[str, dict]]:
    found = [receipt for folder in writers(log_folder(at.state)) for receipt in receipts_of(folder)]
    return [(one.type, one.fields["about"]) for one in found if one.type.startswith("agent-")]


def test_who_is_added_gets_a_token_of_which_a_digest_is_kept(at):
    written = add(at, "mailer", {"team": "ops", "labels": {"tier": "gold"}})
    assert agents(at)["mailer"].token == token_digest(written.token)
    assert written.proxy == f"http://mailer:{written.token}@127.0.0.1:9"
    everything = b"".join(path.read_bytes() for path in at.file.parents[1].rglob("*") if path.is_file())
    assert written.token.encode() not in everything
    ((what, about),) = recorded(at)
    assert (what, about["agent"], about["team"], about["labels"]) == ("agent-added", "mailer", "ops", ["tier=gold"])
    assert "token" not in json.dumps(about)


def test_a_name_with_an_at_stands_in_a_url(at):
    assert add(at, "bot@acme", {}).proxy.startswith("http://bot%40acme:outgate_")


def test_one_name_is_one_agent_until_it_is_revoked(at):
    first = add(at, "mailer", {"team": "ops"})
    with pytest.raises(ConfigError, match="is there already"):
        add(at, "mailer", {})
    assert revoke(at, "mailer").changed
    assert agents(at)["mailer"].revoked
    assert not revoke(at, "mailer").changed
    second = add(at, "mailer", {})
    known = agents(at)["mailer"]
    assert (known.revoked, known.agent.team) == (False, "ops")
    assert known.token == token_digest(second.token) != token_digest(first.token)
    assert [what for what, _ in recorded(at)] == ["agent-added", "agent-revoked", "agent-added"]


def test_who_is_trusted_keeps_its_other_labels(at):
    add(at, "mailer", {"labels": {"tier": "gold"}})
    assert trust(at, "mailer").changed
    assert dict(agents(at)["mailer"].agent.labels) == {"tier": "gold", "trust": "trusted"}
    assert not trust(at, "mailer").changed


@pytest.mark.parametrize("doing", [revoke, trust])
def test_nobody_can_be_made_anything(at, doing):
    with pytest.raises(ConfigError, match="there is no agent 'mailer'"):
        doing(at, "mailer")
    assert not at.file.exists()


@pytest.mark.parametrize("name", ["", "a b", "../x", "\u0430", "x" * 65])
def test_what_is_no_name_is_no_agent(at, name):
    with pytest.raises(ConfigError, match="no agent's name"):
        add(at, name, {})


def test_one_with_a_listener_of_its_own_has_no_token(at):
    written = add(at, "mailer", {"listen": "127.0.0.1:8081"})
    assert (written.token, written.proxy) == ("", "http://127.0.0.1:8081")
    assert agents(at)["mailer"].token == ""


def test_what_is_done_holds_although_nobody_could_write_it_down(at):
    at.state.parent.mkdir(exist_ok=True)
    at.state.write_text("no folder")
    written = add(at, "mailer", {})
    assert written.unrecorded
    assert "mailer" in agents(at)


def test_the_place_is_where_the_settings_say(tmp_path, monkeypatch):
    config = tmp_path / "config.yaml"
    config.write_text(
        'outgate: settings/v1alpha\nagents: who.yaml\nlisten: [{address: "127.0.0.1:1", agent: x}, {address: "127.0.0.1:2"}]\n'
    )
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    found = enrolment.place(config)
    assert (found.file, found.state) == (tmp_path / "who.yaml", tmp_path / "state")
    assert [str(one) for one in found.listeners] == ["127.0.0.1:2"]
