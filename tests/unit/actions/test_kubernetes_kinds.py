import pytest

from outgate.actions.protocols.kubernetes_kinds import is_core, judge, operations


@pytest.mark.parametrize(
    ("kind", "verb", "access", "tier"),
    [
        ("pods", "get", "read", "T0"),
        ("pods", "watch", "list", "T0"),
        ("secrets", "get", "read", "T1"),
        ("secrets", "list", "list", "T1"),
        ("secrets", "watch", "list", "T1"),
        ("secrets", "patch", "admin", "T2"),
        ("pods", "create", "write", "T1"),
        ("pods", "delete", "delete", "T2"),
        ("pods", "deletecollection", "delete", "T3"),
        ("namespaces", "delete", "delete", "T3"),
        ("persistentvolumeclaims", "delete", "delete", "T3"),
        ("apiextensions.k8s.io.customresourcedefinitions", "delete", "delete", "T3"),
        ("pods/exec", "connect", "execute", "T2"),
        ("nodes/proxy", "connect", "execute", "T2"),
        ("pods/eviction", "create", "delete", "T2"),
        ("pods/ephemeralcontainers", "patch", "execute", "T2"),
        ("serviceaccounts/token", "create", "auth", "T2"),
        ("rbac.authorization.k8s.io.clusterrolebindings", "create", "admin", "T2"),
        ("rbac.authorization.k8s.io.roles", "delete", "admin", "T2"),
        ("rbac.authorization.k8s.io.roles", "deletecollection", "delete", "T3"),
        ("rbac.authorization.k8s.io.roles", "list", "list", "T0"),
        ("authorization.k8s.io.selfsubjectaccessreviews", "create", "read", "T0"),
        ("acme.example.secretreviews", "create", "write", "T1"),
        ("certificates.k8s.io.certificatesigningrequests/approval", "update", "admin", "T2"),
        ("nodes", "patch", "admin", "T2"),
        ("apps.deployments/scale", "patch", "write", "T1"),
        ("acme.example.widgets", "delete", "delete", "T2"),
        ("acme.example.widgets", "frobnicate", "unknown", "T2"),
    ],
)
def test_how_bad_a_verb_is_depends_on_the_kind(kind, verb, access, tier):
    got = judge(kind, verb)
    assert (got[0].value, got[1].name) == (access, tier)


def test_core_kinds_are_those_under_api_v1():
    assert is_core("pods")
    assert not is_core("deployments")
    assert not is_core("pods/exec")


def test_every_operation_is_there_once():
    assert len(set(operations())) == len(list(operations())) > 500
