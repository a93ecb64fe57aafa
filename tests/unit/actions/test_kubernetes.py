import json

import pytest
from asked import asked, with_body

from outgate.actions.protocols import kubernetes
from outgate.actions.protocols.kubernetes import OPERATIONS, may_be, wants_body
from outgate.intake.request import UnreadBody, WholeBody

POD = "https://cluster.test:6443/api/v1/namespaces/shop/pods/web"
UPGRADE = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "x" * 22 + "==",
}


def identify(line, *, declared=True, **asking):
    return kubernetes.identify(asked(line, **asking), declared=declared)


def one(line, **asking):
    (action,) = identify(line, **asking)
    return action


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


def test_an_action_says_what_is_done_to_what_in_which_cluster():
    action = one(f"DELETE {POD}")
    assert said(action) == ("kubernetes.pods.delete", "delete", "T2", True)
    assert (action.resource, action.params) == ("shop/pods/web", {"namespace": "shop", "name": "web"})
    assert (action.instance, action.evidence) == ("cluster:cluster.test:6443", ("kubernetes", "verb delete"))


def test_a_group_is_part_of_the_name():
    line = "PATCH https://cluster.test/apis/apps/v1/namespaces/shop/deployments/web?force=true"
    action = one(line, headers={"content-type": "application/apply-patch+yaml"}, text="spec: {}")
    assert said(action) == ("kubernetes.apps.deployments.patch", "write", "T1", True)
    assert action.params == {"namespace": "shop", "name": "web", "patch": "apply", "force": True}


def test_a_shell_in_a_pod_is_no_read_by_whichever_method_and_by_websocket():
    target = f"{POD}/exec?command=rm&command=-rf&container=app&stdin=true"
    found = [one(f"GET {target}"), one(f"POST {target}"), one(f"GET {target}", headers=UPGRADE)]
    assert {said(action) for action in found} == {("kubernetes.pods/exec.connect", "execute", "T2", True)}
    assert found[0].params == {"namespace": "shop", "name": "web", "argv": ("rm", "-rf"), "container": "app"}


def test_watching_by_websocket_is_a_read():
    line = "GET https://cluster.test/api/v1/pods?watch=1&labelSelector=a%3Db"
    action = one(line, headers=UPGRADE)
    assert said(action) == ("kubernetes.pods.watch", "list", "T0", True)
    assert action.params == {"selector": "a=b"}


def test_all_of_a_kind_is_the_worst_tier_however_it_is_selected():
    line = "DELETE https://cluster.test/api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb"
    assert said(one(line)) == ("kubernetes.pods.deletecollection", "delete", "T3", True)


def test_somebody_elses_name_is_an_action_of_its_own():
    headers = {"impersonate-user": "root", "Impersonate-Group": "system:masters"}
    first, second = identify(f"GET {POD}", headers=headers)
    assert first.name == "kubernetes.pods.get"
    assert said(second) == ("kubernetes.users.impersonate", "admin", "T2", True)
    assert (second.resource, second.params) == ("root", {"groups": ("system:masters",)})


@pytest.mark.parametrize("name", ["impersonate-group", "impersonate-uid", "impersonate-extra-scopes"])
def test_whatever_is_impersonated_is_one(name):
    assert identify(f"GET {POD}", headers={name: "x"})[1].name == "kubernetes.users.impersonate"


@pytest.mark.parametrize(
    ("query", "tried"),
    [
        ("?dryRun=All", True),
        ("?dryRun=All&dryRun=", False),
        ("?dryRun=all", False),
        ("?dryRun=All&dryRun=All", False),
        ("", False),
    ],
)
def test_only_one_plain_word_makes_it_a_dry_run(query, tried):
    action = one(f"POST https://cluster.test/api/v1/namespaces/shop/pods{query}")
    assert action.params.get("dry_run", False) is tried
    assert action.tier.name == "T1"


@pytest.mark.parametrize(
    ("body", "tried"),
    [
        ({"dryRun": ["All"]}, True),
        ({}, False),
        ({"dryRun": "All"}, False),
        ({"dryRun": ["All"], "DryRun": []}, False),
        ({"dryRun": ["All", "None"]}, False),
    ],
)
def test_of_a_deletion_with_a_body_only_the_body_counts(body, tried):
    assert one(f"DELETE {POD}?dryRun=All", json=body).params.get("dry_run", False) is tried


def test_of_a_deletion_that_nobody_read_nothing_says_that_it_is_tried_out():
    action = one(f"DELETE {POD}?dryRun=All", body=UnreadBody(10))
    assert "dry_run" not in action.params
    assert one(f"DELETE {POD}?dryRun=All").params["dry_run"] is True


def test_a_shell_and_a_token_are_never_tried_out():
    assert "dry_run" not in one(f"POST {POD}/exec?dryRun=All&command=sh").params
    assert "dry_run" not in one("POST https://c.test/api/v1/namespaces/a/serviceaccounts/x/token?dryRun=All").params


@pytest.mark.parametrize("target", ["/version", "/api", "/apis/apps/v1", "/openapi/v3", "/healthz", "/"])
def test_discovery_is_a_read(target):
    assert said(one(f"GET https://cluster.test{target}")) == ("kubernetes.nonresource.get", "read", "T0", True)


@pytest.mark.parametrize(
    "line",
    [
        *("GET https://c.test/logs/kube-apiserver.log", "POST https://c.test/version", "GET https://c.test/debug/pprof/heap"),
        *("GET https://c.test/api/v1/namespaces/a//secrets", "GET https://c.test/api/v1/Secrets"),
    ],
)
def test_what_the_api_does_not_have_is_unreadable(line):
    assert said(one(line)) == ("kubernetes.unreadable", "unknown", "T2", False)


def test_a_path_with_two_readings_is_unmapped():
    action = one("GET https://cluster.test/api/v1/namespaces/shop/pods/web/%65xec?command=sh")
    assert said(action) == ("kubernetes.pods/exec.connect", "execute", "T2", False)


def test_at_a_host_that_nobody_declared_it_is_a_guess():
    assert said(one(f"GET {POD}", declared=False)) == ("kubernetes.pods.get", "read", "T0", False)
    assert said(one(f"GET {POD}/exec?command=sh", declared=False)) == ("kubernetes.pods/exec.connect", "execute", "T2", False)


def test_a_guess_is_never_a_read_where_the_request_may_change_something():
    review = "POST https://c.test/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert said(one(review, declared=False, json={}))[1:] == ("unknown", "T2", False)
    assert said(one(review, json={}))[1:] == ("read", "T0", True)
    assert said(one(f"GET {POD}", declared=False, text="x"))[1:] == ("unknown", "T2", False)


@pytest.mark.parametrize(
    ("path", "looks"),
    [
        *(("/api/v1/pods", True), ("/api/v1/namespaces/a/secrets", True), ("/apis/apps/v1/deployments", True)),
        *(("/api/v1/users", False), ("/apis/x/latest/y", False), ("/api/v2/pods", False), ("/api/v1/namespaces/a/x", False)),
    ],
)
def test_a_server_is_told_by_its_paths(path, looks):
    assert may_be(asked(f"GET https://c.test{path}")) is looks


def test_the_body_of_a_deletion_is_wanted():
    assert wants_body(asked(f"DELETE {POD}"))
    assert not wants_body(asked(f"POST {POD}"))


def test_a_body_that_is_no_json_changes_nothing():
    request = with_body(asked(f"DELETE {POD}?dryRun=All"), WholeBody(json.dumps({"dryRun": ["All"]}).encode()))
    (action,) = kubernetes.identify(request, declared=True)
    assert "dry_run" not in action.params


def test_operations_have_one_name_each():
    names = [operation.operation for operation in OPERATIONS]
    assert len(names) == len(set(names))
    assert {"pods.delete", "pods/exec.connect", "apps.deployments.delete", "rbac.authorization.k8s.io.clusterroles.create"} <= {
        *names
    }
