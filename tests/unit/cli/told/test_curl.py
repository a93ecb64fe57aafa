"""What explain reads of a curl command is what curl sends: both are held against each other, curl over loopback."""

import re
import shlex
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from outgate.cli.told.curl import MOST, read_curl
from outgate.cli.told.curl_form import BOUNDARY
from outgate.cli.told.shell import is_curl
from outgate.intake.request import WholeBody


def nothing(name):
    raise FileNotFoundError(2, "No such file", name)


def read(line, files=nothing):
    (one,) = read_curl(line, files)
    return one


def said(call):
    """Method, target, headers and body, as they would stand on the wire; what is each curl's own is left out."""
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in call.raw.headers}
    body = call.body.content if isinstance(call.body, WholeBody) else b""
    return call.raw.method.decode(), call.raw.target.decode(), plain(headers), body


def plain(headers):
    kept = {
        name: value
        for name, value in headers.items()
        if name not in {"user-agent", "accept-encoding", "expect"} or value in {"me", ""}
    }
    if kept.get("content-length") == "0":
        del kept["content-length"]
    return kept


class Server:
    """Takes one request, keeps its bytes, answers 200."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.seen = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        self._socket.settimeout(20)
        connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(20)
            while not self._is_whole():
                self.seen += connection.recv(65536)
                if b"100-continue" in self.seen and not self._is_whole():
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def _is_whole(self):
        head, end, body = self.seen.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return bool(end) and len(body) >= int(length[1] if length else 0)

    def request(self):
        self._thread.join(20)
        self._socket.close()
        head, _, body = self.seen.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ")
        own = re.search(r"boundary=([^;]+)", headers.get("content-type", ""))
        if own:
            body = body.replace(own[1].encode(), BOUNDARY.encode())
            headers["content-type"] = headers["content-type"].replace(own[1], BOUNDARY)
            headers["content-length"] = str(len(body))
        return method, target, plain(headers), body


LINES = [
    "curl URL",
    "curl URL/a/../b/./c?x=1#part",
    "curl --path-as-is URL/a/../b",
    "curl URL/a/b/..",
    "curl -sSL -X DELETE URL/repos/a/b",
    "curl -XPOST URL",
    "curl -d a=1 -d b=2 URL",
    "curl --data-raw @a URL -H 'Content-Type: text/plain'",
    "curl -d @data.txt URL",
    "curl --data-binary @data.txt URL",
    "curl --data-urlencode 'a b' --data-urlencode '=c d' --data-urlencode 'e=f g&h' --data-urlencode n@data.txt --data-urlencode @data.txt URL",
    "curl -G -d a=1 --data-urlencode 'q=x y' URL/s?z=0",
    "curl -G -I -d a=1 URL",
    "curl --json '{\"a\": 1}' URL",
    "curl --json '{\"a\":' --json '1}' -H 'Accept: x/y' URL",
    "curl -u alice:secret URL",
    "curl -u 'alice:' URL",
    "curl --oauth2-bearer t0ken URL",
    "curl -H 'X-A: 1' -H 'X-B;' -H 'Accept:' -H 'X-C:' URL",
    "curl -H 'Host: other.example' URL/x",
    "curl -A me -e https://from.example -b 'a=1; b=2' -r 0-9 URL",
    "curl -A '' URL",
    "curl -T data.txt URL/up/",
    "curl -T data.txt URL/up/name",
    "curl -F a=1 -F 'b=x;type=text/plain' -F f=@data.txt -F 'g=@data.txt;filename=n.png;type=image/x' -F 'h=<data.txt' URL",
    "curl --form-string 'a=@b;c' URL",
    "curl -X PUT --data-binary $'a\\tb\\x21\\'' URL",
    'curl -d "{\\"a\\": \\"b\\"}" -H "Content-Type: application/json" URL',
    "curl --url-query 'a=b c' URL/x",
    "curl --compressed -s -o /dev/null URL",
    "curl URL/%41%2f%20",
    "curl 'URL/a|b?c={d}' -g",
    "curl -X PATCH URL -d ''",
    "curl URL -d a=1 -X GET",
    "curl --head URL",
]


@pytest.mark.parametrize("line", LINES)
def test_it_is_what_curl_sends(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.txt").write_bytes(b"one\r\ntwo & three\n")
    server = Server()
    typed = line.replace("URL", f"http://127.0.0.1:{server.port}")
    script = typed.replace("curl ", "curl --disable --noproxy '*' --max-time 20 ", 1)
    subprocess.run(["bash", "-c", script], check=False, capture_output=True, timeout=60)
    arrived = server.request()
    assert said(read(typed, lambda name: Path(name).read_bytes())) == arrived


def test_a_login_in_the_url_is_sent_as_one_and_is_not_in_the_target():
    call = read("curl https://alice:p%40ss@api.acme.example/x")
    assert dict(call.raw.headers)[b"Authorization"] == b"Basic YWxpY2U6cEBzcw=="
    assert (call.raw.target, call.raw.tunnel.host) == (b"/x", b"api.acme.example")


def test_several_requests_of_one_command_are_several():
    calls = read_curl("curl https://a.test/1 https://b.test/2 --next -d x https://c.test/", nothing)
    assert [(call.raw.method, call.raw.tunnel.host) for call in calls] == [
        (b"GET", b"a.test"),
        (b"GET", b"b.test"),
        (b"POST", b"c.test"),
    ]


def test_a_scheme_that_is_not_said_is_http():
    assert read("curl api.acme.example/x").raw.scheme == b"http"
    assert read("curl --proto-default https api.acme.example").raw.scheme == b"https"


@pytest.mark.parametrize("line", ["curl x", "  $ curl x", "/usr/bin/curl x", "curl.exe x"])
def test_a_curl_command_is_known_as_one(line):
    assert is_curl(line)


@pytest.mark.parametrize("line", ["", "GET https://a.test", "wget x", "mycurl x"])
def test_another_line_is_none(line):
    assert not is_curl(line)
    with pytest.raises(ValueError, match="no curl command"):
        read_curl(line, nothing)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("curl", "has no URL"),
        ("curl -X", "-X needs a word after it"),
        ("curl --frobnicate https://a.test", "--frobnicate is no option of curl that is known here"),
        ("curl -K file https://a.test", "more options stand in another file"),
        ("curl -n https://a.test", "a password stands in another file"),
        ("curl -H @file https://a.test", "write the headers out"),
        ("curl -H nonsense https://a.test", "is no header"),
        ("curl -b jar https://a.test", "cookies stand in it"),
        ("curl -d @missing https://a.test", "missing can't be read: No such file"),
        ("curl -F f=@missing https://a.test", "missing can't be read: No such file"),
        ("curl -F 'f=@a,b' https://a.test", "say them one by one"),
        ("curl -F x https://a.test", "-F is written name=value"),
        ("curl -d a -F b=c https://a.test", "not several"),
        ("curl 'https://a.test/[1-9]'", "say one, or add -g"),
        ("curl 'https://{a,b}.test/'", "say one, or add -g"),
        ("curl https://a.test/?a=1&b=2", "put the URL in quotes"),
        ("curl 'https://a.test", "a quote is open"),
        ("curl https://[a", "is no URL"),
        ("curl ftp://a.test/x", "is no call"),
        ("curl " + "https://a.test " * (MOST + 1), "more than 64 requests"),
    ],
)
def test_what_can_not_be_told_is_said(line, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        read_curl(line, nothing)


def test_every_line_above_is_one_that_a_shell_reads():
    assert all(shlex.split(line)[0] == "curl" for line in LINES if "$'" not in line)
