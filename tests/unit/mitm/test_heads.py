"""Heads are split, and never understood more than they say."""

from __future__ import annotations

import pytest
from mitmproxy import http

from outgate.intake.request import Tunnel, Unreadable
from outgate.mitm import heads
from outgate.mitm.translate import received


def parsed(text: str) -> http.Request | Unreadable:
    return heads.parse_head(text.encode("latin-1"))


def test_a_head_keeps_every_line_as_it_came():
    found = parsed("GET /a?b HTTP/1.1\r\nHost: x\r\nX-Two:  a b \r\nx-two:c\r\n\r\n")
    assert isinstance(found, http.Request)
    data = found.data
    assert (data.method, data.scheme, data.authority, data.path, data.http_version) == (b"GET", b"", b"", b"/a?b", b"HTTP/1.1")
    assert data.headers.fields == ((b"Host", b"x"), (b"X-Two", b"a b"), (b"x-two", b"c"))
    assert (data.host, data.port) == ("", 0), "nothing may go by what mitmproxy would take for the destination"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("http://a.test:8080/x?y", (b"http", b"a.test:8080", b"/x?y")),
        ("HTTP://A.test", (b"http", b"A.test", b"")),
        ("http://a.test?x", (b"http", b"a.test", b"?x")),
        ("http://a.test#x", (b"http", b"a.test", b"#x")),
        ("/http://a.test/", (b"", b"", b"/http://a.test/")),
        ("*", (b"", b"", b"*")),
        ("a.test:443", (b"", b"", b"a.test:443")),
    ],
)
def test_a_target_is_split_where_a_url_is(target, said):
    found = parsed(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert isinstance(found, http.Request)
    assert (found.data.scheme, found.data.authority, found.data.path) == said


@pytest.mark.parametrize("data", [b"", b"G", b"GET", b"GET ", b"PROPFIND /", b"get /"])
def test_what_may_become_a_request_line_is_waited_for(data):
    assert heads.may_be_http(data)


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01", b"\x00", b"SSH-2.0-x\r\n", b"GET\r\n", b" GET", b"\r\n\r\n", b"A" * 40, b"USER;x"]
)
def test_what_can_not_is_not(data):
    assert not heads.may_be_http(data)


def sized(*fields: tuple[bytes, bytes], version: bytes = b"HTTP/1.1"):
    return heads.body_size(received(method=b"POST", scheme=b"", authority=b"", path=b"/", version=version, fields=fields))


def test_a_body_has_one_length():
    assert sized() == 0
    assert sized((b"content-LENGTH", b"12")) == 12
    assert sized((b"Transfer-Encoding", b"Chunked")) is None


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Content-Length", b"1"), (b"Content-Length", b"1")],
        [(b"Content-Length", b"1, 1")],
        [(b"Content-Length", b"+1")],
        [(b"Content-Length", b"01")],
        [(b"Content-Length", b"")],
        [(b"Content-Length", b"9" * 19)],
        [(b"Content-Length", "\u0661".encode())],
        [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"1")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"identity")],
    ],
)
def test_a_body_with_two_lengths_has_none(fields):
    assert isinstance(sized(*fields), Unreadable)


def test_chunks_are_for_http_1_1():
    assert isinstance(sized((b"Transfer-Encoding", b"chunked"), version=b"HTTP/1.0"), Unreadable)


def connect(target: str, *fields: tuple[bytes, bytes]):
    head = received(method=b"CONNECT", scheme=b"", authority=target.encode(), path=b"", version=b"HTTP/1.1", fields=fields)
    return heads.tunnel_of(head)


def test_a_tunnel_leads_to_one_host_and_port():
    assert connect("API.test.:443") == Tunnel(host=b"api.test", port=443, tls=False)
    assert connect("[2001:DB8::1]:8443") == Tunnel(host=b"2001:db8::1", port=8443, tls=False)


@pytest.mark.parametrize(
    "target", ["api.test", "api.test:0", "api.test:65536", ":443", "a b:443", "[api.test]:443", "127.1:443", "api.test:443/x"]
)
def test_a_tunnel_to_nowhere_is_none(target):
    assert isinstance(connect(target), Unreadable)


def test_a_tunnel_has_no_body():
    assert isinstance(connect("api.test:443", (b"Content-Length", b"1")), Unreadable)


@pytest.mark.parametrize(
    ("version", "connection", "ends"),
    [
        (b"HTTP/1.1", None, False),
        (b"HTTP/1.1", b"Close", True),
        (b"HTTP/1.1", b"x, close", True),
        (b"HTTP/1.1", b"keep-alive", False),
        (b"HTTP/1.0", None, True),
        (b"HTTP/1.0", b"Keep-Alive", False),
    ],
)
def test_a_connection_ends_where_its_sender_says(version, connection, ends):
    assert heads.closes(version, ((b"Connection", connection),) if connection else ()) is ends
