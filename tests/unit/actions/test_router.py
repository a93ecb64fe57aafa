import pytest

from outgate.actions.router import MOST_SEGMENTS, HostRouter, Router, variables


def router(*templates):
    made = Router()
    for template in templates:
        made.add("GET", template, template)
    return made


def found(made, path, method="GET"):
    match = made.find(method, path)
    return None if match is None else (match.value, match.captures)


def test_a_literal_path_is_found():
    assert found(router("/a/b"), "/a/b") == ("/a/b", ())


def test_a_path_that_nobody_added_is_not_found():
    made = router("/a/b", "/a/{x}/c")
    for path in ("/", "/a", "/a/", "/a/b/", "/a//c", "/a/b/c/d", "/A/b", "/a/%62", "a/b"):
        assert found(made, path) is None


def test_a_variable_takes_one_segment_as_it_is_sent():
    assert found(router("/repos/{owner}/{repo}"), "/repos/acme/a%2Fb") == ("/repos/{owner}/{repo}", ("acme", "a%2Fb"))


def test_the_root_is_a_path():
    assert found(router("/"), "/") == ("/", ())


def test_a_slash_at_the_end_is_part_of_a_path():
    made = router("/simple/{project}/")
    assert found(made, "/simple/x/") == ("/simple/{project}/", ("x",))
    assert found(made, "/simple/x") is None


def test_a_literal_wins_over_a_variable():
    made = router("/v1/refunds/{id}", "/v1/refunds/search")
    assert found(made, "/v1/refunds/search") == ("/v1/refunds/search", ())
    assert found(made, "/v1/refunds/re_1") == ("/v1/refunds/{id}", ("re_1",))


def test_a_literal_that_leads_nowhere_gives_way():
    made = router("/a/b/c", "/a/{x}/d")
    assert found(made, "/a/b/d") == ("/a/{x}/d", ("b",))


def test_a_mixed_segment_comes_between():
    made = router("/{x}", "/{name}.json", "/{name}:cancel", "/{a}.{b}")
    assert found(made, "/job.json") == ("/{name}.json", ("job",))
    assert found(made, "/job:cancel") == ("/{name}:cancel", ("job",))
    assert found(made, "/a.b") == ("/{a}.{b}", ("a", "b"))
    assert found(made, "/job") == ("/{x}", ("job",))


def test_a_mixed_segment_needs_all_of_its_parts():
    assert found(router("/{name}:cancel"), "/:cancel") is None


def test_many_takes_what_is_left():
    made = router("/contents/{path+}", "/contents/{path+}/history", "/contents/readme")
    assert found(made, "/contents/a/b.md") == ("/contents/{path+}", ("a/b.md",))
    assert found(made, "/contents/a/history") == ("/contents/{path+}/history", ("a",))
    assert found(made, "/contents/readme") == ("/contents/readme", ())
    assert found(made, "/contents/a//b") == ("/contents/{path+}", ("a//b",))
    assert found(made, "/contents") is None


def test_a_method_that_a_template_lacks_passes_it_over():
    made = Router()
    made.add("GET", "/a/b", "read")
    made.add("DELETE", "/a/{x}", "delete")
    assert found(made, "/a/b", "DELETE") == ("delete", ("b",))
    assert found(made, "/a/c", "GET") is None


def test_two_operations_can_not_share_a_template():
    made = router("/a/{x}")
    with pytest.raises(ValueError, match=r"'GET /a/\{y\}' leads to two operations"):
        made.add("GET", "/a/{y}", "other")


@pytest.mark.parametrize(
    "template", ["", "a", "/{", "/}", "/{A}", "/{a}{b+}", "/x{a+}", "/{a+}.json", "/{a}/{a}", "/a b", "/{}", "/{1}"]
)
def test_what_is_no_template_is_refused(template):
    with pytest.raises(ValueError, match="path"):
        variables(template)


def test_a_path_of_too_many_segments_is_nobody_s():
    made = router("/{path+}")
    assert found(made, "/a" * MOST_SEGMENTS) is not None
    assert found(made, "/a" * (MOST_SEGMENTS + 1)) is None


def hosts(*patterns):
    made = HostRouter()
    for pattern in patterns:
        made.add(pattern, pattern)
    return made


@pytest.mark.parametrize(
    ("host", "pattern", "captures"),
    [
        ("api.x.test", "api.x.test", ()),
        ("eu.api.x.test", "{region}.api.x.test", ("eu",)),
        ("a.b.api.x.test", "*.x.test", ()),
        ("y.x.test", "*.x.test", ()),
        ("a.api.y.test", "{a}.{b}.y.test", ("a", "api")),
        ("10.0.0.1", "10.0.0.1", ()),
        ("api.x.test:8443", "api.x.test:8443", ()),
    ],
)
def test_a_host_belongs_to_the_most_literal_pattern(host, pattern, captures):
    made = hosts("api.x.test", "{region}.api.x.test", "*.x.test", "{a}.{b}.y.test", "10.0.0.1", "api.x.test:8443")
    match = made.find(host)
    assert (match.value, match.captures) == (pattern, captures)


@pytest.mark.parametrize(
    "host", ["x.test", "evilx.test", "api.x.test.evil.test", "test", "api.x.test:80", "y.test", "a.y.test", "", "."]
)
def test_a_host_that_only_looks_alike_is_nobody_s(host):
    assert hosts("api.x.test", "*.x.test", "{a}.{b}.y.test").find(host) is None


def test_two_services_can_not_share_a_host():
    made = hosts("*.x.test", "{a}.x.test")
    for pattern in ("*.x.test", "{b}.x.test"):
        with pytest.raises(ValueError, match="belongs to two services"):
            made.add(pattern, "other")


def test_its_routes_can_be_told_again():
    router = Router()
    routes = [("GET", "/a/{b}"), ("PUT", "/a/{b}"), ("GET", "/a/{b}.json"), ("GET", "/{c}/d/{rest+}"), ("GET", "/")]
    for method, template in routes:
        router.add(method, template, (method, template))
    assert {(method, shape, value) for method, shape, value in router.routes()} == {
        ("GET", "/a/{}", ("GET", "/a/{b}")),
        ("PUT", "/a/{}", ("PUT", "/a/{b}")),
        ("GET", "/a/{}.json", ("GET", "/a/{b}.json")),
        ("GET", "/{}/d/{+}", ("GET", "/{c}/d/{rest+}")),
        ("GET", "/", ("GET", "/")),
    }
