"""What people and models read of a refusal: real clients against a loopback server that answers with our replies alone."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import anthropic
import httpx
import openai
import pytest
import requests

from outgate.answer.render import render
from outgate.answer.reply import Refusal
from outgate.intake.request import NoBody, Request, WholeBody

TELL = "Repositories are deleted by people. Ask ops@acme.example."
BIN = Path(sys.executable).parent
ADVERTISED = b"report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta object-format=sha1"


class Refuser(ThreadingHTTPServer):
    """Refuses everything that `unless` doesn't answer, as though it had been sent to `host`."""

    daemon_threads = True

    def __init__(self, host, status, unless):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host, self.status, self.unless, self.seen = host, status, unless, []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.server.seen.append((self.command, self.path))
        body = self.whole_body()
        given = self.server.unless(self)
        if given is None:
            reply = render(self.refusal(), self.request_read(body))
            self.send_response(reply.status, reply.reason or None)
            given = reply.headers, reply.body
        else:
            self.send_response(200)
        headers, content = given
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def refusal(self):
        return Refusal(status=self.server.status, answer="block", kind="blocked", tell=TELL, receipt="w1-7")

    def request_read(self, body):
        path, mark, query = self.path.partition("?")
        headers = tuple((name.lower(), value) for name, value in self.headers.items() if name.lower() != "host")
        return Request(
            method=self.command,
            scheme="https",
            host=self.server.host,
            port=443,
            path=path,
            query=query if mark else None,
            headers=headers,
            body=WholeBody(body) if body else NoBody(),
        )

    def whole_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *args):
        pass

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815  # the server's own names


@pytest.fixture
def refuse():
    """Start a server that refuses; give it."""
    servers = []

    def start(host="api.test", status=403, unless=lambda handler: None):
        server = Refuser(host, status, unless)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """An environment without proxies, indexes or tokens of this machine's."""
    for name in list(os.environ):
        if re.search(r"(?i)proxy|^(pip|npm|uv|openai|anthropic|git)_", name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    return tmp_path


def through_requests(url):
    requests.delete(f"{url}/repos/a/b", timeout=10).raise_for_status()


def through_httpx(url):
    httpx.delete(f"{url}/repos/a/b").raise_for_status()


def through_urllib(url):
    urllib.request.urlopen(urllib.request.Request(f"{url}/repos/a/b", method="DELETE"), timeout=10)


def through_aiohttp(url):
    async def go():
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.delete(f"{url}/repos/a/b"):
            pass

    asyncio.run(go())


def through_openai(url):
    openai.OpenAI(api_key="sk-none", base_url=f"{url}/v1").chat.completions.create(model="m", messages=[])


def through_openai_stream(url):
    openai.OpenAI(api_key="sk-none", base_url=f"{url}/v1").responses.create(model="m", input="x", stream=True)


def through_anthropic(url):
    anthropic.Anthropic(api_key="sk-none", base_url=url).messages.create(model="m", max_tokens=1, messages=[])


def through_anthropic_stream(url):
    with anthropic.Anthropic(api_key="sk-none", base_url=url).messages.stream(model="m", max_tokens=1, messages=[]):
        pass


CLIENTS = [
    (through_requests, "api.github.com", requests.HTTPError),
    (through_httpx, "api.github.com", httpx.HTTPStatusError),
    (through_urllib, "api.github.com", urllib.error.HTTPError),
    (through_aiohttp, "api.github.com", aiohttp.ClientResponseError),
    (through_openai, "api.openai.com", openai.APIStatusError),
    (through_openai_stream, "api.openai.com", openai.APIStatusError),
    (through_anthropic, "api.anthropic.com", anthropic.APIStatusError),
    (through_anthropic_stream, "api.anthropic.com", anthropic.APIStatusError),
]


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize(("through", "host", "error"), CLIENTS)
def test_the_sentence_is_in_the_exception_after_one_request(clean, refuse, through, host, error, status):
    server = refuse(host, status)
    with pytest.raises(error, match=re.escape(TELL)):
        through(server.url)
    assert len(server.seen) == 1


def test_openai_and_anthropic_see_what_kind_of_error_it_is(clean, refuse):
    with pytest.raises(openai.PermissionDeniedError) as by_openai:
        through_openai(refuse("api.openai.com").url)
    with pytest.raises(anthropic.PermissionDeniedError) as by_anthropic:
        through_anthropic(refuse("api.anthropic.com").url)
    assert by_openai.value.code == "blocked"
    assert by_anthropic.value.body["error"]["type"] == "permission_error"


def test_a_head_request_ends_where_the_next_begins(clean, refuse):
    server = refuse()
    with requests.Session() as session:
        first, second = session.head(server.url), session.get(server.url)
    assert (first.status_code, first.content, second.status_code, second.json()["detail"]) == (403, b"", 403, TELL)


def ran(*command, folder):
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout + done.stderr


def packet(data):
    return b"%04x%s" % (len(data) + 4, data)


def receives(handler):
    """Advertise a repository that can be pushed to; say nothing of the push itself."""
    if handler.command != "GET":
        return None
    refs = packet(b"1" * 40 + b" refs/heads/old\0" + ADVERTISED + b"\n")
    return [("Content-Type", "application/x-git-receive-pack-advertisement")], packet(
        b"# service=git-receive-pack\n"
    ) + b"0000" + refs + b"0000"


def uploads(handler):
    """Advertise protocol version 2; say nothing of what is asked with it."""
    if handler.command != "GET":
        return None
    lines = packet(b"version 2\n") + packet(b"ls-refs=unborn\n") + packet(b"fetch=shallow\n") + b"0000"
    return [("Content-Type", "application/x-git-upload-pack-advertisement")], packet(
        b"# service=git-upload-pack\n"
    ) + b"0000" + lines


@pytest.fixture
def repository(clean):
    folder = clean / "repository"
    author = ("-c", "user.name=A", "-c", "user.email=a@acme.example")
    ran("git", "init", "-q", "-b", "main", folder, folder=clean)
    ran("git", *author, "commit", "-q", "--allow-empty", "-m", "First", folder=folder)
    return folder


def test_git_clone_shows_the_sentence(clean, refuse):
    server = refuse("github.com")
    code, said = ran("git", "clone", f"{server.url}/o/r.git", folder=clean)
    assert (code, f"remote: {TELL}" in said, len(server.seen)) == (128, True, 1)


def test_git_fetch_shows_the_sentence_where_only_the_post_is_refused(clean, refuse):
    server = refuse("github.com", unless=uploads)
    code, said = ran("git", "ls-remote", f"{server.url}/o/r.git", folder=clean)
    assert (code, f"remote error: {TELL}" in said, len(server.seen)) == (128, True, 2)


@pytest.mark.parametrize("refspecs", [["main"], [":old"], ["main:a", "main:b"]])
def test_git_push_rejects_every_ref_with_the_sentence(repository, refuse, refspecs):
    server = refuse("github.com", unless=receives)
    code, said = ran("git", "push", f"{server.url}/o/r.git", *refspecs, folder=repository)
    assert (code, said.count(f"({TELL})"), len(server.seen)) == (1, len(refspecs), 2)
    assert "up-to-date" not in said


def test_npm_shows_the_sentence(clean, refuse):
    server = refuse("registry.npmjs.org")
    code, said = ran(
        BIN / "npm", "view", "left-pad", "--registry", server.url, "--cache", clean / "npm", "--no-update-notifier", folder=clean
    )
    assert (code, TELL in said, len(server.seen)) == (1, True, 1)


def pip(server, folder, *what):
    quiet = ("--isolated", "--no-cache-dir", "--disable-pip-version-check", "--no-input")
    code, said = ran(
        sys.executable, "-m", "pip", *quiet, "download", "--no-deps", "--index-url", f"{server.url}/simple", *what, folder=folder
    )
    return code, TELL in " ".join(said.split()), len(server.seen)


def test_pip_shows_the_sentence_where_a_file_is_refused(clean, refuse):
    server = refuse("files.pythonhosted.org")
    assert pip(server, clean, f"{server.url}/left_pad-1.0-py3-none-any.whl") == (1, True, 1)


def test_pip_shows_the_sentence_of_a_refused_index_only_when_asked_for_details(clean, refuse):
    assert pip(refuse("pypi.org"), clean, "left-pad") == (1, False, 1)
    assert pip(refuse("pypi.org"), clean, "left-pad", "-vv") == (1, True, 1)
