import json
import re

from asked import with_body
from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.action import Action, Confidence, Tier
from outgate.actions.catalog import Catalog
from outgate.actions.identify import identify, wants_body
from outgate.actions.paths import plainest
from outgate.actions.router import Router
from outgate.inspect.secrets import classes_of, secrets_in
from outgate.intake.request import NoBody, Request, UnreadBody, WholeBody
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
HOSTS = [
    *("api.github.com", "github.com", "api.stripe.com", "slack.com", "api.openai.com", "api.anthropic.com"),
    *("pypi.org", "upload.pypi.org", "registry.npmjs.org", "mcp.linear.app", "docs.test", "10.0.0.1"),
]
SEGMENTS = st.sampled_from(
    [
        *(
            "repos",
            "acme",
            "site",
            "v1",
            "refunds",
            "chat",
            "completions",
            "messages",
            "api",
            "chat.postMessage",
            "git-receive-pack",
        ),
        *("info", "refs", "%72epos", "", "a;b", "x.git", "-", "contents", "@a%2fb", "legacy", "simple", "%2Fx", "delete"),
    ]
) | st.text(st.sampled_from("abcXYZ019%-._~!$&'()*+,;=:@/"), max_size=8).filter(
    lambda text: not re.search(r"%(?![0-9A-F]{2})", text)
)
JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["2.0", "tools/call", "https://a.test/", "mcp"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "jsonrpc",
                    "method",
                    "params",
                    "name",
                    "id",
                    "tools",
                    "type",
                    "url",
                    "amount",
                    "force",
                    "channel",
                    "model",
                    "arguments",
                    "Method",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
PACKETS = st.lists(st.sampled_from([b"0000", b"0001", b"0008abcd", b"00", b"PACK", b"zz"]), max_size=5).map(b"".join)
CONTENTS = JSONS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60) | PACKETS
BODIES = (
    st.just(NoBody()) | CONTENTS.map(WholeBody) | st.builds(UnreadBody, st.none() | st.integers(0, 99), st.booleans(), CONTENTS)
)
HEADERS = st.lists(
    st.sampled_from(
        [
            *(("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded"), ("content-type", "x")),
            *(("content-encoding", "gzip"), ("content-encoding", "hex"), ("mcp-method", "tools/list"), ("mcp-session-id", "s")),
            *(("accept", "application/json, text/event-stream"), ("authorization", "Bearer x")),
        ]
    ),
    max_size=4,
).map(tuple)
REQUESTS = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"]),
    scheme=st.sampled_from(["http", "https"]),
    host=st.sampled_from(HOSTS),
    port=st.sampled_from([443, 80, 8443]),
    path=st.lists(SEGMENTS, max_size=6).map(lambda parts: "/" + "/".join(parts)),
    query=st.none()
    | st.sampled_from(["service=git-receive-pack", "service=git-upload-pack", "a=1&a=2", "channel=C1", "%ff", ""]),
    headers=HEADERS,
    body=BODIES,
    websocket=st.booleans(),
)


@given(REQUESTS)
def test_every_request_is_at_least_one_action(request):
    actions = identify(request, CATALOG)
    assert actions
    assert all(isinstance(action, Action) for action in actions)
    wants_body(request, CATALOG)


@given(REQUESTS)
def test_an_action_can_be_shown_in_one_line(request):
    for action in identify(request, CATALOG):
        assert action.service
        assert action.operation
        assert f"{action.name} {action.resource}".isprintable()


@given(REQUESTS)
def test_what_is_unknown_is_at_least_tier_one_and_what_is_unreadable_is_no_read(request):
    for action in identify(request, CATALOG):
        if action.access.value == "unknown":
            assert action.tier >= Tier.T1
        if action.operation == "unreadable":
            assert not action.access.only_reads
            assert action.tier >= Tier.T2
            assert not action.mapped


@given(REQUESTS)
def test_what_no_file_declares_is_a_guess_and_no_post_of_it_reads(request):
    for action in identify(request, Catalog()):
        assert action.confidence in {Confidence.HEURISTIC, Confidence.UNKNOWN}
        assert not (request.method not in {"GET", "HEAD", "OPTIONS"} and action.access.only_reads)


@given(REQUESTS, BODIES)
def test_a_body_that_is_not_wanted_changes_no_mapped_action(request, body):
    if not wants_body(request, CATALOG):
        before, after = identify(request, CATALOG), identify(with_body(request, body), CATALOG)
        assert [a for a in before if a.mapped] == [a for a in after if a.mapped]


@given(REQUESTS)
def test_every_request_is_looked_into(request):
    assert classes_of(request, CATALOG) <= {"secret", "unreadable"}


@given(st.text(st.sampled_from("abc/%2eE;~41"), max_size=20))
def test_the_plainest_path_has_nothing_left_to_drop(text):
    plain = plainest("/" + text)
    assert "//" not in plain
    assert ";" not in plain
    assert plain == "/" or not plain.endswith("/")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_credential_is_found_whatever_stands_around_it(before, after):
    token = b"ghp" + b"_" + b"Ab3" * 12
    assert "github" in secrets_in(before + b" " + token + b" " + after)


# The router against every template tried in turn, by the order that its docstring promises.

PARTS = st.sampled_from(["a", "b", "{x}", "{y}.a", "{z+}"])
TEMPLATES = st.lists(st.lists(PARTS, min_size=1, max_size=4), max_size=8).map(
    lambda many: [
        named for parts in many if (named := "/" + "/".join(re.sub(r"\{\w", f"{{v{n}", part) for n, part in enumerate(parts)))
    ]
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "c.a", "", ".a", "b.a.a"]), min_size=1, max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)


def matches(template, segments):
    """Every way in which a template fits, each as (rank, …) of its parts: the least is the best."""
    if not template:
        return [()] if not segments else []
    part, rest = template[0], template[1:]
    if part.endswith("+}") and not rest:
        return [((4, 0),)] if segments else []
    if part.endswith("+}"):
        return [((3, -n), *tail) for n in range(1, len(segments)) for tail in matches(rest, segments[n:])]
    if not segments:
        return []
    if part.endswith("}.a"):
        fits, rank = segments[0].endswith(".a") and len(segments[0]) > 2, (1, 0)
    elif part.startswith("{"):
        fits, rank = segments[0] != "", (2, 0)
    else:
        fits, rank = segments[0] == part, (0, 0)
    return [(rank, *tail) for tail in matches(rest, segments[1:])] if fits else []


@given(TEMPLATES, PATHS)
def test_the_router_agrees_with_trying_every_template(templates, path):
    router, kept = Router(), []
    for template in templates:
        try:
            router.add("GET", template, template)
        except ValueError:
            continue
        kept.append(template)
    segments = path.split("/")[1:]
    ways = sorted((way, template) for template in kept for way in matches(template.split("/")[1:], segments))
    found = router.find("GET", path)
    assert (found is None) == (not ways)
    if found is not None:
        best = ways[0][0]
        assert any(template == found.value and way == best for way, template in ways)
