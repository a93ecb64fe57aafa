import subprocess

import pytest
from sandboxed import to_mock

from outgate.mock.protocols.git import NOTHING, answer

OLD, NEW = "0" * 40, "a" * 40


def line(text):
    return f"{len(text) + 4:04x}{text}".encode()


def push(*refs, able="report-status side-band-64k"):
    commands = [f"{OLD} {NEW} {ref}" for ref in refs]
    body = line(f"{commands[0]}\0 {able}\n") + b"".join(line(c) for c in commands[1:]) + b"0000PACK..."
    return answer(to_mock("POST /acme/site.git/git-receive-pack", body=body))


def test_each_ref_that_is_pushed_is_taken():
    taken = push("refs/heads/main", "refs/tags/v1")
    assert taken.kind == "application/x-git-receive-pack-result"
    assert b"ok refs/heads/main\n" in taken.body
    assert b"ok refs/tags/v1\n" in taken.body
    assert NOTHING.encode() in taken.body


def test_a_client_that_wants_no_report_gets_none():
    assert push("refs/heads/main", able="ofs-delta").body == b"0000"
    assert push("refs/heads/main", able="report-status").body.startswith(line("unpack ok\n"))


def test_what_is_no_push_is_not_taken_for_one():
    assert b"ok refs" not in answer(to_mock("POST /x/git-receive-pack", body=b"zzzz")).body
    assert b"ok refs" not in answer(to_mock("POST /x/git-receive-pack", body=b"ffffx")).body


def test_there_is_nothing_to_fetch():
    assert NOTHING.encode() in answer(to_mock("POST /x/git-upload-pack")).body


@pytest.mark.parametrize("service", ["git-receive-pack", "git-upload-pack"])
def test_a_repository_without_refs_is_offered(service):
    offered = answer(to_mock(f"GET /x/info/refs?service={service}"))
    assert offered.kind == f"application/x-{service}-advertisement"
    assert offered.body.startswith(line(f"# service={service}\n") + b"0000")
    assert b"capabilities^{}" in offered.body


def test_what_is_not_git_is_somebody_elses():
    assert answer(to_mock("GET /x/info/refs")) is None
    assert answer(to_mock("POST /x")) is None


def test_git_itself_takes_the_answer(tmp_path):
    """With git's own client, over a port that gives these answers."""
    from threading import Thread

    server = _served()
    Thread(target=server.serve_forever, daemon=True).start()
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.test"]

    def git(*words):
        return subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True)

    git("init", "-q", "-b", "main")
    git(*who, "commit", "-q", "--allow-empty", "-m", "x")
    try:
        done = git("push", f"http://127.0.0.1:{server.server_port}/a.git", "main")
    finally:
        server.shutdown()
        server.server_close()
    assert "[new branch]" in done.stderr
    assert NOTHING in done.stderr


def _served():
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            made = answer(to_mock(f"{self.command} {self.path}", body=body))
            self.send_response(made.status)
            for name, value in made.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(made.body)

        do_POST = do_GET  # noqa: N815  # its name is how it is found

        def log_message(self, *_):
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)
