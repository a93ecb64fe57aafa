"""outgate.cli.agent"""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from outgate.cli.agent import app
from outgate.errors import ConfigError


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))

    def one(*words, code=0):
        result = CliRunner().invoke(app, list(words))
        if isinstance(result.exception, ConfigError):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    return one


def test_what_an_agent_is_given_is_shown_once_with_how_to_use_it(run):
    said = run("add", "mailer", "--team", "ops", "--owner", "alice", "--label", "tier=gold", "--from", "10.0.0.0/8", "--observe")
    token = next(line.strip() for line in said.splitlines() if line.startswith("  outgate_"))
    assert f"export HTTPS_PROXY=http://mailer:{token}@127.0.0.1:3128" in said
    assert "outgate ca export" in said
    assert token not in run("list")
    (listed,) = json.loads(run("list", "--json"))
    assert (listed["team"], listed["owner"], listed["labels"], listed["from"], listed["observe"], listed["token"]) == (
        *("ops", "alice", {"tier": "gold"}, ["10.0.0.0/8"], True, True),
    )


def test_who_can_not_send_credentials_has_a_listener_of_its_own(run):
    said = run("add", "mailer", "--listen", "127.0.0.1:8081")
    assert "whoever connects there is mailer" in said
    assert "HTTPS_PROXY=http://127.0.0.1:8081" in said


def test_a_list_reads_at_eighty_columns(run):
    assert "names no agent: outgate agent add NAME" in run("list")
    run("add", "a-rather-long-name-for-an-agent", "--team", "a-long-team-name", "--owner", "somebody@acme.example", "--observe")
    run("add", "gone", "--json")
    run("revoke", "gone")
    said = run("list")
    assert max(map(len, said.splitlines())) <= 80
    assert "revoked" in said
    assert "observed" in said


def test_what_is_done_twice_says_so(run):
    run("add", "mailer")
    assert "mailer: trusted\n" in run("trust", "mailer")
    assert "trusted already" in run("trust", "mailer")
    assert "mailer: revoked\n" in run("revoke", "mailer")
    assert "revoked already" in run("revoke", "mailer")


@pytest.mark.parametrize("label", ["tier", "=gold", "tier=", "="])
def test_a_label_is_a_name_and_a_value(run, label):
    with pytest.raises(ConfigError, match="--label is NAME=VALUE"):
        run("add", "mailer", "--label", label)


def test_what_can_not_be_written_names_its_place_and_writes_nothing(run, tmp_path):
    with pytest.raises(ConfigError, match=r"agents\.yaml:3:"):
        run("add", "mailer", "--from", "10.0.0.7/8")
    assert not (tmp_path / "config" / "agents.yaml").exists()


def test_without_a_receipt_it_ends_with_1_and_says_that_it_holds(run, tmp_path):
    (tmp_path / "state").write_text("no folder")
    assert "NO RECEIPT OF IT" in run("add", "mailer", code=1)
