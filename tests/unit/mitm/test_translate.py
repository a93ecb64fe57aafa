"""What is sent is what was decided, framed by us; what is given back can be read in one way."""

from __future__ import annotations

import base64

import pytest
from mitmproxy import http

from outgate.answer.reply import Reply
from outgate.intake.request import NoBody, Request, UnreadBody, WholeBody
from outgate.mitm import translate
from outgate.ports import Pin

PIN = Pin(name="api.test", port=443, address="127.0.0.1", address_port=9443)
ASKED = translate.received(method=b"GET", scheme=b"", authority=b"", path=b"/", version=b"HTTP/1.1", fields=())
ASKED_H2 = translate.received(method=b"GET", scheme=b"https", authority=b"api.test", path=b"/", version=b"HTTP/2.0", fields=())


def request(method: str = "POST", *headers: tuple[str, str], **said) -> Request:
    return Request(
        **{
            "method": method,
            "scheme": "https",
            "host": "api.test",
            "port": 443,
            "path": "/a",
            "query": "b=1",
            "headers": headers,
            **said,
        }
    )


def sent(asked: Request, body, *, http2: bool = False, pin: Pin = PIN, credentials=()):
    return translate.outgoing(asked, body, pin, credentials, http2=http2).data


def test_a_request_is_written_as_it_was_decided():
    data = sent(request("POST", ("x-a", "1"), ("x-a", "2")), NoBody())
    assert (data.method, data.authority, data.path, data.http_version) == (b"POST", b"", b"/a?b=1", b"HTTP/1.1")
    assert data.headers.fields == ((b"host", b"api.test"), (b"x-a", b"1"), (b"x-a", b"2"), (b"content-length", b"0"))


def test_in_http2_the_authority_is_the_host():
    data = sent(request("GET", ("te", "trailers"), version="HTTP/2.0"), NoBody(), http2=True)
    assert (data.scheme, data.authority, data.http_version) == (b"https", b"api.test", b"HTTP/2.0")
    assert data.headers.fields == ((b"te", b"trailers"),)


@pytest.mark.parametrize(
    ("body", "http2", "framing"),
    [
        (WholeBody(b"abc"), False, (b"content-length", b"3")),
        (WholeBody(b"abc"), True, (b"content-length", b"3")),
        (UnreadBody(7), False, (b"content-length", b"7")),
        (UnreadBody(0), False, (b"content-length", b"0")),
        (UnreadBody(), False, (b"transfer-encoding", b"chunked")),
        (UnreadBody(), True, None),
    ],
)
def test_a_body_is_framed_by_us_whatever_the_client_said(body, http2, framing):
    fields = sent(request("PUT", ("content-length", "999")), body, http2=http2).headers.fields
    found = [field for field in fields if field[0] in {b"content-length", b"transfer-encoding"}]
    assert found == ([framing] if framing else [])


def test_a_request_that_never_has_a_body_declares_none():
    assert sent(request("GET"), NoBody()).headers.fields == ((b"host", b"api.test"),)


def test_a_websocket_is_asked_for_without_extensions():
    data = sent(request("GET", ("sec-websocket-key", "k"), ("sec-websocket-extensions", "x"), websocket=True), NoBody())
    assert data.headers.fields == (
        (b"host", b"api.test"),
        (b"sec-websocket-key", b"k"),
        (b"connection", b"Upgrade"),
        (b"upgrade", b"websocket"),
    )


def test_towards_a_proxy_a_plain_request_is_absolute():
    via = Pin(name="api.test", port=80, address="127.0.0.1", address_port=3128, via="http://proxy.test:3128")
    data = sent(request("GET", scheme="http", port=80), NoBody(), pin=via, credentials=[(b"proxy-authorization", b"Basic x")])
    assert (data.scheme, data.authority) == (b"http", b"api.test")
    assert (b"proxy-authorization", b"Basic x") in data.headers.fields


def test_credentials_are_those_known_or_those_in_the_url():
    assert translate.proxy_credentials("http://proxy.test:3128", "") == []
    assert translate.proxy_credentials("http://proxy.test", "a:b") == [
        (b"proxy-authorization", b"Basic " + base64.b64encode(b"a:b"))
    ]
    assert translate.proxy_credentials("http://a%40b:p%3A@proxy.test", "") == [
        (b"proxy-authorization", b"Basic " + base64.b64encode(b"a@b:p:"))
    ]


def answer(*fields: tuple[bytes, bytes], status: int = 200, version: bytes = b"HTTP/1.1") -> http.Response:
    return http.Response(version, status, b"OK", http.Headers(fields), None, None, 0.0, None)


def test_an_answer_loses_what_was_for_one_connection():
    fields = (
        *(
            (b"Connection", b"close, X-Hop"),
            (b"X-Hop", b"1"),
            (b"Keep-Alive", b"1"),
            (b"Alt-Svc", b"h3"),
            (b"Outgate-Receipt", b"x"),
        ),
        *((b"Content-Length", b"0"), (b"X-Kept", b"1")),
    )
    kept = translate.answer_response(answer(*fields), ASKED, ended=True).headers.fields
    assert kept == ((b"Content-Length", b"0"), (b"X-Kept", b"1"))


@pytest.mark.parametrize(
    ("asked", "ended", "status", "framing"),
    [
        (ASKED, False, 200, (b"transfer-encoding", b"chunked")),
        (ASKED, True, 200, (b"content-length", b"0")),
        (ASKED, True, 204, None),
        (ASKED, True, 304, None),
        (ASKED_H2, False, 200, None),
    ],
)
def test_an_answer_without_a_length_gets_an_end(asked, ended, status, framing):
    fields = translate.answer_response(answer(status=status), asked, ended=ended).headers.fields
    assert fields == ((framing,) if framing else ())


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Bad Name", b"x")],
        [(b"", b"x")],
        [(b"X", b"a\r\nSet-Cookie: b")],
        [(b"X", b"a\0")],
        [(b"Content-Length", b"1"), (b"content-length", b"1")],
        [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"gzip")],
    ],
)
def test_an_answer_with_two_readings_is_not_passed_on(fields):
    with pytest.raises(translate.BadAnswerError):
        translate.answer_response(answer(*fields), ASKED, ended=False)


def test_our_answer_has_its_length_and_its_reason():
    reply = Reply(status=403, headers=(("Content-Type", "text/plain"),), body=b"no", reason="Not you")
    response, body = translate.reply_response(reply, ASKED, close=True)
    assert (response.status_code, response.data.reason, body) == (403, b"Not you", b"no")
    assert response.headers.fields == ((b"Content-Type", b"text/plain"), (b"content-length", b"2"), (b"connection", b"close"))


def test_our_answer_in_http2_is_lower_case():
    response, _ = translate.reply_response(
        Reply(status=403, headers=(("Content-Type", "text/plain"),), body=b"no"), ASKED_H2, close=True
    )
    assert response.headers.fields == ((b"content-type", b"text/plain"), (b"content-length", b"2"))


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([(b"Content-Length", b"7")], 7),
        ([], None),
        ([(b"content-length", b"1"), (b"content-length", b"1")], None),
        ([(b"content-length", b"x")], None),
    ],
)
def test_a_declared_length_is_one_number(fields, length):
    assert translate.declared_length(tuple(fields)) == length
