"""Laws of protocols: whatever is sent, something is said of it; and a guess is no read of what may change something."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.action import Confidence, Tier
from outgate.actions.identify import identify, wants_body
from outgate.actions.service_file import compile_catalog
from outgate.actions.speakers import SPEAKERS
from outgate.document import parse
from outgate.intake.reading import read
from outgate.intake.request import NoBody, RawRequest, Request, Tunnel, UnreadBody, WholeBody

FILES = [
    f"outgate: service/v1alpha\nservice: {name if speaker.shared else f'my-{name}'}\nspeaks: {name}\nhosts: [{name}.test]\n"
    for name, speaker in SPEAKERS.items()
]
CATALOG = compile_catalog([parse(text, f"{number}.yaml") for number, text in enumerate(FILES)])
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "MOVE", "COPY", "ACL", "FROBNICATE"]
WORDS = [
    *("api", "apis", "v1", "v2", "namespaces", "pods", "exec", "secrets", "proxy", "watch", "status", "apps", "deployments"),
    *(
        "manifests",
        "blobs",
        "uploads",
        "tags",
        "list",
        "_catalog",
        "subscriptions",
        "resourceGroups",
        "providers",
        "Microsoft.Web",
    ),
    *("sites", "batch", "crates", "new", "gems", "-rev", "-", "package", "dist-tags", "token", "oauth2", "message:send", "tasks"),
    *("pushNotificationConfigs", "a.B", "GetX", "DeleteX", ".well-known", "agent-card.json", "google.pubsub.v1.Publisher", "@a"),
    *("%2F", "%65xec", "", ";x", "x%00y", "ü", "..", "x" * 300),
]
KINDS = [
    *("", "application/json", "application/grpc", "application/soap+xml", "text/xml", "application/x-www-form-urlencoded"),
    *("multipart/form-data; boundary=b", "application/connect+json", "application/apply-patch+yaml", "text/xml; charset=utf-16"),
]
HEADERS = [
    *(("destination", "/b"), ("destination", "https://evil.test/"), ("overwrite", "F"), ("soapaction", '"x#GetX"'), ("mcp-method", "ping")),
    *(("impersonate-user", "root"), ("connect-protocol-version", "1"), ("content-encoding", "gzip"), ("accept", "application/json, text/event-stream")),
]  # fmt: skip
QUERIES = [
    "",
    "?watch=1",
    "?dryRun=All",
    "?api-version=1",
    "?api-version=1&api-version=2",
    "?from=a%2Fb&mount=x",
    "?grant_type=x",
    "?%FF",
    "?connect=v1&encoding=json&message=1",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "jsonrpc",
                    "method",
                    "params",
                    "requests",
                    "httpMethod",
                    "url",
                    "grant_type",
                    "dryRun",
                    "configuration",
                    "name",
                    "x",
                ]
            ),
            inner
            | st.sampled_from(["2.0", "message/send", "tools/call", "tasks/get", "GET", "/subscriptions", "password", "All"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)
BODIES = (
    st.just(NoBody())
    | st.just(UnreadBody(10, too_large=True))
    | st.binary(max_size=40).map(WholeBody)
    | JSON.map(lambda value: WholeBody(json.dumps(value).encode()))
    | st.sampled_from([b"<a/>", b"<!DOCTYPE a><a/>", b"grant_type=password", b"--b\r\n\r\n--b--", b"\x1f\x8b", b"0000"]).map(
        WholeBody
    )
)


@st.composite
def requests(draw, hosts):
    host = draw(st.sampled_from(hosts)).encode()
    path = "/" + "/".join(draw(st.lists(st.sampled_from(WORDS), max_size=9)))
    kind = draw(st.sampled_from(KINDS))
    lines = [
        ("host", host.decode()),
        *([("content-type", kind)] if kind else []),
        *draw(st.lists(st.sampled_from(HEADERS), max_size=3)),
    ]
    raw = RawRequest(
        method=draw(st.sampled_from(METHODS)).encode(),
        scheme=b"",
        authority=b"",
        target=(path + draw(st.sampled_from(QUERIES))).encode(),
        version=b"HTTP/1.1",
        headers=tuple((name.encode(), value.encode("latin-1")) for name, value in lines),
        tunnel=Tunnel(host=host, port=443, sni=host),
    )
    found = read(raw)
    if not isinstance(found, Request):
        return None
    return replace(found, body=draw(BODIES))


@given(requests([f"{name}.test" for name in SPEAKERS]))
def test_whatever_is_sent_to_a_host_that_speaks_a_protocol_something_is_said_of_it(request):
    if request is None:
        return
    wants_body(request, CATALOG)
    actions = identify(request, CATALOG)
    assert actions
    for action in actions:
        assert not (action.confidence is Confidence.UNKNOWN and (action.access.only_reads or action.tier < Tier.T2))
        assert all(isinstance(value, str | int | bool | tuple) for value in action.params.values())
        assert action.operation.isprintable()


@given(requests(["unknown.test"]))
def test_at_a_host_that_nobody_declared_all_is_a_guess_and_no_change_is_a_read(request):
    if request is None:
        return
    for action in identify(request, CATALOG):
        assert not action.mapped
        harmless = request.method in {"GET", "HEAD", "OPTIONS"} and request.body in {NoBody(), WholeBody(b"")}
        assert harmless or not action.access.only_reads


@given(requests([f"{name}.test" for name in SPEAKERS]))
def test_what_is_named_is_an_operation_that_is_listed(request):
    """Or there is one with a star that it fits: rules and searches know all of them."""
    if request is None:
        return
    for action in identify(request, CATALOG):
        listed = {operation.operation for operation in CATALOG.operations(action.service)}
        stem = action.operation.partition(":")[0]
        assert action.operation in listed or "*" in listed or f"{stem}:*" in listed or action.operation == request.method
