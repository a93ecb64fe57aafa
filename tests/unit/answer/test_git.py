import pytest

from outgate.answer.git import render
from outgate.answer.reply import Refusal
from outgate.intake.request import Request, UnreadBody, WholeBody

TELL = "Pushing to main needs a person. Ask ops@acme.example."
REFUSAL = Refusal(status=403, answer="block", kind="blocked", tell=TELL, receipt="w1-7")
ZERO, NEW = b"0" * 40, b"a" * 40
BANDS = b"\0 report-status side-band-64k agent=git/2.39.5"


def pkt(data):
    return b"%04x%s" % (len(data) + 4, data)


def push(*lines, after=b"0000PACK..."):
    return asked(WholeBody(b"".join(map(pkt, lines)) + after))


def asked(body, service="receive-pack", **headers):
    named = (("content-type", f"application/x-git-{service}-request"), *headers.items())
    path = f"/o/r.git/git-{service}"
    return Request(method="POST", scheme="https", host="git.test", port=443, path=path, query=None, headers=named, body=body)


def get(path="/o/r.git/info/refs", query="service=git-upload-pack", agent=""):
    return Request(
        method="GET", scheme="https", host="git.test", port=443, path=path, query=query, headers=(("user-agent", agent),)
    )


def test_a_refused_get_is_plain_text_which_git_shows():
    reply = render(REFUSAL, get())
    assert (reply.status, dict(reply.headers)["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert reply.body.startswith(TELL.encode())


def test_git_is_known_by_its_name_too():
    assert render(REFUSAL, get(path="/o/r.git/HEAD", query=None, agent="git/2.39.5")).body.startswith(TELL.encode())


def test_what_is_not_git_is_left_to_others():
    assert render(REFUSAL, get(path="/info", query=None, agent="curl/8")) is None


def test_every_ref_of_a_refused_push_is_rejected_with_the_sentence():
    lines = (b"%s %s refs/heads/main%s" % (ZERO, NEW, BANDS), b"%s %s refs/tags/v1\n" % (ZERO, NEW))
    report = pkt(b"unpack ok\n") + pkt(b"ng refs/heads/main %s\n" % TELL.encode()) + pkt(b"ng refs/tags/v1 %s\n" % TELL.encode())
    reply = render(REFUSAL, push(*lines))
    assert (reply.status, dict(reply.headers)["Content-Type"]) == (200, "application/x-git-receive-pack-result")
    assert reply.body == pkt(b"\x01" + report + b"0000") + b"0000"


def test_without_a_side_band_the_report_stands_alone():
    reply = render(REFUSAL, push(b"%s %s refs/heads/main\0 report-status" % (ZERO, NEW)))
    assert reply.body == pkt(b"unpack ok\n") + pkt(b"ng refs/heads/main %s\n" % TELL.encode()) + b"0000"


def test_a_client_that_wants_no_report_is_told_anyway():
    assert render(REFUSAL, push(b"%s %s refs/heads/main\0 agent=x" % (ZERO, NEW))).body == pkt(b"ERR " + TELL.encode())


@pytest.mark.parametrize(
    "request_",
    [
        asked(UnreadBody(too_large=True)),
        asked(WholeBody(b"")),
        asked(WholeBody(b"0000")),
        asked(WholeBody(b"zzzz")),
        asked(WholeBody(b"ffff short")),
        asked(WholeBody(b"\x1f\x8b"), **{"content-encoding": "gzip"}),
        push(b"push-cert" + BANDS, b"certificate version 0.1"),
        push(*(b"%s %s refs/heads/%d%s" % (ZERO, NEW, n, BANDS) for n in range(40))),
    ],
)
def test_where_refs_are_not_clear_the_sentence_comes_on_the_error_band(request_):
    assert render(REFUSAL, request_).body == pkt(b"\x03" + TELL.encode() + b"\n")


def test_a_shallow_push_is_understood():
    body = push(b"shallow " + NEW, b"%s %s refs/heads/main%s" % (ZERO, NEW, BANDS))
    assert b"ERR" not in render(REFUSAL, body).body


def test_a_long_report_comes_in_pieces_that_fit_a_packet():
    refs = (b"%s %s refs/heads/%s%02d%s" % (ZERO, NEW, b"x" * 900, n, BANDS if n == 0 else b"") for n in range(32))
    long = Refusal(status=403, answer="block", kind="blocked", tell="ü" * 1000, receipt="")
    rest, sizes = render(long, push(*refs)).body, []
    while not rest.startswith(b"0000"):
        sizes.append(int(rest[:4], 16))
        rest = rest[sizes[-1] :]
    assert len(sizes) == 2
    assert max(sizes) <= 65520


def test_a_refused_fetch_is_an_error_packet():
    reply = render(REFUSAL, asked(WholeBody(b"0014command=ls-refs\n"), service="upload-pack"))
    assert (reply.status, reply.body) == (200, pkt(b"ERR " + TELL.encode()))
