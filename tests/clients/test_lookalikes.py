"""The control: real programs are content with the look-alikes when no gate stands between."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from clients.everything import BLOCK
from clients.git_host import git
from clients.relay import Relay
from clients.under_gate import AGENTS
from clients.vendors import TOKENS

from outgate.digest import sent_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clients.git_host import GitHost
    from clients.lookalikes import LookAlikes

CALLS = json.dumps([
    ["GET", "https://api.github.com/repos/acme/site?per_page=2", None],
    ["POST", "https://api.github.com/repos/acme/site/issues", {"title": "x"}],
])  # fmt: skip


@pytest.fixture
def by_relay(services: LookAlikes, environment: dict[str, str], work: Path) -> Iterator[Callable[..., str]]:
    with Relay(services.address) as relay:

        def run(*command: object) -> str:
            env = environment | relay.environment(services.ca_file)
            done = subprocess.run(
                [str(c) for c in command], cwd=work, env=env, capture_output=True, text=True, timeout=90, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run
    assert services.malformed == []
    assert services.acks.missed == []


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_http_clients_of_python_and_node_read_their_answers(by_relay, services):
    said = lines(by_relay(sys.executable, AGENTS / "http_calls.py", CALLS)) + lines(by_relay("node", AGENTS / "fetch.mjs", CALLS))
    assert [one.get("status") for one in said] == [200, 201] * 6
    assert Counter(services.lines()) == {
        "GET api.github.com/repos/acme/site?per_page=2": 6,
        "POST api.github.com/repos/acme/site/issues": 6,
    }


def test_what_was_seen_is_exact(by_relay, services):
    by_relay("curl", "-sS", "https://other.test/a%2Fb?c=%64", "-H", "X-Mark: 1", "-d", "body")
    (seen,) = services.seen
    assert (seen.method, seen.host, seen.port, seen.target) == ("POST", "other.test", 443, "/a%2Fb?c=%64")
    assert seen.header("x-mark") == ["1"]
    assert seen.content == b"body"
    assert seen.digest == sent_digest(method="POST", scheme="https", host="other.test", port=443, target="/a%2Fb?c=%64")


def test_the_sdks_of_openai_and_anthropic_read_every_token(by_relay):
    said = lines(by_relay(sys.executable, AGENTS / "models.py", "control", "openai-chat", "openai-responses", "anthropic"))
    assert [one.get("tokens") for one in said] == [list(TOKENS)] * 3


def test_node_reads_every_event(by_relay):
    assert json.loads(by_relay("node", AGENTS / "fetch_stream.mjs", "control-node")) == [f"event {n}" for n in range(1, 6)]


def test_a_download_is_whole(by_relay):
    digest, length = by_relay(sys.executable, AGENTS / "download.py", 64, "control-download").split()
    assert (digest, int(length)) == (hashlib.sha256(BLOCK * 64).hexdigest(), 64 * len(BLOCK))


def test_git_clones_and_pushes(by_relay, git_host: GitHost, work: Path):
    bare = git_host.create("acme/control.git")
    by_relay("git", "clone", "-q", "https://github.com/acme/control.git")
    (work / "control" / "NEW").write_text("new\n")
    git("add", "NEW", at=work / "control")
    git("commit", "-q", "-m", "more", at=work / "control")
    by_relay("git", "-C", "control", "push", "-q", "origin", "HEAD:refs/heads/more")
    assert git("log", "--format=%s", "more", at=bare).split() == ["more", "begin"]


def test_pip_and_npm_install(by_relay, services, work: Path):
    by_relay(sys.executable, "-m", "pip", "install", "-q", "--target", "site", "acme-tiny")
    by_relay("npm", "install", "--silent", "acme-tiny")
    assert (work / "site" / "acme_tiny.py").exists()
    assert (work / "node_modules" / "acme-tiny" / "index.js").exists()
    assert services.lines("files.pythonhosted.org") == ["GET files.pythonhosted.org/packages/acme_tiny-1.0.0-py3-none-any.whl"]
