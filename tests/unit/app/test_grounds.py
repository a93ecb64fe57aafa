"""outgate.app.grounds"""

from __future__ import annotations

from datetime import UTC

import pytest
import trustme

from outgate.app.clock import SystemClock
from outgate.app.grounds import entropy, grounds
from outgate.ca.trust import Kind, read_trust
from outgate.errors import ConfigError
from outgate.intake.destinations import Via
from outgate.policy.effect import Mode
from outgate.stores.shipped import shipped

ALLOW = "{T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}"
POLICY = f"outgate: policy/v1alpha\npolicy: mine\nmode: observe\notherwise: {ALLOW}\n"
SETTINGS = "outgate: settings/v1alpha\n"


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """An environment of its own."""
    trust = read_trust(shipped("certs", "trust.yaml").read_text(), "trust.yaml")
    for name in {*trust.names(*Kind), *trust.removed, "SSL_CERT_DIR"}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    return tmp_path


def settings(home, text):
    (home / "config" / "config.yaml").write_text(SETTINGS + text)


def test_without_anything_written_a_coding_agent_is_observed(home):
    found = grounds()
    assert (found.policy.name, found.policy.mode) == ("coding-agent", Mode.OBSERVE)
    assert found.state == home / "state"
    assert found.inherited.via is None
    assert found.added_roots() == ()
    assert not (home / "state").exists(), "nothing is made"


@pytest.mark.parametrize("how", ["option", "settings"])
def test_enforce_is_over_what_the_policy_says(home, how):
    if how == "settings":
        settings(home, "enforce: true\n")
    assert grounds(enforce=how == "option").policy.mode is Mode.ENFORCE


def test_a_policy_that_is_named_takes_the_place_of_the_settings(home):
    settings(home, "policy: deny-all\n")
    (home / "mine.yaml").write_text(POLICY)
    assert grounds().policy.name == "deny-all"
    assert grounds(policies=(str(home / "mine.yaml"),)).policy.name == "mine"


def test_several_policies_are_one_set(home):
    (home / "mine.yaml").write_text(POLICY)
    assert grounds(policies=("research-agent", str(home / "mine.yaml"))).policy.name == "research-agent+mine"


def test_a_service_file_of_the_operator_is_in_the_catalog(home):
    (home / "config" / "crm.yaml").write_text(
        "outgate: service/v1alpha\nservice: crm\nhosts: [api.crm.test]\n"
        "operations:\n  get_customer: {on: 'GET /customers/{id}', access: read, tier: T0}\n"
    )
    settings(home, "services: crm.yaml\n")
    assert "crm" in grounds().catalog.services()


def test_an_inherited_proxy_is_the_way_of_every_host_but_those_it_is_not_for(home, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inside.test")
    found = grounds()
    route = found.destinations.of("api.github.com").route
    assert isinstance(route, Via)
    assert (route.host, route.port) == ("proxy.test", 3128)
    assert not isinstance(found.destinations.of("inside.test").route, Via)


def test_the_operators_own_table_is_over_an_inherited_proxy(home, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    settings(home, "destinations: {api.github.com: {via: direct}}\n")
    assert not isinstance(grounds().destinations.of("api.github.com").route, Via)


def test_inherited_roots_are_added_once_and_told_where_they_add_something(home, monkeypatch):
    corp, public = home / "corp.pem", home / "public.pem"
    trustme.CA().cert_pem.write_to_path(corp)
    public.write_bytes(grounds().public[-1])
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(corp))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(public))
    found = grounds()
    assert len(found.added_roots()) == 1
    assert found.added_roots()[0].endswith(f"={corp}")
    assert found.roots.count(corp.read_bytes()) == 1
    assert len(set(found.roots)) == len(found.roots)


def test_what_an_agent_must_not_write_are_the_files_that_say_what_it_may_do(home):
    (home / "mine.yaml").write_text(POLICY)
    settings(home, "")
    written = grounds(policies=(str(home / "mine.yaml"), "coding-agent")).written
    assert home / "mine.yaml" in written
    assert home / "config" in written


def test_all_that_is_wrong_is_told_at_once(home, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    settings(home, "enforce: perhaps\nmetricz: 1\n")
    with pytest.raises(ConfigError) as told:
        grounds()
    assert [problem.source for problem in told.value.problems] == [str(home / "config" / "config.yaml")] * 2 + ["environment"]


def test_what_is_wrong_in_the_environment_alone_is_told(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    with pytest.raises(ConfigError, match="HTTPS_PROXY"):
        grounds()


def test_the_clock_says_utc_and_never_goes_back():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_randomness_is_as_long_as_asked_and_never_the_same():
    assert len(entropy(4)) == 4
    assert entropy(16) != entropy(16)


def test_a_policy_whose_own_cases_do_not_come_out_is_not_used(tmp_path):
    policy = tmp_path / "mine.yaml"
    policy.write_text("outgate: policy/v1alpha\npolicy: mine\nmode: enforce\notherwise: block\n")
    cases = tmp_path / "mine.cases.yaml"
    case = "  - {name: all is well, request: POST https://unknown.test/x, answer: allow}\n"
    cases.write_text(f"outgate: cases/v1alpha\npolicy: mine\ncases:\n{case}")
    with pytest.raises(ConfigError, match=r"mine\.cases\.yaml:4.*case 'all is well'"):
        grounds(policies=(str(policy),))
    cases.unlink()
    assert cases in grounds(policies=(str(policy),)).files


QUORUM = f"{POLICY}approvers: {{ops: {{need: 1, of: [alice]}}}}\n"


def test_where_it_is_enforced_enough_people_must_be_known_before_a_gate_starts(home):
    (home / "mine.yaml").write_text(QUORUM)
    assert grounds(policies=(str(home / "mine.yaml"),)).people.by_name == {}
    with pytest.raises(ConfigError, match="nobody is called 'alice'"):
        grounds(policies=(str(home / "mine.yaml"),), enforce=True)


def test_a_gate_that_runs_takes_up_that_somebody_is_gone(home, caplog):
    (home / "mine.yaml").write_text(QUORUM)
    found = grounds(policies=(str(home / "mine.yaml"),), enforce=True, running=True)
    assert found.people.by_name == {}
    assert "nobody is called 'alice'" in caplog.text
