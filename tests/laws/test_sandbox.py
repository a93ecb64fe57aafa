"""Laws of the sandbox: whatever an agent asks, a mock answers, in HTTP; and no credential is left in what it sees."""

from __future__ import annotations

import json
from dataclasses import replace

import h11
from asked import asked
from hypothesis import given
from hypothesis import strategies as st
from sandboxed import to_mock

from outgate.app.mocks import Books
from outgate.inspect.credentials import without_credentials
from outgate.inspect.secrets import SECRET, classes_of
from outgate.intake.request import NoBody
from outgate.mock.answers import Answers
from outgate.mock.nested import nested
from outgate.mock.recording import redacted
from outgate.mock.template import ABSENT, fill, template
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
BOOKS = Books()
# Put together here, so that no scanner takes this file for a leak.
SECRETS = [
    "ghp" + "_" + "Ab3" * 12,
    "sk" + "_live_" + "Ab3" * 8,
    "AKIA" + "Z2345ABCDEFGHIJK",
    "xoxb" + "-1234567890-1234567890-" + "Ab3" * 8,
]

visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#"), max_size=20)
services = st.sampled_from(["stripe", "github", "openai", "anthropic", "slack", "sendgrid", "aws", "mcp", "http"])
origins = st.sampled_from(
    ["https://api.stripe.com", "https://s3.amazonaws.com", "https://b.s3.eu-west-1.amazonaws.com", "http://x"]
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
routes = sorted(
    {route.partition(" ")[2] for service in ("stripe", "github", "openai", "slack") for route in BOOKS.of(service).listed}
)
paths = st.one_of(st.sampled_from(routes), st.lists(visible, max_size=5).map(lambda parts: "/" + "/".join(parts)))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["id", "jsonrpc", "method", "params", "name", "model", "messages", "input", "stream", "amount", "number", "labels", "Action"]
)
bodies = st.one_of(
    st.binary(max_size=60),
    values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(fields, values | st.just("2.0") | st.just(True), max_size=6).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"0032want 0000", b"a[b]=1&a=2&limit=-1&page=x", b"%", b"5\r\nab"]),
)
kinds = st.sampled_from(
    ["application/json", "application/x-www-form-urlencoded", "application/grpc", "application/x-amz-json-1.0", "text/\x80", ""]
)
queries = st.one_of(
    st.just(""), visible, st.sampled_from(["limit=2&page=3", "service=git-receive-pack", "uploads", "max-keys=0"])
)


@st.composite
def requests(draw):
    headers = {
        "content-type": draw(kinds),
        "x-amz-target": draw(visible),
        "content-encoding": draw(st.sampled_from(["", "gzip"])),
    }
    return replace(
        to_mock(
            f"{draw(methods)} {draw(paths)}", service=draw(services), origin=draw(origins), headers=headers, body=draw(bodies)
        ),
        query=draw(queries),
    )


@given(st.lists(requests(), max_size=5))
def test_every_request_has_an_answer_that_http_can_carry(several):
    answers = Answers(BOOKS.of)
    for one in several:
        answer = answers.answer(one)
        assert 200 <= answer.status <= 599
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.headers]
        head = h11.Response(status_code=answer.status, headers=[*headers, (b"content-length", b"%d" % answer.size)])
        assert len(head.headers) > 0


@given(st.lists(requests(), min_size=1, max_size=4))
def test_the_same_story_is_answered_alike(several):
    one, other = Answers(BOOKS.of), Answers(BOOKS.of)
    assert [one.answer(asked) for asked in several] == [other.answer(asked) for asked in several]


@given(values)
def test_what_is_said_is_never_a_template(value):
    held = template({"a": "{body.x}", "b": "-{body.x}-"})
    filled = fill(held, lambda name: value if name == ("body", "x") else ABSENT)
    assert filled["a"] == value


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=4)), max_size=12))
def test_a_form_of_any_names_is_read(pairs):
    json.dumps(nested(pairs))


@given(values)
def test_masking_keeps_the_shape(value):
    def shape(one):
        return (
            {k: shape(v) for k, v in one.items()}
            if isinstance(one, dict)
            else [*map(shape, one)]
            if isinstance(one, list)
            else ""
        )

    assert shape(redacted(value)) == shape(value)


def _places(secret, more):
    yield f"GET https://api.test/{secret}/{more}", {}
    yield f"GET https://api.test/x?{more}={secret}", {}
    yield f"GET https://api.test/x?{secret}", {}
    yield "GET https://api.test/x", {"x-note": f"{more} {secret}"}


@given(st.sampled_from(SECRETS), st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), st.integers(0, 3))
def test_no_credential_that_is_known_as_one_is_left_in_what_a_mock_sees(secret, more, place):
    line, headers = list(_places(secret, more))[place]
    request = asked(line, headers=headers)
    assert SECRET in classes_of(request, CATALOG)
    seen = without_credentials(request, CATALOG)
    assert SECRET not in classes_of(seen, CATALOG)
    assert without_credentials(seen, CATALOG) == seen
    assert seen.body == NoBody()
