"""curl, Python's HTTP clients and Node's fetch: unmodified, they reach what is allowed and read why the rest is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from clients.under_gate import AGENTS, PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

READ = ["GET", "https://api.github.com/repos/acme/site?per_page=2", None]
WRITE = ["POST", "https://api.github.com/repos/acme/site/issues", {"title": "x"}]
DELETE = ["DELETE", "https://api.github.com/repos/acme/site", None]
TELL = "Repositories are deleted by people. Ask ops@acme.example."
NO_DELETES = f'{{id: no-deletes, match: {{method: DELETE}}, effect: block, tell: "{TELL}"}}'


def test_observed_python_clients_reach_everything_and_trust_without_a_flag(gate: Gate, services: LookAlikes):
    ran = gate.run(PYTHON, AGENTS / "http_calls.py", json.dumps([READ, WRITE, DELETE]))
    assert ran.code == 0, ran.stderr
    assert [(one["client"], one.get("status"), one.get("error")) for one in ran.lines] == [
        (client, status, None)
        for client in ("urllib", "requests", "httpx", "httpx_http2", "aiohttp")
        for status in (200, 201, 204)
    ]
    assert Counter(services.lines()) == {
        "GET api.github.com/repos/acme/site?per_page=2": 5,
        "POST api.github.com/repos/acme/site/issues": 5,
        "DELETE api.github.com/repos/acme/site": 5,
    }
    assert {one.result for one in gate.decisions()} == {"executed"}
    assert "had you enforced, 5 of 15 would have been stopped" in ran.summary


def test_enforced_python_clients_read_the_sentence_in_their_exception(gate: Gate, services: LookAlikes):
    ran = gate.run(PYTHON, AGENTS / "http_calls.py", json.dumps([DELETE]), options=("--policy", gate.policy(NO_DELETES)))
    said = {one["client"]: one for one in ran.lines}
    assert {name: one["kind"] for name, one in said.items()} == {
        "urllib": "HTTPError",
        "requests": "HTTPError",
        "httpx": "HTTPStatusError",
        "httpx_http2": "HTTPStatusError",
        "aiohttp": "ClientResponseError",
    }
    assert [name for name, one in said.items() if TELL not in one["error"]] == []
    assert [(one.answer, one.line) for one in gate.decisions()] == [("block", "DELETE api.github.com/repos/acme/site")] * 5
    assert services.connections == 0


def test_node_fetch_reaches_what_is_allowed_and_reads_the_sentence(gate: Gate, services: LookAlikes):
    calls = json.dumps([READ, WRITE, DELETE])
    ran = gate.run("node", AGENTS / "fetch.mjs", calls, options=("--policy", gate.policy(NO_DELETES)))
    read, written, deleted = ran.lines
    assert (read.get("status"), written.get("status"), deleted.get("status")) == (200, 201, 403), ran.lines
    assert json.loads(deleted["text"])["message"] == TELL
    assert deleted["reason"] == TELL
    assert len(services.seen) == 2
    assert len(gate.decisions()) == 3


CURL = """
curl -sS https://api.github.com/repos/acme/site
curl -sS --http1.1 https://api.github.com/repos/acme/site
curl -sS http://plain.test/over/http
curl -sS --fail-with-body -X DELETE https://api.github.com/repos/acme/site
echo "code $?"
curl -sS -o /dev/null -w '%{http_code}\\n' --retry 3 -X DELETE https://api.github.com/repos/acme/site
"""


def test_curl_reaches_what_is_allowed_and_reads_the_sentence(gate: Gate, services: LookAlikes):
    ran = gate.run("sh", "-c", CURL, options=("--policy", gate.policy(NO_DELETES)))
    assert ran.stdout.count('"full_name": "acme/site"') == 2, (ran.stdout, ran.stderr)
    assert '{"ok": true}' in ran.stdout
    assert TELL in ran.stdout
    assert "code 22" in ran.stdout
    assert ran.stdout.endswith("403\n")
    assert services.lines() == ["GET api.github.com/repos/acme/site"] * 2 + ["GET plain.test/over/http"]
    assert [one.answer for one in gate.decisions()] == ["allow"] * 3 + ["block"] * 2


def test_a_refused_call_of_an_mcp_tool_is_answered_under_its_own_id(gate: Gate, services: LookAlikes):
    call = [
        "POST",
        "https://other.test/mcp",
        {"jsonrpc": "2.0", "id": "call-7", "method": "tools/call", "params": {"name": "drop"}},
    ]
    rule = f'{{id: no-tools, match: {{action: "mcp.*"}}, effect: block, tell: "{TELL}"}}'
    ran = gate.run(PYTHON, AGENTS / "http_calls.py", json.dumps([call]), "httpx", options=("--policy", gate.policy(rule)))
    ((said),) = ran.lines
    answer = json.loads(said["text"])
    assert (said["status"], answer["id"], answer["error"]["message"]) == (200, "call-7", TELL)
    assert services.connections == 0


def test_a_name_that_nobody_has_is_refused_and_recorded(gate: Gate, services: LookAlikes):
    ran = gate.run("curl", "-sS", "https://nobody.invalid/")
    assert json.loads(ran.stdout)["status"] == 502
    assert services.connections == 0


@pytest.mark.parametrize("target", ["https://api.github.com/%61?b=%2f&c=d+e", "https://api.github.com:443/x"])
def test_what_the_service_gets_is_what_was_decided(gate: Gate, services: LookAlikes, target: str):
    ran = gate.run("curl", "-sS", "-H", "Accept: x/y", "-H", "X-Two: 1", "-d", "a=b", target)
    assert ran.code == 0, ran.stderr
    (seen,) = services.seen
    (decided,) = gate.decisions()
    assert (seen.digest, seen.header("accept"), seen.header("x-two")) == (decided.sent, ["x/y"], ["1"])
    assert len(seen.content) == decided.outcome["sent"] == 3
    assert decided.outcome["body"].endswith(seen.body)
    assert [name for name, _ in seen.headers if name.lower().startswith(("proxy-", "outgate-"))] == []


def test_a_client_that_behaves_badly_disturbs_nobody_and_prints_nothing(gate: Gate, services: LookAlikes):
    ran = gate.run(PYTHON, AGENTS / "mess.py")
    assert ran.stdout.splitlines() == ["CERTIFICATE_VERIFY_FAILED", '{"ok": true}'], ran.stderr
    assert ran.own == ""
    assert "GET other.test/proper" in services.lines()
    assert {one.line for one in gate.decisions() if one.lets_out} <= {"POST other.test/half", "GET other.test/proper"}


@pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go here")
def test_go_streams_both_ways_leaves_and_reads_the_sentence(gate: Gate, services: LookAlikes, work: Path):
    build = ("go", "build", "-o", work / "calls", AGENTS / "calls.go")
    here = {"GOCACHE": str(work / "cache"), "GOFLAGS": "-p=2", "GO111MODULE": "off"}
    subprocess.run(build, env=gate.environment | here, check=True, timeout=100)
    ran = gate.run(work / "calls", "go", options=("--policy", gate.policy(NO_DELETES)))
    assert ran.stdout.splitlines() == [
        "heard 5", "whole true", "freed 200", f"403 {TELL}", "HTTP/1.1 200", "HTTP/1.1 200",
    ], ran.stderr  # fmt: skip


LARGE = """
python -c 'import httpx; print(httpx.Client(http1=False, http2=True).get("https://modern.test/plain").http_version)'
curl -sS --http2 -o /dev/null -w 'then %{http_version} %{http_code}\\n' https://modern.test/plain
curl -sS --http2 --data-binary @small https://modern.test/digest; echo
curl -sS --http1.1 --data-binary @large -H 'Transfer-Encoding: chunked' https://download.test/digest; echo
curl -sS --http2 -X DELETE https://modern.test/x | grep -c 'deleted by people'
curl -sSN --http2 "https://modern.test/events?stream=curl" | while read -r line; do
  case $line in data:*) echo "$line"; curl -sS -o /dev/null https://acks.test/curl;; esac
done
"""


def test_curl_uploads_fifty_megabytes_and_reads_events_in_either_version(gate: Gate, services: LookAlikes, work: Path):
    content = bytes(range(256)) * 4096 * 50
    (work / "large").write_bytes(content)
    (work / "small").write_bytes(content[: 5 << 20])
    ran = gate.run("bash", "-c", LARGE, options=("--policy", gate.policy(NO_DELETES)))
    small, large = (hashlib.sha256(sent).hexdigest() for sent in (content[: 5 << 20], content))
    assert ran.stdout.splitlines() == [
        "HTTP/2", "then 2 200", small, large, "1", *(f"data: event {n}" for n in range(1, 6)),
    ], ran.stderr  # fmt: skip
    assert {seen.version for seen in services.seen if seen.host == "modern.test"} == {"HTTP/2"}


def test_http2_without_tls_is_refused_and_recorded(gate: Gate, services: LookAlikes):
    ran = gate.run("curl", "-sS", "--proxytunnel", "--http2-prior-knowledge", "http://plain.test/x")
    assert ran.code != 0
    (decided,) = gate.decisions()
    assert (decided.answer, decided.fields["reason"], services.connections) == ("block", "unreadable", 0)
