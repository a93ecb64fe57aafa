import json
import sys

import pytest

from outgate.cli.main import main

OWN = """outgate: mocks/v1alpha
service: {service}
answers:
  - {{on: GET /v1/mine, json: {{mine: true}}}}
"""


@pytest.fixture
def outgate(monkeypatch, capsys, tmp_path):
    """Run a command line in an empty folder: its exit code, output and complaints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["outgate", "mock", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def own_file(tmp_path, service="stripe", text=OWN):
    path = tmp_path / "own.yaml"
    path.write_text(text.format(service=service))
    return str(path)


def settings(tmp_path, **said):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "config.yaml").write_text(json.dumps({"outgate": "settings/v1alpha", **said}))


def test_what_has_canned_answers_is_listed(outgate, tmp_path):
    code, out, err = outgate("list")
    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()[:6]} == {"anthropic", "github", "openai", "sendgrid", "slack", "stripe"}
    assert all(len(line) <= 80 for line in out.splitlines())
    _, out, _ = outgate("list", "--mocks", own_file(tmp_path), "--json")
    listed = json.loads(out)
    assert "GET /v1/mine" in listed["stripe"]["routes"]
    assert "customers" in listed["stripe"]["collections"]
    assert len(listed["stripe"]["files"]) == 2


def test_whose_answers_they_are_is_said(outgate, tmp_path):
    settings(tmp_path, mocks=[own_file(tmp_path)])
    _, out, _ = outgate("list")
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(("stripe", "slack"))] == ["shipped", "both"]


def test_what_is_shipped_is_sound(outgate):
    code, out, _ = outgate("check")
    assert code == 0
    assert out.count(": ok. ") == 6


def test_a_file_of_ones_own_is_checked_with_what_it_adds_to(outgate, tmp_path):
    code, out, _ = outgate(
        "check", own_file(tmp_path, text=OWN + "  - {{on: 'POST /v1/customers/{{id}}/x', update: customers}}\n")
    )
    assert (code, "own.yaml: ok. stripe, 47 routes in all" in out) == (0, True)


def test_everything_that_is_wrong_is_said(outgate, tmp_path):
    text = OWN + "  - {{on: GET /x, jsn: 1}}\n  - {{on: GET y}}\n"
    code, out, err = outgate("check", own_file(tmp_path, text=text))
    assert (code, out) == (2, "")
    assert "own.yaml:5:" in err
    assert "own.yaml:6:" in err


def test_an_answer_can_be_tried(outgate):
    code, out, _ = outgate("try", "stripe", "POST", "/v1/customers", "--body", "name=ann")
    assert (code, out.splitlines()[0]) == (0, "200")
    assert '"name": "ann"' in out
    _, out, _ = outgate("try", "stripe", "POST", "/v1/customers", "--body", '{"name": "ann"}', "--json")
    said = json.loads(out)
    assert (said["status"], said["body"]["name"]) == (200, "ann")


def test_a_body_may_stand_in_a_file(outgate, tmp_path):
    (tmp_path / "b.json").write_text('{"name": "ann"}')
    _, out, _ = outgate("try", "crm", "POST", "https://crm.example.test/people", "--body", "@b.json", "--json")
    assert json.loads(out)["body"]["name"] == "ann"
    code, _, err = outgate("try", "crm", "POST", "/people", "--body", "@none")
    assert (code, "can't read none" in err) == (2, True)


def test_a_document_and_ones_own_answers_can_be_tried(outgate, tmp_path):
    _, out, _ = outgate("try", "stripe", "GET", "/v1/mine", "--mocks", own_file(tmp_path), "--json")
    assert json.loads(out)["body"] == {"mine": True}
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.1.0\npaths: {/x: {get: {responses: {'200': {content: {application/json: {example: 7}}}}}}}"
    )
    _, out, _ = outgate("try", "pay", "GET", "/x", "--openapi", "api.yaml", "--json")
    assert json.loads(out)["body"] == 7


def test_a_stream_is_shown_as_it_is(outgate):
    body = '{"model": "m", "messages": [1], "stream": true}'
    _, out, _ = outgate("try", "openai", "POST", "/v1/chat/completions", "--body", body)
    assert "data: [DONE]" in out


def test_nothing_of_an_answer_drives_the_terminal(outgate):
    body = '{"id": "\\u001b[2J\\u202e"}'
    _, out, _ = outgate("try", "http", "POST", "/things", "--body", body)
    assert "\x1b" not in out
    assert "\u202e" not in out


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (("stripe", "PO ST", "/x"), "is no method"),
        (("stripe", "GET", "v1/x"), "is no path"),
        (("stripe", "GET", "ftp://x/y"), "is no path"),
    ],
)
def test_what_can_not_be_tried_is_said(outgate, args, wrong):
    code, _, err = outgate("try", *args)
    assert (code, wrong in err) == (2, True)


def test_editors_get_a_schema(outgate):
    assert json.loads(outgate("schema")[1])["title"] == "Outgate mocks/v1alpha"


def test_recording_begins_and_ends(outgate, tmp_path):
    code, out, _ = outgate("record", "--service", "stripe", "--service", "github", "--out", "kept", "--for", "30m")
    assert (code, "kept/stripe.yaml, kept/github.yaml" in " ".join(out.split())) == (0, True)
    assert all(len(line) <= 80 for line in out.splitlines())
    said = json.loads((tmp_path / "state" / "recording.json").read_text())
    assert (said["services"], said["folder"]) == (["github", "stripe"], str(tmp_path / "kept"))
    assert outgate("record", "--stop")[1] == "Recording has ended.\n"
    assert outgate("record", "--stop")[1] == "Nothing was being recorded.\n"


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        ((), "name a service"),
        (("--service", "strpe"), "did you mean 'stripe'?"),
        (("--service", "stripe", "--for", "8d"), "is no time to record for"),
        (("--service", "stripe", "--for", "0m"), "is no time to record for"),
        (("--service", "stripe", "--for", "an hour"), "is no time to record for"),
    ],
)
def test_what_can_not_be_recorded_is_said(outgate, tmp_path, args, wrong):
    code, _, err = outgate("record", *args)
    assert (code, wrong in err) == (2, True)
    assert not (tmp_path / "state" / "recording.json").exists()
