import asyncio
import json
import sys

import pytest
from policies import NOON, action, facts, policy, written
from recorded import Record

from outgate.actions.action import Access, Confidence, Tier
from outgate.cli.main import main
from outgate.keys.ed25519 import SigningKey
from outgate.policy.decide import decide
from outgate.receipts.receipt import decision_body
from outgate.stores.files import FileJournal
from outgate.stores.logs import new_writer

GOOD = written("- {id: a, match: {service: github}, effect: block}")
CASES = """outgate: cases/v1alpha
policy: tried.yaml
cases:
  - {name: a, request: GET https://api.github.com/repos/a/b, answer: block}
  - {name: b, request: POST https://paste.test/, answer: %s}
"""


@pytest.fixture
def outgate(monkeypatch, capsys, tmp_path):
    """Run a command line in an empty folder: its exit code, output and complaints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["outgate", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_a_good_policy_is_said_to_be_ok_with_what_is_in_it(outgate, tmp_path):
    (tmp_path / "tried.yaml").write_text(GOOD)
    code, out, _ = outgate("policy", "check", "tried.yaml", "coding-agent")
    assert code == 0
    assert out.splitlines()[0].startswith("tried.yaml: ok. policy tried, enforce: 1 rule restricts, 0 allow; sha256:")
    assert out.splitlines()[1].startswith("coding-agent: ok.")


def test_every_problem_of_every_file_is_said_and_the_exit_code_is_2(outgate, tmp_path):
    (tmp_path / "one.yaml").write_text(GOOD.replace("block", "blok"))
    (tmp_path / "two.yaml").write_text(GOOD.replace("github", "githbu"))
    code, _, err = outgate("policy", "check", "one.yaml", "two.yaml")
    assert code == 2
    assert "one.yaml:7:47: unknown effect 'blok', did you mean 'block'?" in err
    assert "two.yaml:7:30: no service 'githbu' is known, did you mean 'github'?" in err


def test_what_is_in_vain_is_a_warning(outgate, tmp_path):
    (tmp_path / "tried.yaml").write_text(written("- {id: a, effect: block}\n- {id: b, match: {tier: T1}, effect: block}"))
    code, _, err = outgate("policy", "check", "tried.yaml")
    assert code == 0
    assert "tried.yaml:8:5: rule 'b' changes nothing: 'a' says block for all that it matches; delete one (warning)" in err


def test_files_are_checked_each_alone_or_together(outgate, tmp_path):
    (tmp_path / "org.yaml").write_text(GOOD)
    (tmp_path / "team.yaml").write_text(written("- {id: b, effect: block}", otherwise=""))
    assert outgate("policy", "check", "org.yaml", "team.yaml")[0] == 2
    assert outgate("policy", "check", "--together", "org.yaml", "team.yaml")[0] == 0


def test_a_policy_that_is_not_there_names_those_that_are(outgate):
    code, _, err = outgate("policy", "check", "nope")
    assert code == 2
    assert "coding-agent" in err


def test_the_shipped_cases_pass(outgate):
    code, out, _ = outgate("policy", "test")
    assert code == 0
    assert len(out.splitlines()) == 5
    assert all(line.endswith("none failed") for line in out.splitlines())


def test_cases_of_one_s_own_name_their_policy_beside_them(outgate, tmp_path):
    (tmp_path / "tried.yaml").write_text(GOOD)
    (tmp_path / "cases.yaml").write_text(CASES % "block")
    code, out, _ = outgate("policy", "test", "cases.yaml")
    assert (code, out) == (0, "cases.yaml: 2 cases of policy tried, none failed\n")


def test_a_case_that_fails_says_got_and_expected_and_the_exit_code_is_1(outgate, tmp_path):
    (tmp_path / "tried.yaml").write_text(GOOD)
    (tmp_path / "cases.yaml").write_text(CASES % "allow")
    code, out, _ = outgate("policy", "test", "cases.yaml")
    assert code == 1
    assert "  failed  b  (line 5)" in out
    assert "answer: got block; expected allow (otherwise: block)" in out


def test_a_rule_that_no_case_matches_is_said(outgate, tmp_path):
    (tmp_path / "tried.yaml").write_text(
        written("- {id: a, match: {service: github}, effect: block}\n- {id: alone, match: {service: npm}, effect: block}")
    )
    (tmp_path / "cases.yaml").write_text(CASES % "block")
    assert "no case matches alone" in outgate("policy", "test", "cases.yaml")[1]


def test_cases_can_be_tried_on_another_policy(outgate, tmp_path):
    (tmp_path / "cases.yaml").write_text(CASES % "block")
    assert outgate("policy", "test", "--policy", "deny-all", "cases.yaml")[0] == 0


def test_a_policy_without_cases_says_so(outgate, tmp_path):
    (tmp_path / "tried.yaml").write_text(GOOD)
    code, _, err = outgate("policy", "test", "--policy", "tried.yaml")
    assert code == 2
    assert "no cases come with policy 'tried.yaml', give files of cases" in err


def test_the_schema_is_json(outgate):
    assert json.loads(outgate("policy", "schema")[1])["title"] == "Outgate policy/v1alpha"


@pytest.mark.parametrize(
    ("form", "title", "key"),
    [
        ("policy", "Outgate policy/v1alpha", "rules"),
        ("settings", "Outgate settings", "networks"),
        ("agents", "Outgate agents", "agents"),
        ("people", "Outgate people", "people"),
    ],
)
def test_every_file_that_people_write_has_its_schema(outgate, form, title, key):
    code, out, _ = outgate("policy", "schema", form)
    assert code == 0
    assert json.loads(out)["title"] == title
    assert key in json.loads(out)["properties"]


def test_a_schema_of_what_nobody_writes_is_an_error_that_names_those_there_are(outgate):
    code, _, err = outgate("policy", "schema", "receipts")
    assert code == 2
    assert all(form in err for form in ("policy", "settings", "agents", "people"))


def test_suggest_without_a_log_says_what_to_do(outgate):
    code, _, err = outgate("policy", "suggest")
    assert code == 1
    assert "run your agent first" in err


async def test_what_suggest_writes_passes_the_check(outgate, tmp_path):
    await _log(tmp_path / "state", ("coder", "github.repos/get"), ("other", "npm.package"))
    code, out, _ = outgate("policy", "suggest")
    assert code == 0
    assert "github.repos/get" in out
    assert "npm.package" in out
    (tmp_path / "outgate.yaml").write_text(out)
    assert outgate("policy", "check", "outgate.yaml")[0] == 0


async def test_suggest_can_be_asked_for_one_agent(outgate, tmp_path):
    await _log(tmp_path / "state", ("coder", "github.repos/get"), ("other", "npm.package"))
    assert "npm.package" not in outgate("policy", "suggest", "--agent", "coder")[1]


async def _log(state, *seen):
    """A real log with one decision each."""
    observed = policy(mode="observe")
    journal = FileJournal.open(state, writer=new_writer(NOON, b"abcd"), key=SigningKey.from_seed(b"k" * 32))
    for agent, name in seen:
        one = action(name, access=Access.READ, tier=Tier.T0, confidence=Confidence.CATALOG, resource="a/b")
        at = facts(id=agent)
        body = decision_body(
            at=NOON, agent=at.agent, request=at.request, decision=decide(observed, (one,), at), policy=observed.digest, pin=None
        )
        await journal.append(body)
    await journal.close()


# replay


TIGHT = written("- {id: no-gets, match: {service: github}, effect: block}")


@pytest.fixture
def recorded(tmp_path):
    """A state folder with a real log of three decisions by two agents."""
    record = Record(policy("- {id: all, match: {}, effect: allow}"))
    for agent, name in (("coder", "github.repos/get"), ("other", "npm.package"), ("coder", "npm.package")):
        one = action(name, access=Access.READ, tier=Tier.T0, confidence=Confidence.CATALOG, resource="a/b")
        record.came(record.decided(one, id=agent))
    asyncio.run(_written(tmp_path / "state", record))
    (tmp_path / "tight.yaml").write_text(TIGHT)
    return tmp_path / "state"


async def _written(state, record):
    journal = FileJournal.open(state, writer=new_writer(NOON, b"abcd"), key=SigningKey.from_seed(b"k" * 32))
    for body in record.receipts:
        await journal.append({key: value for key, value in body.items() if key not in {"v", "writer", "seq", "prev"}})
    await journal.close()


@pytest.mark.parametrize("place", [[], ["state"], ["state/log"]])
def test_replay_decides_what_was_recorded_again(outgate, recorded, place):
    code, out, _ = outgate("policy", "replay", *place, "--policy", "tight.yaml")
    assert code == 0
    assert out.splitlines()[0].startswith("3 decisions, 3 decided again under policy tried, enforced;")
    assert "1 x  block  no-gets  github.repos/get  coder" in out


def test_replay_exits_with_1_when_too_many_would_be_stopped(outgate, recorded):
    assert outgate("policy", "replay", "--policy", "tight.yaml", "--max-new-blocks", "1")[0] == 0
    code, out, _ = outgate("policy", "replay", "--policy", "tight.yaml", "--max-new-blocks", "0")
    assert code == 1
    assert out.endswith("1 new stop: more than the 0 that may be\n")


def test_what_replay_can_not_tell_counts_as_stopped(outgate, recorded, tmp_path):
    (tmp_path / "data.yaml").write_text(written("- {id: d, match: {data: secret}, effect: block}"))
    code, out, _ = outgate("policy", "replay", "--policy", "data.yaml", "--max-new-blocks", "2")
    assert code == 1
    assert "3 x rule d reads data, which the receipt does not hold" in out


def test_replay_gives_programs_all_of_it(outgate, recorded):
    said = json.loads(outgate("policy", "replay", "--policy", "tight.yaml", "--json")[1])
    assert (said["decisions"], said["newStops"]) == (3, 1)
    assert said["changes"][0]["examples"][0]["receipt"].endswith("-0")


def test_replay_can_be_asked_for_one_agent_and_for_the_policys_own_mode(outgate, recorded, tmp_path):
    (tmp_path / "tight.yaml").write_text(TIGHT.replace("mode: enforce", "mode: observe"))
    assert "2 decisions" in outgate("policy", "replay", "--policy", "tight.yaml", "--agent", "coder")[1]
    assert "no-gets" not in outgate("policy", "replay", "--policy", "tight.yaml", "--as-written")[1]
    assert "no-gets" in outgate("policy", "replay", "--policy", "tight.yaml")[1]


def test_replay_without_a_log_says_what_to_do(outgate, tmp_path):
    (tmp_path / "tight.yaml").write_text(TIGHT)
    code, _, err = outgate("policy", "replay", "--policy", "tight.yaml")
    assert code == 1
    assert "run your agent first" in err


def test_replay_with_a_wrong_policy_names_every_problem(outgate, recorded, tmp_path):
    (tmp_path / "tight.yaml").write_text(TIGHT.replace("block", "blok"))
    code, _, err = outgate("policy", "replay", "--policy", "tight.yaml")
    assert code == 2
    assert "unknown effect 'blok'" in err
