"""What is looked at once in a head is seen as whoever looks at each line would see it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.net.http import http1

from outgate.intake.request import Unreadable
from outgate.mitm.heads import END_OF_HEAD, parse_head, request_head
from outgate.mitm.http1 import _answer_size
from outgate.mitm.translate import received

ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b""]
WORDS = [b"Host: x", b"A:", b"B: c", b" folded", b"\x00", b"\x0b", b"\x85", b"\x0c", b"X: \x1c", b"Content-Length: 1"]
pieces = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(ENDS)), max_size=6)


@given(pieces, st.sampled_from([b"\r\n\r\n", b"\n\n", b"\n\r\n", b"\r\n\n"]))
@example([(b"A: b", b"\r"), (b"C: d", b"\r\n")], b"\r\n\r\n")
@example([(b"A: b", b"\n"), (b"C: d", b"\r\n")], b"\r\n\r\n")
def test_a_line_that_ends_in_anything_but_cr_lf_is_never_read(said, end):
    """CR and LF are as many as CR LF: so is there none besides."""
    data = b"GET / HTTP/1.1\r\n" + b"".join(word + ending for word, ending in said)
    data = (data.removesuffix(b"\r\n") if end.startswith(b"\r\n") else data) + end
    found = END_OF_HEAD.search(data)
    assert found is not None
    head = data[: found.end()]
    stray = b"\r" in head.replace(b"\r\n", b"") or b"\n" in head.replace(b"\r\n", b"")
    parsed = parse_head(head)
    if stray or not head.endswith(b"\r\n\r\n"):
        assert isinstance(parsed, Unreadable)
        assert "CR LF" in parsed.why
    if isinstance(parsed, http.Request):
        flat = [parsed.data.path, *(part for field in parsed.headers.fields for part in field)]
        assert not any(b"\r" in part or b"\n" in part for part in flat)
        assert request_head(parsed).count(b"\r\n") == len(parsed.headers.fields) + 2


framing = st.tuples(
    st.sampled_from([b"Content-Length", b"content-length", b"CONTENT-LENGTH", b"Transfer-Encoding", b"Content-Length ", b"X"]),
    st.sampled_from(
        [b"0", b"7", b"007", b"+7", b"-7", b"7, 7", b"", b" 7", b"7 ", b"1_0", b"\xb2", b"chunked", b"identity", b"x"]
    ),
)
methods = st.sampled_from([b"GET", b"HEAD", b"POST", b"CONNECT", b"get"])


@example(b"GET", 200, [(b"Content-Length", b"007")])
@example(b"GET", 200, [(b"Content-Length", b"7")])
@given(methods, st.sampled_from([200, 204, 206, 304, 404]), st.lists(framing, max_size=3))
def test_the_length_of_an_answer_is_the_same_by_the_short_way(method, status, fields):
    request = received(method=method, scheme=b"", authority=b"", path=b"/", version=b"HTTP/1.1", fields=())
    response = http.Response(b"HTTP/1.1", status, b"", http.Headers(fields), None, None, 0, 0)

    def size(by):
        try:
            return by(request, response)
        except ValueError:
            return "refused"

    assert size(_answer_size) == size(http1.expected_http_body_size)
