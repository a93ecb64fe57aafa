"""Streams of every kind: what is sent arrives before what comes after it, whole, both ways, many at once."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from clients.everything import BLOCK, MODERN, TOGETHER
from clients.under_gate import AGENTS, PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "Not from here. Ask ops@acme.example."


def test_node_reads_events_as_they_come(gate: Gate):
    ran = gate.run("node", AGENTS / "fetch_stream.mjs", "run-node")
    assert ran.lines == [[f"event {n}" for n in range(1, 6)]], (ran.stdout, ran.stderr)


def test_a_large_download_begins_before_it_ends_and_is_whole(gate: Gate):
    blocks = 512
    ran = gate.run(PYTHON, AGENTS / "download.py", blocks, "run-download")
    assert ran.stdout.split() == [hashlib.sha256(BLOCK * blocks).hexdigest(), str(blocks * len(BLOCK))], ran.stderr
    download = next(one for one in gate.decisions() if "download.test" in one.line)
    assert download.outcome["received"] == blocks * len(BLOCK)


def test_a_client_that_leaves_a_stream_leaves_a_record(gate: Gate, services: LookAlikes):
    ran = gate.run("sh", "-c", "curl -sSN 'https://download.test/events' | head -n 2; curl -sS https://other.test/after")
    assert "id: 1" in ran.stdout
    assert json.loads(ran.stdout.splitlines()[-1]) == {"ok": True}
    assert len(services.seen) == len(gate.decisions()) == 2


def test_an_upload_arrives_whole(gate: Gate, services: LookAlikes, work: Path):
    content = BLOCK * 32
    (work / "large").write_bytes(content)
    ran = gate.run("curl", "-sS", "-T", "large", "https://download.test/put")
    assert ran.code == 0, ran.stderr
    (seen,), (decided,) = services.seen, gate.decisions()
    assert seen.content == content
    assert (decided.outcome["sent"], decided.outcome["body"]) == (len(content), f"sha256:{seen.body}")


def test_many_at_once_wait_for_each_other(gate: Gate):
    """The service answers none before all have come: a pool that is capped below their number would never end."""
    ran = gate.run(PYTHON, AGENTS / "together.py", TOGETHER)
    assert ran.lines == [[200] * TOGETHER], (ran.stdout, ran.stderr)


AGAIN = """
import requests
with requests.Session() as session, requests.Session() as other:
    def ask():
        status = session.post("https://download.test/hang-up?stream=hung", json={}, timeout=30).status_code
        other.get("https://modern.test/freed?stream=hung", timeout=30)
        return status
    print([ask() for _ in range(8)])
"""


def test_an_upstream_that_hangs_up_between_requests_costs_none(gate: Gate, services: LookAlikes):
    """The client keeps its connection; each request is sent once, on a connection that is there."""
    ran = gate.run(PYTHON, "-c", AGAIN)
    assert ran.lines == [[200] * 8], ran.stderr
    assert services.lines("download.test") == ["POST download.test/hang-up?stream=hung"] * 8


def test_a_client_of_http2_alone_is_served_refused_and_streamed_to_on_one_connection(gate: Gate, services: LookAlikes):
    rule = f'{{id: no-deletes, match: {{method: DELETE}}, effect: block, tell: "{TELL}"}}'
    ran = gate.run("node", AGENTS / "http2_only.mjs", "run-http2", options=("--policy", gate.policy(rule)))
    ((plain, deleted, events),) = ran.lines
    assert (plain["status"], events["status"], deleted["status"]) == (200, 200, 403)
    assert json.loads(deleted["text"])["message"] == TELL
    assert events["text"].count("data: event") == 5
    assert {(seen.host, seen.version) for seen in services.seen} == {(MODERN, "HTTP/2")}
    assert len(services.seen) == len(gate.decisions()) - 1 == 2 + 5


def test_a_websocket_is_decided_by_its_handshake_and_then_relayed(gate: Gate, services: LookAlikes):
    rule = f'{{id: no-talk, when: request.path == "/secret", effect: block, tell: "{TELL}"}}'
    both = f"python {AGENTS}/talk.py wss://echo.test/open; python {AGENTS}/talk.py wss://echo.test/secret"
    ran = gate.run("sh", "-c", both, options=("--policy", gate.policy(rule)))
    talked, refused = ran.lines
    assert talked == ["one", "two" * 100]
    assert (refused["status"], refused["decision"]) == (403, "block")  # aiohttp keeps no more of a refused handshake
    assert services.lines() == ["GET echo.test/open"]


def test_pythons_clients_stream_both_ways_and_who_leaves_frees_the_service(gate: Gate):
    """Each event waits for the one before; a body without a length arrives whole; an answer nobody reads ends at its source."""
    clients = ("requests", "httpx", "urllib3", "aiohttp")
    ran = gate.run(PYTHON, AGENTS / "http_streams.py", "run-python", *clients)
    assert ran.code == 0, ran.stderr
    assert ran.lines == [[client, [f"event {n}" for n in range(1, 6)], True, 200] for client in clients]
    left = [one for one in gate.decisions() if "/endless" in one.line]
    assert [one.result for one in left] == ["unknown"] * len(clients)


def test_the_websockets_library_says_much_and_large_and_reads_why_it_may_not(gate: Gate, services: LookAlikes):
    rule = f'{{id: no-talk, when: request.path == "/secret", effect: block, tell: "{TELL}"}}'
    ran = gate.run(PYTHON, AGENTS / "websockets_talk.py", "talks", "many", "refused", options=("--policy", gate.policy(rule)))
    assert ran.code == 0, ran.stderr
    talked, many, refused = ran.lines
    assert talked == [True, True, True, True, "in three pieces", "after", True, 4321]
    assert (many, refused) == (10, [403, TELL])
    assert services.lines() == ["GET echo.test/open"] + ["GET echo.test/many"] * 10
