import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.cli.told import har
from outgate.cli.told.har import read_har
from outgate.intake.reading import read
from outgate.intake.request import NoBody, Request, UnreadBody, WholeBody


def entries(*requests):
    return list(read_har(json.dumps({"log": {"version": "1.2", "entries": [{"request": one} for one in requests]}})))


def one(**request):
    ((_, call),) = entries({"method": "GET", "url": "https://a.test/x", **request})
    return call


def test_an_entry_is_a_request_that_has_one_reading():
    call = one(
        method="POST",
        url="https://a.test/x?y=1#part",
        headers=[
            {"name": ":authority", "value": "a.test"},
            {"name": "host", "value": "a.test"},
            {"name": "content-length", "value": "99"},
            {"name": "Transfer-Encoding", "value": "chunked"},
            {"name": "content-type", "value": "application/json"},
        ],
        postData={"mimeType": "application/json", "text": '{"a": 1}'},
    )
    request = read(call.raw)
    assert isinstance(request, Request)
    assert (request.method, request.host, request.path, request.query) == ("POST", "a.test", "/x", "y=1")
    assert call.body == WholeBody(b'{"a": 1}')


def test_bodies_are_texts_fields_or_bytes():
    assert one(postData={"params": [{"name": "a", "value": "b c"}]}).body == WholeBody(b"a=b+c")
    assert one(postData={"text": "AAE=", "encoding": "base64"}).body == WholeBody(b"\0\1")
    assert one().body == NoBody()


def test_one_that_was_not_kept_is_unread():
    assert one(method="PUT", bodySize=9).body == UnreadBody(length=9)
    assert one(postData={"mimeType": "multipart/form-data", "params": [{"name": "a"}]}, bodySize=9).body == UnreadBody(length=9)


def test_a_websocket_is_one():
    call = one(
        url="wss://a.test/ws",
        headers=[
            {"name": n, "value": v}
            for n, v in [("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x" * 22 + "=="), ("Sec-WebSocket-Version", "13")]
        ],
    )
    request = read(call.raw)
    assert isinstance(request, Request)
    assert request.websocket


def test_what_went_to_no_network_is_told_and_its_content_is_not_shown():
    assert entries({"method": "GET", "url": "data:text/plain,secret"}) == [("GET data:…", "no request to a network")]
    assert entries({"url": 1}) == [("?", "an entry without a request")]
    assert "is no call" in entries({"method": "GET", "url": "https://u:p@a.test/"})[0][1]
    assert "is not" in entries({"method": "GET", "url": "https://a.test/", "postData": {"text": "!", "encoding": "base64"}})[0][1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"log": 1}', '{"log": {"entries": {}}}', "[" * 200_000])
def test_another_file_is_none(text):
    with pytest.raises(ValueError, match="no HAR file"):
        list(read_har(text))


def test_one_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(har, "MOST", 1)
    with pytest.raises(ValueError, match="more than 1 entries"):
        entries({}, {})


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda v: (
            st.lists(v, max_size=3)
            | st.dictionaries(
                st.sampled_from(["headers", "name", "value", "postData", "text", "params", "url", "method"]), v, max_size=4
            )
        ),
    )
)
def test_any_entry_is_read_or_told(request):
    ((shown, _),) = entries(request)
    assert isinstance(shown, str)
