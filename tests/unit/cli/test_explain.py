import json
import sys

import pytest
from policies import written

from outgate.cli.main import main

DELETE = "DELETE https://api.github.com/repos/acme/site"


@pytest.fixture
def explain(monkeypatch, capsys, tmp_path):
    """What `outgate explain` says, and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["outgate", "explain", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    return run


def test_it_says_what_a_request_is_what_is_answered_and_why(explain):
    code, out = explain(DELETE)
    assert code == 0
    assert out.splitlines() == [
        "DELETE https://api.github.com/repos/acme/site",
        "",
        "github.repos/delete  acme/site",
        "  delete, T3   the repository and everything in it is gone (mapped by catalog)",
        "  evidence   mined/github, method DELETE, mark i",
        "  instance   organisation:acme",
        "  params.owner   acme",
        "  params.repo   site",
        "  answer   allow   (coding-agent only observes)",
        "  would    escalate",
        "  base     escalate for T3, observed",
        "  rules that matched",
        "    irreversible   escalate, observed",
        "    runaway   throttle, observed, takes 1 of 120/minute, for each agent.id",
        "  rules that nearly did",
        "    deletes   escalate; tier is T3, not T2",
        "",
        "enforced, the agent would read   This can't be undone, so a person must approve",
        "                                 it first. Say what you want to do and why; do",
        "                                 not try another way.",
    ]


@pytest.mark.parametrize("policy", ["coding-agent", "support-agent", "finance-agent"])
def test_it_fits_eighty_columns(explain, policy):
    body = (
        '{"model": "m", "messages": [], "mcp_servers": [{"type": "url", "url": "https://tools.example.com/a/long/path/to/it"}]}'
    )
    for call in (DELETE, "POST https://paste.example/" + "a-long-name/" * 4):
        assert max(map(len, explain(call, "--policy", policy)[1].splitlines())) <= 80
    out = explain(
        "POST https://api.anthropic.com/v1/messages", "-H", "Content-Type: application/json", "-d", body, "--policy", policy
    )[1]
    assert max(map(len, out.splitlines())) <= 80
    assert "the request: " in out


def test_an_enforced_policy_says_what_the_agent_reads(explain, tmp_path):
    (tmp_path / "p.yaml").write_text(
        written("- {id: a, match: {service: github}, effect: block, tell: Not from here., why: the board said so}")
    )
    out = explain(DELETE, "--policy", "p.yaml")[1]
    assert "  answer   block\n" in out
    assert "    a   block: the board said so" in out
    assert "the agent reads   Not from here." in out


def test_it_can_be_asked_as_if_enforced(explain):
    assert "  answer   escalate\n" in explain(DELETE, "--enforce")[1]


def test_without_a_policy_it_is_the_one_that_the_settings_name(explain, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("outgate: settings/v1alpha\npolicy: deny-all\n")
    assert "  answer   block\n" in explain(DELETE)[1]


def test_what_the_settings_call_ours_counts(explain, tmp_path):
    (tmp_path / "p.yaml").write_text(written("- {id: a, match: {service: github}, unless: destination.owned, effect: block}"))
    assert "  answer   block\n" in explain(DELETE, "--policy", "p.yaml")[1]
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(
        'outgate: settings/v1alpha\ndestinations: {api.github.com: {owned: "organisation:*"}}\n'
    )
    assert "  answer   block\n" not in explain(DELETE, "--policy", "p.yaml")[1]


def test_a_rule_that_can_not_be_told_says_so(explain, tmp_path):
    (tmp_path / "p.yaml").write_text(
        written("- {id: a, match: {action: github.pulls/merge}, when: params.merge_method == 'x', effect: escalate}")
    )
    out = explain("PUT https://api.github.com/repos/a/b/pulls/7/merge", "--policy", "p.yaml")[1]
    assert "a   can't be told (missing:params.merge_method), so block" in out


def test_who_asks_and_since_when_can_be_said(explain, tmp_path):
    (tmp_path / "p.yaml").write_text(
        written("- {id: a, match: {agent.id: new, agent.team: x}, when: agent.age < days(7), effect: sandbox}")
    )
    assert "would    sandbox" in explain(DELETE, "--policy", "p.yaml", "--agent", "new", "--team", "x", "--age", "2")[1]
    assert "would    escalate" in explain(DELETE, "--policy", "p.yaml", "--agent", "new", "--team", "x")[1]


def test_headers_and_a_body_from_a_file_are_read(explain, tmp_path):
    (tmp_path / "body.json").write_text('{"archived": true}')
    out = explain("PATCH https://api.github.com/repos/a/b", "-H", "Content-Type: application/json", "-d", "@body.json")[1]
    assert "github.repos/update  a/b\n  admin, T3" in out


def test_parameters_are_shown_as_rules_say_them(explain):
    form = ["-H", "Content-Type: application/x-www-form-urlencoded", "-d", "amount=1999&currency=gbp"]
    assert "  params.amount   1999 GBP (minor unit)" in explain("POST https://api.stripe.com/v1/payouts", *form)[1]
    body = ["-H", "Content-Type: application/json", "-d", '{"sha": "x", "force": true}']
    assert "  params.force   true" in explain("PATCH https://api.github.com/repos/a/b/git/refs/heads/x", *body)[1]


def test_for_programs_it_is_json(explain):
    said = json.loads(explain(DELETE, "--json")[1])
    assert (said["answer"], said["would"], said["policy"], said["mode"]) == ("allow", "escalate", "coding-agent", "observe")
    (action,) = said["actions"]
    assert (action["name"], action["resource"], action["tier"], action["mapped"]) == ("github.repos/delete", "acme/site", 3, True)
    assert action["limits"] == [{"id": "runaway", "limit": "120/minute", "note": "takes 1 of 120/minute, for each agent.id"}]
    assert action["nearly"] == [{"id": "deletes", "effect": "escalate", "lacked": "tier is T3, not T2"}]
    assert said["tell"].startswith("This can't be undone")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["GET example.com"], "is no call, write it like: GET https://api.example.com/things"),
        (["GET https://example.com/../x"], "this request has no one reading and is always refused, with 400: "),
        (["GET https://example.com/", "-H", "x"], "'x' is no header, write it like 'Name: value'"),
        (["GET https://example.com/", "-d", "@nope"], "nope"),
        (["GET https://example.com/", "--agent", "a b"], "agent id 'a b'"),
        (["GET https://example.com/", "--policy", "nope"], "no policy 'nope'"),
    ],
)
def test_what_can_not_be_explained_says_why(explain, args, said):
    code, out = explain(*args)
    assert code == 2
    assert said in out


def test_what_an_agent_could_write_does_not_drive_the_terminal(explain):
    out = explain("GET https://example.com/%1b[31m%0a")[1]
    assert "\x1b" not in out


def test_nothing_is_looked_up(explain, monkeypatch):
    import socket

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("a name was looked up"))
    assert explain(DELETE)[0] == 0


TOKEN = "ghp_" + "a1B2" * 9


def test_a_curl_command_is_read_as_what_curl_sends(explain):
    out = explain(f"curl -sX DELETE 'https://api.github.com/repos/acme/site' -H 'Authorization: Bearer {TOKEN}'")[1]
    assert out == explain(DELETE)[1]


def test_commands_stand_in_a_file_too(explain, tmp_path):
    (tmp_path / "c.sh").write_text("curl -X DELETE https://api.github.com/repos/acme/site \\\n  -H 'Accept: x'\n")
    assert explain("--curl", "c.sh")[1] == explain(DELETE)[1]


def test_bytes_of_a_request_are_read_and_what_has_two_readings_is_said_to_be_refused(explain, tmp_path):
    (tmp_path / "r").write_bytes(b"DELETE /repos/acme/site HTTP/1.1\r\nHost: api.github.com\r\n\r\n")
    assert explain("--raw", "r")[1] == explain(DELETE)[1]
    (tmp_path / "r").write_bytes(b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n")
    code, out = explain("--raw", "r")
    assert code == 2
    assert "no one reading and is always refused, with 400" in out


@pytest.fixture
def har(tmp_path):
    """An HAR file with these requests."""

    def write(*requests):
        (tmp_path / "x.har").write_text(json.dumps({"log": {"entries": [{"request": request} for request in requests]}}))
        return "x.har"

    return write


def test_every_entry_of_an_har_file_is_told(explain, har):
    headers = [{"name": "Authorization", "value": f"Bearer {TOKEN}"}]
    file = har(
        {"method": "DELETE", "url": "https://api.github.com/repos/acme/site", "headers": headers},
        {"method": "GET", "url": f"https://x.example/p?token=abc&q={TOKEN}", "headers": headers},
        {"method": "GET", "url": "data:text/plain,x"},
        {"method": "GET", "url": f"https://x.example/../y?token={TOKEN}"},
    )
    code, out = explain("--har", file)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert out.splitlines() == [
        "request                             action                   answer",
        "DELETE https://api.github.com/rep…  github.repos/delete  T3  escalate",
        "GET https://x.example/p?token=…&q…  http.GET             ?   block",
        "GET data:…                          -                        none: no request t…",
        "GET https://x.example/../y?token=…  -                        none: this request…",
        "",
        "4 requests, enforced: 1 block, 1 escalate",
        "1 with an action that no table knows",
        "1 left out: no request to a network",
        "1 left out: this request has no one reading and is always refused, with 400: The",
        "path has '.' or '..' as a segment: write the path that you mean.",
    ]
    said = json.loads(explain("--har", file, "--json")[1])
    assert [one.get("would") for one in said] == ["escalate", "block", None, None]
    assert TOKEN not in out + json.dumps(said)


def test_no_credential_is_shown_wherever_it_stands(explain):
    places = [
        f"curl -u alice:{TOKEN} https://api.example.com/",
        f"curl https://alice:{TOKEN}@api.example.com/",
        f"curl 'https://api.example.com/?q={TOKEN}' -b 'a={TOKEN}' --oauth2-bearer {TOKEN}",
        f"curl https://api.example.com/{TOKEN}/x -d '{TOKEN}' -F a={TOKEN}",
        f"curl https://api.slack.com/api/{TOKEN} -d token={TOKEN}",
        f"curl -X PATCH https://api.github.com/repos/{TOKEN}/b",
    ]
    for place in places:
        for more in ([], ["--json"]):
            assert TOKEN not in explain(place, *more)[1]


def test_one_request_must_be_said(explain):
    code, out = explain()
    assert code == 2
    assert "say one request" in out
