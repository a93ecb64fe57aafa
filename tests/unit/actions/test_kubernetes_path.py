import pytest
from asked import asked

from outgate.actions.protocols.kubernetes_path import Asked, said
from outgate.actions.protocols.kubernetes_path import asked as read
from outgate.intake.bodies import Undecodable


def of(line, **asking):
    method, _, target = line.partition(" ")
    return read(asked(f"{method} https://cluster.test{target}", **asking))


def short(line):
    what = of(line)
    assert isinstance(what, Asked), what
    return f"{what.verb} {what.kind} {what.namespace}/{what.name}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /api/v1/pods", "list pods /"),
        ("GET /api/v1/namespaces/a/pods", "list pods a/"),
        ("HEAD /api/v1/namespaces/a/pods/x", "get pods a/x"),
        ("GET /api/v1/namespaces/a", "get namespaces a/a"),
        ("GET /api/v1/namespaces", "list namespaces /"),
        ("PUT /api/v1/namespaces/a/finalize", "update namespaces/finalize a/a"),
        ("GET /api/v1/namespaces/a/status", "get namespaces/status a/a"),
        ("POST /apis/apps/v1/namespaces/a/deployments", "create apps.deployments a/"),
        ("PATCH /apis/apps/v1/namespaces/a/deployments/x/scale", "patch apps.deployments/scale a/x"),
        ("DELETE /apis/rbac.authorization.k8s.io/v1/clusterroles/x", "delete rbac.authorization.k8s.io.clusterroles /x"),
        ("DELETE /api/v1/namespaces/a/pods", "deletecollection pods a/"),
        ("DELETE /api/v1/namespaces", "deletecollection namespaces /"),
        ("DELETE /api/v1/namespaces/a/", "delete namespaces a/a"),
        ("GET /api/v1/pods?watch=true", "watch pods /"),
        ("GET /api/v1/pods?watch=", "watch pods /"),
        ("GET /api/v1/pods?watch=False", "list pods /"),
        ("GET /api/v1/pods?watch=0", "list pods /"),
        ("GET /api/v1/watch/namespaces/a/pods", "watch pods a/"),
        ("GET /api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Dx", "list secrets a/x"),
        ("GET /api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3D%3Dx%2Ctype%3Dy", "list secrets a/x"),
        ("GET /api/v1/namespaces/a/secrets?fieldSelector=metadata.name%21%3Dx", "list secrets a/"),
        ("DELETE /api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Dx", "deletecollection secrets a/"),
        ("GET /api/v1/namespaces/a/pods/x/exec?command=sh", "connect pods/exec a/x"),
        ("POST /api/v1/namespaces/a/pods/x/exec?command=sh", "connect pods/exec a/x"),
        ("OPTIONS /api/v1/nodes/x/proxy/run", "connect nodes/proxy /x"),
        ("GET /api/v1/namespaces/a/services/x:80/proxy/a/b/c", "connect services/proxy a/x:80"),
        ("GET /api/v1/proxy/nodes/x/exec", "connect nodes/proxy /x"),
        ("GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode", "get rbac.authorization.k8s.io.clusterroles /system:node"),
        ("DELETE /api/v1/namespaces/a%2Fpods/x", "delete pods a/x"),
        ("GET /api/v1/namespaces/a/pods/x/%65xec", "connect pods/exec a/x"),
        ("POST /apis/acme.example/v1alpha1/widgets", "create acme.example.widgets /"),
    ],
)  # fmt: skip
def test_a_request_is_read_as_the_servers_authorizer_reads_it(line, expected):
    assert short(line) == expected


@pytest.mark.parametrize(
    "target", ["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/version", "/healthz/etcd", "/x/y/z"]
)
def test_what_names_no_resource_is_none(target):
    assert of(f"GET {target}") is None


@pytest.mark.parametrize(
    "line",
    [
        *("GET /api/v1//pods", "GET /api/v1/namespaces//pods", "GET /api/v1/Pods", "GET /api/v1/p%20ods"),
        *("GET /api/v1/watch", "GET /api/v1/proxy", "OPTIONS /api/v1/pods", "PROPFIND /api/v1/pods", "GET /api/v1/*"),
        *("GET /api/v1/namespaces/a/pods/x%0Ay", "GET /apis/Ap_ps/v1/deployments", "GET /api/v1/pods/" + "x" * 254),
    ],
)  # fmt: skip
def test_what_the_api_does_not_have_is_undecodable(line):
    assert isinstance(of(line), Undecodable)


def test_a_query_that_can_not_be_read_says_nothing():
    assert said(asked("GET https://cluster.test/api/v1/pods?watch=%FF"), "watch") == []
