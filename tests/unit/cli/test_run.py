"""outgate.cli.run: what is asked wrongly is said in clear sentences, all of them, before anything is started."""

from __future__ import annotations

import gc
import json
import os
import sys

import pytest

from outgate.ca.trust import Kind, read_trust
from outgate.cli.main import main
from outgate.stores.shipped import shipped

BROKEN_POLICY = """\
outgate: policy/v1alpha
policy: broken
mode: enforce
otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
rules:
  - {id: one, match: {access: delete}, effect: blok}
  - {id: two, mach: {access: delete}, effect: block}
  - {id: three, match: {access: delete}, when: agent.aeg < days(7), effect: block}
"""


@pytest.fixture
def outgate(monkeypatch, capsys, tmp_path):
    """`outgate run …` in this process, in an environment of its own; for what ends before anything is forked."""
    trust = read_trust(shipped("certs", "trust.yaml").read_text(), "trust.yaml")
    for name in {*trust.names(*Kind), *trust.removed, "SSL_CERT_DIR"}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("nothing may be started"))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["outgate", "run", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert said.out == ""
        assert not (tmp_path / "state" / "log").exists(), "nothing was begun"
        return left.value.code, said.err.splitlines()

    return run


def test_a_broken_policy_is_2_with_every_problem_in_its_place(outgate, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN_POLICY)
    code, lines = outgate("--policy", path, "--", "true")
    assert code == 2
    assert [line.split(":")[1] for line in lines] == ["6", "7", "8"]
    assert lines[0].startswith(f"{path}:6:48: unknown effect 'blok', did you mean")
    assert "'mach'" in lines[1]
    assert "aeg" in lines[2]


def test_two_broken_policies_are_both_told(outgate, tmp_path):
    (tmp_path / "a.yaml").write_text(BROKEN_POLICY)
    (tmp_path / "b.yaml").write_text("outgate: policy/v9\n")
    code, lines = outgate("--policy", tmp_path / "a.yaml", "--policy", tmp_path / "b.yaml", "--", "true")
    assert code == 2
    assert {line.split(":")[0] for line in lines} == {str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")}


def test_yaml_that_is_none_names_its_line(outgate, tmp_path):
    (tmp_path / "bad.yaml").write_text("outgate: policy/v1alpha\nrules: [\n")
    code, lines = outgate("--policy", tmp_path / "bad.yaml", "--", "true")
    assert code == 2
    assert lines[0].startswith(f"{tmp_path / 'bad.yaml'}:3:1: not YAML")


def test_an_unknown_policy_lists_those_that_there_are(outgate):
    code, lines = outgate("--policy", "codingagent", "--policy", "nor-this", "--", "true")
    assert code == 2
    assert len(lines) == 2
    assert lines[0].startswith("outgate: no policy 'codingagent': give a file's path or one of coding-agent, deny-all")


def test_broken_settings_are_2_with_every_problem_in_its_place(outgate, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("outgate: settings/v1alpha\ndirect: [99999]\nmetricz: :9090\nshare: [/nowhere/at/all]\n")
    code, lines = outgate("--config", path, "--", "true")
    assert code == 2
    assert [line.split(":")[1] for line in lines] == ["2", "3", "4"]
    assert "'metricz'" in lines[1]
    assert "'metrics'" in lines[1], "what was meant"


def test_settings_that_are_found_without_being_named_are_checked_as_well(outgate, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("outgate: settings/v1alpha\nenforce: perhaps\n")
    code, lines = outgate("--", "true")
    assert code == 2
    assert lines[0].startswith(f"{tmp_path / 'config' / 'config.yaml'}:2:10: ")


def test_settings_that_are_named_and_not_there_are_2(outgate, tmp_path):
    code, lines = outgate("--config", tmp_path / "none.yaml", "--", "true")
    assert (code, lines) == (2, [f"{tmp_path / 'none.yaml'}: can't be read: No such file or directory"])


def test_what_is_wrong_in_a_policy_and_in_the_environment_is_told_together(outgate, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:hunter2@proxy.test:1080")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/corp.pem")
    (tmp_path / "broken.yaml").write_text(BROKEN_POLICY)
    code, lines = outgate("--policy", tmp_path / "broken.yaml", "--", "true")
    assert code == 2
    assert len(lines) == 5
    assert lines[3].startswith("environment: HTTPS_PROXY asks for a 'socks5' proxy")
    assert lines[4].startswith("environment: SSL_CERT_FILE names '/nowhere/corp.pem', which can't be read")
    assert "hunter2" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://"),
        ("https_proxy", "http://proxy.test:99999"),
        ("ALL_PROXY", "ftp://proxy.test"),
        ("http_proxy", "::"),
    ],
)
def test_a_proxy_that_can_not_be_used_is_an_error_and_never_a_direct_connection(outgate, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    code, lines = outgate("--", "true")
    assert code == 2
    assert lines[0].startswith(f"environment: {name} ")


def test_roots_that_hold_no_certificate_are_an_error(outgate, monkeypatch, tmp_path):
    (tmp_path / "empty.pem").touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "empty.pem"))
    code, lines = outgate("--", "true")
    assert code == 2
    assert "in which there is no PEM certificate" in lines[0]


def test_a_command_that_is_not_there_is_2(outgate):
    assert outgate("--", "no-such-program") == (
        2,
        ["outgate: there is no program 'no-such-program' on the PATH, check its spelling"],
    )


def test_a_path_that_is_no_program_is_2(outgate, tmp_path):
    (tmp_path / "notes.txt").touch()
    assert outgate("--", tmp_path / "none") == (2, [f"outgate: '{tmp_path / 'none'}' is no program, check its spelling"])
    assert outgate("--", tmp_path) == (2, [f"outgate: '{tmp_path}' is no program, check its spelling"])
    assert outgate("--", tmp_path / "notes.txt") == (2, [f"outgate: '{tmp_path / 'notes.txt'}' may not be executed, chmod +x it"])


def test_no_command_at_all_is_2(outgate):
    code, lines = outgate()
    assert code == 2
    assert "Missing argument 'CMD" in "\n".join(lines)


def test_an_agents_name_that_is_none_is_2(outgate):
    code, lines = outgate("--agent", "a b", "--", "true")
    assert code == 2
    assert lines[0].startswith("--agent: agent id 'a b'")


@pytest.mark.parametrize("place", ["nonsense", "localhost", ":99999", "-1:80"])
def test_a_place_for_metrics_that_is_none_is_2(outgate, place):
    code, lines = outgate("--metrics", place, "--", "true")
    assert code == 2
    assert lines[0].startswith(f"metrics: '{place}' is no place for metrics")


def test_a_share_that_is_not_there_is_2(outgate):
    code, lines = outgate("--share", "/nowhere/at/all", "--", "true")
    assert (code, lines) == (2, ["--share: /nowhere/at/all does not exist, name something that does"])


def test_a_service_file_that_is_broken_is_2(outgate, tmp_path):
    (tmp_path / "crm.yaml").write_text("outgate: service/v1alpha\nservce: crm\n")
    (tmp_path / "config.yaml").write_text(json.dumps({"outgate": "settings/v1alpha", "services": str(tmp_path / "crm.yaml")}))
    code, lines = outgate("--config", tmp_path / "config.yaml", "--", "true")
    assert code == 2
    assert any(line.startswith(f"{tmp_path / 'crm.yaml'}:2:1: ") for line in lines)


def test_a_key_that_others_can_read_is_2(outgate, tmp_path):
    from outgate.stores.keyfile import receipts_key

    receipts_key(tmp_path / "state")
    (tmp_path / "state" / "keys" / "receipts.key").chmod(0o644)
    code, lines = outgate("--", "true")
    assert code == 2
    assert "others may read or change this key" in lines[0]


def test_whatever_went_wrong_collections_are_on_again(outgate):
    outgate("--", "no-such-program")
    assert gc.isenabled()
