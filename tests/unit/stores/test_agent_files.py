"""outgate.stores.agent_files"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from outgate.errors import ConfigError
from outgate.intake.credentials import Agents, token_digest
from outgate.intake.listening import Listener
from outgate.stores.agent_files import change, json_schema, load_agents, read_agents

HEAD = "outgate: agents/v1alpha\nagents:\n"
DIGEST = token_digest("a token")


def agents(text):
    return read_agents(HEAD + text, "agents.yaml")


def wrong(text):
    with pytest.raises(ConfigError) as error:
        agents(text)
    return [str(problem) for problem in error.value.problems]


def test_everything_that_can_be_said_of_an_agent_is_read():
    known = agents(f"""
  mailer:
    team: ops
    owner: alice
    permissions: [send]
    labels: {{trust: trusted}}
    since: 2026-01-31
    token: "{DIGEST}"
    from: [10.0.0.0/8, "fd00::1"]
    observe: true
    transparent: true
    listen: 127.0.0.1:8081
    revoked: true
  plain: {{}}
""")
    mailer = known.by_name["mailer"]
    assert (mailer.agent.id, mailer.agent.team, mailer.agent.owner) == ("mailer", "ops", "alice")
    assert (mailer.agent.permissions, dict(mailer.agent.labels)) == (frozenset({"send"}), {"trust": "trusted"})
    assert (mailer.agent.since, mailer.agent.observe) == (datetime(2026, 1, 31, tzinfo=UTC), True)
    assert mailer.token == DIGEST
    assert mailer.peers == (ip_network("10.0.0.0/8"), ip_network("fd00::1/128"))
    assert mailer.listener == Listener(port=8081, agent="mailer")
    assert (mailer.revoked, mailer.transparent) == (True, True)
    plain = known.by_name["plain"]
    assert (plain.token, plain.peers, plain.listener, plain.revoked) == ("", (), None, False)


def test_a_client_certificate_is_named_by_its_key_or_by_a_name_in_it():
    known = agents(f"""
  mailer: {{certificate: "{DIGEST}"}}
  payer: {{certificate: ["uri:spiffe://acme.example/payer", "dns:payer.agents.example"]}}
""")
    assert known.by_name["mailer"].certificates == {DIGEST}
    assert known.by_name["payer"].certificates == {"uri:spiffe://acme.example/payer", "dns:payer.agents.example"}


@pytest.mark.parametrize("mark", ["sha256:12", "CN=mailer", "uri:", "dns:PAYER.example", "SHA256:" + "0" * 64])
def test_a_certificate_that_is_named_otherwise_is_refused(mark):
    (problem,) = wrong(f'  mailer: {{certificate: "{mark}"}}\n')
    assert "sha256: and the digest of its public key" in problem


def test_no_two_agents_have_one_certificate():
    (problem,) = wrong(f'  mailer: {{certificate: "{DIGEST}"}}\n  payer: {{certificate: ["dns:a.example", "{DIGEST}"]}}\n')
    assert "certificate of 'mailer' too" in problem


def test_a_listener_that_speaks_tls_stands_in_the_settings():
    (problem,) = wrong('  mailer: {listen: "https://127.0.0.1:8443"}\n')
    assert "name it under 'listen' there, for 'mailer'" in problem
    assert agents('  mailer: {listen: "socks5://127.0.0.1:1080"}\n').by_name["mailer"].listener.scheme == "socks5"


def test_two_ways_in_can_not_have_one_port():
    assert len(wrong('  a: {listen: "127.0.0.1:1080"}\n  b: {listen: "socks5://127.0.0.1:1080"}\n')) == 1


def test_nobody_is_written_down_where_there_is_no_file(tmp_path):
    assert load_agents(tmp_path / "agents.yaml") == Agents()


def test_the_digest_is_of_what_is_said_and_not_of_how():
    one, other = agents("  a: {team: x}\n"), agents("  # a comment\n  a:\n    team: x\n")
    assert one.digest == other.digest
    assert one.digest != agents("  a: {team: y}\n").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  a: {token: secret}", "never the token itself"),
        ("  a: {transparent: true}", "say with 'from' which addresses are its own"),
        ("  a: {tokens: x}", "did you mean 'token'"),
        ("  a: {from: 10.0.0.7/8}", "like 10.0.0.7 or 10.0.0.0/24"),
        ("  a: {listen: 8081}", "an address and a port"),
        ("  a: {listen: '0.0.0.0:8081'}", "'plaintext: true'"),
        ("  a: {since: 2026-02-30}", "write a date"),
        ("  a b: {}", "can't name agents"),
        ("  \u0430: {}", "can't name agents"),
        ("  a: {observe: 'yes'}", "is true or false"),
        ("  a: {}\n  a: {}", "is here twice"),
        (f"  a: {{token: '{DIGEST}'}}\n  b: {{token: '{DIGEST}'}}", "the token of 'a' too"),
        ("  a: {listen: '127.0.0.1:1'}\n  b: {listen: 'localhost:1'}", "'a' listens there"),
        ("  a: ", "an agent is a table"),
    ],
)
def test_what_can_not_be_used_is_said_with_its_place(text, said):
    problems = wrong(text)
    assert any(said.lower() in problem.lower() for problem in problems), problems
    assert all(problem.startswith("agents.yaml:") for problem in problems)


def test_all_problems_come_at_once():
    assert len(wrong("  a: {since: 2026-02-30, from: 10.0.0.7/8}\n  b: {since: 2026-02-30}")) == 3


def test_a_change_is_whole_or_none(tmp_path):
    path = tmp_path / "agents.yaml"
    change(path, "mailer", lambda before: {"team": "ops"} if before is None else {})
    assert load_agents(path).by_name["mailer"].agent.team == "ops"
    kept = path.read_text()
    with pytest.raises(ConfigError, match="write a date"):
        change(path, "mailer", lambda before: {**before, "since": "2026-02-30"})
    assert path.read_text() == kept
    change(path, "mailer", lambda before: {**before, "revoked": True})
    assert load_agents(path).by_name["mailer"].revoked


def test_a_file_that_is_wrong_is_not_changed(tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text(HEAD + "  a: {token: secret}\n")
    with pytest.raises(ConfigError, match="never the token itself"):
        change(path, "b", lambda _: {})
    assert path.read_text() == HEAD + "  a: {token: secret}\n"


def test_editors_know_every_key():
    (table,) = json.loads(json.dumps(json_schema()))["properties"]["agents"]["patternProperties"].values()
    assert set(table["properties"]) == {
        *("team", "owner", "permissions", "labels", "since", "token", "from", "listen", "observe", "revoked", "transparent"),
        "certificate",
    }
