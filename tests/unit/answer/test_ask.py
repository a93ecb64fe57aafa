import pytest

from outgate.answer.ask import accepts, content, is_under, media
from outgate.intake.request import NoBody, Request, Unreadable, UnreadBody, WholeBody

NOTHING = NoBody()


def asked(body=NOTHING, **headers):
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(method="GET", scheme="https", host="api.test", port=443, path="/", query=None, headers=named, body=body)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", []),
        ("*/*", ["*/*"]),
        ("text/html;q=0.5, Application/JSON", ["application/json", "text/html"]),
        ("text/html, application/json;q=0", ["text/html"]),
        ("a/b;q=1.0,c/d;q=0.001;x=y,e/f;q=bad", ["a/b", "c/d"]),
        ("a/b;q=٣,c/d;q=-1,e/f;q=inf", []),
        (";,;;q=,", []),
    ],
)
def test_accepted_types_come_best_first(accept, wanted):
    assert accepts(asked(accept=accept)) == wanted


def test_what_could_not_be_read_accepts_nothing():
    assert accepts(Unreadable(status=400, why="no")) == []


def test_the_media_type_is_without_parameters():
    assert media(asked(content_type=" Text/Plain ; charset=x")) == "text/plain"


@pytest.mark.parametrize(
    ("body", "headers", "got"),
    [
        (WholeBody(b"x"), {}, b"x"),
        (WholeBody(b"x"), {"content_encoding": "gzip"}, b""),
        (UnreadBody(), {}, b""),
        (NOTHING, {}, b""),
    ],
)
def test_only_a_whole_and_plain_body_is_looked_at(body, headers, got):
    assert content(asked(body, **headers)) == got


def test_a_domain_ends_at_a_label_boundary():
    assert [is_under(host, "slack.com") for host in ("slack.com", "api.slack.com", "notslack.com", "slack.com.evil.test")] == [
        True,
        True,
        False,
        False,
    ]
