"""Laws of paths that servers read in several ways: they satisfy no permission, and slip past no restriction."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from policies import CATALOG, facts, written

from outgate.actions.identify import identify
from outgate.actions.paths import is_ambiguous, plainest
from outgate.intake.reading import read
from outgate.intake.request import RawRequest, Request, Tunnel
from outgate.policy.decide import AMBIGUOUS, decide
from outgate.policy.effect import Effect
from outgate.policy.load import load

CLOSED = "otherwise: {T0: block, T1: escalate, T2: block, T3: block, unmapped: {read: escalate, other: block}}"
OPEN = "otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}"
HOSTS = ("api.test", "api.crm.test")

words = st.sampled_from(["a", "admin", "public", "7", "x-y", "~b", "v1.2"])
_PLAIN = st.lists(words, min_size=1, max_size=4)
matches = st.sampled_from(
    [
        *("{}", "{host: [api.test, api.crm.test]}", "{method: [GET, POST]}", "{access: [read, unknown]}", "{mapped: false}"),
        *("{resource: '*'}", "{resource: '*admin*'}", "{resource: 'api.test/*'}", "{agent.id: coder}", "{service: [http, crm]}"),
        *("{action: ['http.*', 'crm.*']}", "{tier: [T0, T1, T2, T3]}"),
    ]
)
conditions = st.sampled_from(
    [
        *("", "when: 'action.resource.size() > 0'", "when: 'request.path.contains(\"a\")'", "when: 'true'"),
        *("unless: 'request.path.startsWith(\"/admin\")'", "unless: 'action.resource.contains(\"admin\")'"),
        *("when: '!action.resource.contains(\"//\")'", "when: 'request.path != \"/admin\"', unless: 'false'"),
    ]
)


@st.composite
def permissions(draw):
    """A policy that closes all, and opens it again with rules that know nothing, or everything, of paths."""
    said = draw(st.lists(st.tuples(matches, conditions), min_size=1, max_size=4))
    rules = "\n".join(
        f"- {{id: r{number}, match: {match}, effect: allow{', ' if condition else ''}{condition}}}"
        for number, (match, condition) in enumerate(said)
    )
    return load([("law.yaml", written(rules, otherwise=CLOSED))], CATALOG)


@st.composite
def odd_paths(draw):
    """A plain path and another spelling of it: as strict servers see them two paths, as lenient ones see them one."""
    segments = draw(_PLAIN)
    spelled = [draw(_oddly(segment)) for segment in segments]
    slashes = [draw(st.sampled_from(["/", "/", "//", "///"])) for _ in segments]
    return "".join(map("".join, zip(slashes, spelled, strict=True))), "/" + "/".join(segments)


@st.composite
def _oddly(draw, segment):
    text = "".join(draw(st.sampled_from([c, c, f"%{ord(c):02x}", f"%25{ord(c):02X}"])) for c in segment)
    return text + draw(st.sampled_from(["", "", ";", ";x=1"]))


def asked(path: str, host: str = "api.test", method: str = "GET") -> Request:
    raw = RawRequest(
        method=method.encode(),
        scheme=b"",
        authority=b"",
        target=path.encode(),
        version=b"HTTP/1.1",
        headers=((b"host", host.encode()),),
        tunnel=Tunnel(host=host.encode(), port=443, sni=host.encode()),
    )
    reading = read(raw)
    assert isinstance(reading, Request), reading
    return reading


def decided(policy, request):
    return decide(policy, identify(request, CATALOG), facts(request=request))


hosts, methods = st.sampled_from(HOSTS), st.sampled_from(["GET", "POST", "DELETE"])


@given(permissions(), odd_paths(), hosts, methods)
def test_a_path_with_several_readings_satisfies_no_permission(policy, paths, host, method):
    path, plain = paths
    assume(path != plain)
    request = asked(path, host, method)
    closed = load([("law.yaml", written("", otherwise=CLOSED))], CATALOG)
    without = decided(closed, request)
    decision = decided(policy, request)
    assert plainest(path) == plain
    assert decision.answer is without.answer
    assert decision.answer.restricts
    assert not any(match.effect is Effect.ALLOW for verdict in decision.verdicts for match in verdict.matches)


@given(permissions(), _PLAIN, st.sampled_from(["", "/"]), hosts, methods)
def test_a_plain_path_is_permitted_as_it_always_was(policy, segments, end, host, method):
    """What makes a path ambiguous is no plain path's: the law above refuses nothing else."""
    request = asked("/" + "/".join(segments) + end, host, method)
    assert not is_ambiguous(request.path)
    assert AMBIGUOUS not in [match.error for verdict in decided(policy, request).verdicts for match in verdict.matches]


RESTRICTIONS = [
    "when: 'request.path.startsWith(\"{0}\")'",
    "when: 'action.resource.endsWith(\"{0}\")'",
    "when: 'request.path == \"{0}\"'",
    "unless: 'request.path != \"{0}\"'",
    "match: {{resource: '*{0}'}}",
]


@given(st.sampled_from(RESTRICTIONS), odd_paths(), methods)
def test_no_spelling_of_a_path_slips_past_what_restricts_it(rule, paths, method):
    path, plain = paths
    said = f"- {{id: r, effect: block, {rule.format(plain)}}}"
    policy = load([("law.yaml", written(said, otherwise=OPEN))], CATALOG)
    assert decided(policy, asked(plain, method=method)).answer is Effect.BLOCK
    assert decided(policy, asked(path, method=method)).answer is Effect.BLOCK


@given(permissions(), odd_paths())
def test_who_is_told_that_a_path_has_several_readings_is_told_what_to_write(policy, paths):
    path, plain = paths
    assume(path != plain)
    decision = decided(policy, asked(path))
    spoken = [match for verdict in decision.verdicts for match in verdict.matches if match.error == AMBIGUOUS]
    assert not spoken or ("Write it plainly" in decision.tell and AMBIGUOUS in decision.why)


def test_a_permission_for_all_says_why_it_does_not_cover_two_readings():
    policy = load([("law.yaml", written("- {id: all, effect: allow}", otherwise=CLOSED))], CATALOG)
    decision = decided(policy, asked("/a//b"))
    assert decision.why == "otherwise: escalate (ambiguous-path)"
    assert decided(policy, replace(asked("/a//b"), path="/a/b")).answer is Effect.ALLOW
