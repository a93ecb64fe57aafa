"""outgate.approvals.request"""

from __future__ import annotations

from dataclasses import replace

import pytest
from approvals_made import REQUEST

from outgate.approvals.request import message_digest, request_digest
from outgate.intake.message import Message
from outgate.intake.request import NoBody, Request, UnreadBody, WholeBody

OLD, NEW = "1" * 40, "2" * 40


def digest(request: Request = REQUEST, agent: str = "payer", **changed: object) -> str | None:
    return request_digest(agent, replace(request, **changed))


def with_headers(*headers: tuple[str, str]) -> Request:
    return replace(REQUEST, headers=(*REQUEST.headers, *headers))


def test_it_is_named_and_the_same_for_the_same():
    assert digest() == digest()
    assert (digest() or "").startswith("sha256:")


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"scheme": "http"},
        {"host": "api.payments.exampl"},
        {"port": 8443},
        {"path": "/v1/Payments"},
        {"path": "/v1/payments/"},
        {"path": "/v1/p%61yments"},
        {"query": ""},
        {"query": "a=1"},
        {"headers": ()},
        {"headers": (("content-type", "application/json"), ("authorization", "Bearer other"))},
        {"headers": (*REQUEST.headers, ("x-account", "1"))},
        {"body": NoBody()},
        {"body": WholeBody(REQUEST.body.content + b" ")},
        {"websocket": True},
    ],
    ids=str,
)
def test_what_any_server_could_take_for_something_else_is_something_else(changed: dict):
    assert digest(**changed) != digest()


def test_another_agent_asks_for_something_else():
    assert digest(agent="payes") != digest()


def test_a_version_and_a_volatile_header_make_no_difference():
    retry = with_headers(
        ("traceparent", "00-1"), ("idempotency-key", "2"), ("x-stainless-retry-count", "1"), ("prefer", "wait=9")
    )
    assert digest(retry, version="HTTP/2") == digest()


def test_the_order_of_header_names_makes_no_difference_and_that_of_values_does():
    assert digest(headers=REQUEST.headers[::-1]) == digest()
    assert digest(with_headers(("x", "1"), ("x", "2"))) != digest(with_headers(("x", "2"), ("x", "1")))


def test_header_and_value_can_not_be_moved_into_each_other():
    assert digest(with_headers(("x", "1"), ("y", "2"))) != digest(with_headers(("x", '1"],["y","2')))


def test_a_body_that_was_not_read_can_not_be_approved():
    assert digest(body=UnreadBody(length=10)) is None
    assert digest(body=UnreadBody(too_large=True, head=b"{}")) is None


def test_an_empty_body_is_none():
    assert digest(body=WholeBody(b"")) == digest(body=NoBody())


# multipart


def form(boundary: str, *parts: bytes, kind: str = "multipart/form-data; boundary={}", end: bytes = b"\r\n") -> Request:
    mark = b"--" + boundary.encode()
    content = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--" + end
    return replace(REQUEST, headers=(("content-type", kind.format(boundary)),), body=WholeBody(content))


PARTS = (b'Content-Disposition: form-data; name="a"\r\n\r\n1', b'Content-Disposition: form-data; name="f"\r\n\r\n\x00\r\n\xff')


def test_the_boundary_makes_no_difference():
    assert digest(form("boundary-1", *PARTS)) == digest(form("----WebKitFormBoundaryAbc", *PARTS))
    quoted = form("boundary-1", *PARTS, kind='multipart/form-data; boundary="{}"')
    assert digest(quoted) == digest(form("boundary-1", *PARTS))


def test_parts_their_order_and_their_number_do():
    assert digest(form("boundary-1", *PARTS)) != digest(form("boundary-1", *PARTS[::-1]))
    assert digest(form("boundary-1", *PARTS)) != digest(form("boundary-1", *PARTS, PARTS[0]))
    assert digest(form("boundary-1", b"a", b"b")) != digest(form("boundary-1", b"a\r\n\r\nb"))
    assert digest(form("boundary-1", *PARTS)) != digest(form("boundary-1", *PARTS, kind="multipart/mixed; boundary={}"))


def test_a_boundary_inside_a_part_leaves_the_exact_bytes():
    """Read leniently, with line feeds alone, the one has a part more than the other."""
    hidden = b"x\n--boundary-2\ny"
    assert digest(form("boundary-1", hidden)) != digest(form("boundary-2", hidden))


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary={}; boundary=other",
        "multipart/form-data; boundary={}, x",
        "multipart/form-data; boundary*={}",
        "multipart/form-data; x=boundary; boundary={}",
    ],
)
def test_a_type_that_can_be_read_two_ways_leaves_the_exact_bytes(kind: str):
    assert digest(form("boundary-1", *PARTS, kind=kind)) != digest(form("boundary-2", *PARTS, kind=kind))


def test_a_preamble_an_epilogue_and_a_coding_leave_the_exact_bytes():
    def around(boundary: str, before: bytes, after: bytes) -> Request:
        made = form(boundary, *PARTS)
        return replace(made, body=WholeBody(before + made.body.content + after))

    for before, after in ((b"preamble\r\n", b""), (b"", b"epilogue")):
        assert digest(around("boundary-1", before, after)) != digest(around("boundary-2", before, after))
    coded = [
        replace(form(b, *PARTS), headers=(*form(b).headers, ("content-encoding", "x"))) for b in ("boundary-1", "boundary-2")
    ]
    assert digest(coded[0]) != digest(coded[1])


def test_no_part_at_all_is_no_form():
    made = replace(form("boundary-1"), body=WholeBody(b"--boundary-1\r\n--boundary-1--"))
    other = replace(form("boundary-2"), body=WholeBody(b"--boundary-2\r\n--boundary-2--"))
    assert digest(made) != digest(other)


# git


def line(text: str) -> bytes:
    return b"%04x%s" % (len(text.encode()) + 4, text.encode())


def push(
    *lines: str,
    pack: bytes = b"PACK one",
    options: tuple[str, ...] = (),
    host: str = "github.com",
    body: object = None,
    **changed,
) -> Request:
    commands = lines or (f"{OLD} {NEW} refs/heads/main\0report-status agent=git/2.39.2",)
    content = b"".join(map(line, commands)) + b"0000"
    content += (b"".join(map(line, options)) + b"0000" if options else b"") + pack
    given = {
        "method": "POST",
        "host": host,
        "path": "/acme/site.git/git-receive-pack",
        "headers": (("content-type", "application/x-git-receive-pack-request"),),
        "body": body(content) if body else WholeBody(content),
    }
    return replace(REQUEST, **given | changed)


def test_a_push_is_the_same_however_it_was_packed_and_by_which_git():
    again = push(f"{OLD} {NEW} refs/heads/main\0report-status agent=git/2.47.0 session-id=1", pack=b"PACK two")
    assert digest(push()) == digest(again)


def test_a_push_that_is_too_large_is_known_by_its_head():
    large = push(body=lambda content: UnreadBody(too_large=True, head=content))
    assert digest(large) == digest(push())
    assert digest(push(body=lambda content: UnreadBody(too_large=True, head=content[:-10]))) is None


@pytest.mark.parametrize(
    "lines",
    [
        (f"{OLD} {'3' * 40} refs/heads/main\0report-status",),
        (f"{'0' * 40} {NEW} refs/heads/main\0report-status",),
        (f"{OLD} {NEW} refs/heads/Main\0report-status",),
        (f"{OLD} {NEW} refs/heads/main\0report-status atomic",),
        (f"{OLD} {NEW} refs/heads/main\0report-status", f"{OLD} {NEW} refs/heads/two"),
    ],
    ids=range(5),
)
def test_another_ref_another_id_and_another_capability_are_another_push(lines: tuple[str, ...]):
    assert digest(push(*lines)) != digest(push())


def test_push_options_count():
    first = f"{OLD} {NEW} refs/heads/main\0report-status push-options"
    assert digest(push(first, options=("ci.skip",))) != digest(push(first, options=("merge_request.create",)))
    assert digest(push(first, options=("ci.skip",))) == digest(push(first, options=("ci.skip",), pack=b"PACK two"))
    assert digest(push(first, options=("a",), pack=b"PACK")) != digest(push(first, pack=b"PACK"))


def test_where_no_pack_follows_every_byte_counts():
    assert digest(push(pack=b"more")) != digest(push(pack=b"less"))
    deleted = f"{OLD} {'0' * 40} refs/heads/main\0report-status"
    assert digest(push(deleted, pack=b"")) is not None
    assert digest(push(deleted, pack=b"", body=lambda content: UnreadBody(too_large=True, head=content))) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"path": "/acme/site.git/git-upload-pack"},
        {"path": "/anything"},
        {"method": "PUT"},
        {"headers": (("content-type", "application/json"),)},
        {"headers": ()},
    ],
    ids=str,
)
def test_what_a_git_server_would_not_take_for_a_push_counts_whole(changed: dict):
    assert digest(push(**changed)) != digest(push(pack=b"PACK two", **changed))


def test_a_message_is_none_of_the_other_side_none_of_another_kind_and_no_request():
    request = digest() or ""
    said = [
        Message(sent=sent, over=over, text=text, content=b"pay")
        for sent in (True, False)
        for over, text in (("websocket", True), ("websocket", False), ("grpc", False), ("sse", True))
    ]
    names = {message_digest(request, message) for message in said}
    assert len(names) == len(said)
    assert request not in names
    assert message_digest(request, said[0]) == message_digest(request, said[0])
