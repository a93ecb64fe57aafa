import gzip
import json

import pytest
from asked import asked
from sandboxed import said, shelf, to_mock

from outgate.document import parse
from outgate.mock.canned import answer
from outgate.mock.load import load
from outgate.mock.recording import LARGEST, MOST, Recorded, entry, merged, redacted, written

# Put together here, so that no scanner takes this file for a leak.
GITHUB = "ghp" + "_" + "Ab3" * 12
STRIPE = "sk" + "_live_" + "Ab3" * 8
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0xMjM0" + ".c2lnbmF0dXJl"
JSON = (("content-type", "application/json; charset=utf-8"),)


def recorded(line="GET https://api.stripe.com/v1/balance", body=b"{}", status=200, headers=JSON):
    return Recorded(service="stripe", request=asked(line), status=status, headers=headers, body=body)


def made(value, line="GET https://api.stripe.com/v1/balance", **given):
    return entry(recorded(line, json.dumps(value).encode(), **given))


def played(*entries, line="GET /v1/balance"):
    book = load([parse(written("stripe", entries), "stripe.yaml")])
    return answer(to_mock(line, service="stripe"), book, shelf())


@pytest.mark.parametrize(
    "value",
    [
        {"object": "balance", "available": [{"amount": 5, "rate": 0.1, "tiny": 0.0000012, "big": 1e21}]},
        {"odd": ["off", "NO", "19:00", "012", "1e5", "+5", "~", "", " x ", "a: b", "#", "null", "é", "\u2028", "a\nb"]},
        {"braces": "{path.id} }} {", "list": [None, True, []]},
        [1, 2],
        "text",
    ],
)
def test_what_was_answered_is_answered_again(value):
    assert said(played(made(value))) == value


def test_a_status_is_kept():
    assert played(made({"error": "x"}, status=402)).status == 402


def test_a_coded_answer_is_kept_plain():
    coded = recorded(body=gzip.compress(b'{"a":1}'), headers=(*JSON, ("content-encoding", "gzip")))
    assert said(played(entry(coded))) == {"a": 1}


def test_text_and_streams_are_kept_as_what_they_are():
    html = entry(recorded(body=b"<p>{x}</p>", headers=(("content-type", "text/html"),)))
    assert (played(html).body, played(html).kind) == (b"<p>{x}</p>", "text/html")
    stream = b': hello\r\n\r\nevent: a\r\ndata: {"n": 1}\r\n\r\ndata: [DONE]\n\n'
    events = entry(recorded(body=stream, headers=(("content-type", "text/event-stream"),)))
    assert played(events).pieces == (b'event: a\ndata: {"n":1}\n\n', b"data: [DONE]\n\n")


def test_an_answer_without_a_body_is_kept():
    assert played(entry(recorded("DELETE https://api.stripe.com/v1/x/1", b"", 204, ())), line="DELETE /v1/x/1").status == 204


def test_what_the_query_said_is_asked_for():
    entries = merged([made(1)], made(2, "GET https://api.stripe.com/v1/balance?limit=3&expand[]=x"))
    assert entries[0]["if"] == {"query.limit": "3"}
    assert said(played(*entries)) == 1
    assert said(played(*entries, line="GET /v1/balance?limit=3")) == 2


def test_no_credential_and_nobody_is_in_it():
    value = {
        "id": "cus_1",
        "email": "ann.b+c@corp.example.org",
        "note": f"key {GITHUB} here",
        "session": JWT,
        "x": [STRIPE],
        "client_secret": "pi_1_secret_2",
        "accessToken": "abc",
        "next_page_token": "p2",
        "token": "t",
        "password": "",
    }
    kept = written("stripe", [made(value, f"GET https://api.stripe.com/v1/balance?q={'ann@corp.example.org'}&token=t")])
    for secret in (GITHUB, STRIPE, JWT, "corp.example.org", "pi_1_secret_2", "abc"):
        assert secret not in kept
    assert "cus_1" in kept
    assert "p2" in kept


def test_ids_stay_and_names_of_fields_too():
    assert redacted({"id": "re_1", "secret": "x", "n": 5}) == {"id": "re_1", "secret": "redacted", "n": 5}
    assert redacted({GITHUB: 1}) == {"redacted": 1}
    assert redacted("write to ann@corp.example.org now") == "write to someone@example.com now"


@pytest.mark.parametrize(
    "given",
    [
        recorded(body=b"\x89PNG", headers=(("content-type", "image/png"),)),
        recorded(body=b"{"),
        recorded(body=b'{"a": 1, "a": 2}'),
        recorded(body=b"x", headers=(*JSON, ("content-encoding", "gzip"))),
        recorded(body=b'{"a": "' + b"x" * LARGEST + b'"}'),
        recorded(body=b'{"a": {"$each": "body.x", "$as": 1}}'),
        recorded("OPTIONS https://api.stripe.com/v1/balance"),
        recorded("GET https://api.stripe.com/v1/redacted/x"),
        recorded("GET https://api.stripe.com/v1/%7Bx%7D/{x}"),
    ],
)
def test_what_can_not_be_kept_is_not(given):
    assert entry(given) is None


def test_the_newest_is_kept_of_what_was_asked_alike_and_no_more_than_fit():
    assert merged([made(1)], made(2)) == [made(2)]
    entries = []
    for number in range(MOST + 5):
        entries = merged(entries, made(number, f"GET https://api.stripe.com/v1/x/{number}"))
    assert len(entries) == MOST
    assert entries[-1]["json"] == MOST + 4
