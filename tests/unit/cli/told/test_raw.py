import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.cli.told.raw import read_raw
from outgate.intake.reading import read
from outgate.intake.request import NoBody, Request, Unreadable, WholeBody


def test_a_request_is_read_as_it_stands():
    call = read_raw(b"POST /v1/x?y HTTP/1.1\r\nHost: api.test:8443\r\nX-A:  b \r\nContent-Length: 3\r\n\r\nabc")
    request = read(call.raw)
    assert isinstance(request, Request)
    assert (request.method, request.scheme, request.host, request.port, request.target) == (
        "POST",
        "https",
        "api.test",
        8443,
        "/v1/x?y",
    )
    assert call.body == WholeBody(b"abc")


def test_line_ends_of_an_editor_are_taken_too():
    call = read_raw(b"\nGET / HTTP/1.1\nHost: a.test\n\n\n")
    assert (call.raw.headers, call.body) == (((b"Host", b"a.test"),), NoBody())
    assert read_raw(b"GET / HTTP/1.1\nHost: a.test").body == NoBody()
    assert read_raw(b"PUT / HTTP/1.1\nHost: a.test\nContent-Length: 1\n\na\n").body == WholeBody(b"a")


def test_a_target_may_say_where_it_goes():
    request = read(read_raw(b"GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n").raw)
    assert isinstance(request, Request)
    assert (request.scheme, request.path) == ("http", "/x")
    assert read_raw(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", scheme="http").raw.scheme == b"http"


def test_chunks_are_put_together():
    call = read_raw(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert call.body == WholeBody(b"abcde")


def test_what_has_two_readings_is_left_for_the_gate_to_refuse():
    assert isinstance(read(read_raw(b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n").raw), Unreadable)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "this is no request"),
        (b"hello\r\n\r\n", "this is no request"),
        (b"GET / HTTP/2\r\nHost: a\r\n\r\n", "this is no request"),
        (b"GET / HTTP/1.1\r\n\r\n", "no Host header"),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\n folded\r\n\r\n", "is no header"),
        (b"GET / HTTP/1.1\r\nHost\r\n\r\n", "is no header"),
        (b"GET / HTTP/1.1\r\nHost: a.test:99999\r\n\r\n", "names no host"),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nabc", "add Content-Length"),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc", "Content-Length says 9, and 3 bytes follow"),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nabc", "more than one request"),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc", "don't end as they should"),
    ],
)
def test_what_is_no_request_is_told(content, said):
    with pytest.raises(ValueError, match=said):
        read_raw(content)


@given(
    st.binary(max_size=80)
    | st.lists(
        st.sampled_from(
            [
                b"GET / HTTP/1.1\r\n",
                b"Host: a\r\n",
                b"\r\n",
                b"Content-Length: 1\r\n",
                b"a",
                b"Transfer-Encoding: chunked\r\n",
                b"1\r\n",
            ]
        ),
        max_size=9,
    ).map(b"".join)
)
def test_any_bytes_are_read_or_refused_with_a_sentence(content):
    said = "it is read"
    try:
        read_raw(content)
    except ValueError as error:
        said = str(error)
    assert said
