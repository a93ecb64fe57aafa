"""kubernetes: what an agent does with a cluster, from inside of one."""

import os

import kubernetes
from kubernetes.stream import stream

CONFIG = kubernetes.client.Configuration(host="https://kubernetes.default.svc")
CONFIG.ssl_ca_cert = os.environ["SSL_CERT_FILE"]
CONFIG.api_key = {"authorization": "Bearer not-a-token"}
CONFIG.retries = False
API = kubernetes.client.ApiClient(CONFIG)
CORE, APPS, RBAC = (
    kind(API) for kind in (kubernetes.client.CoreV1Api, kubernetes.client.AppsV1Api, kubernetes.client.RbacAuthorizationV1Api)
)


def lists():
    return [pod.metadata.name for pod in CORE.list_namespaced_pod("shop", label_selector="app=web").items]


def watches():
    return [event["type"] for event in kubernetes.watch.Watch().stream(CORE.list_namespaced_pod, "shop", timeout_seconds=1)]


def reads_a_secret():
    return CORE.read_namespaced_secret("tls", "shop").metadata.name


def scales():
    return APPS.patch_namespaced_deployment_scale("web", "shop", {"spec": {"replicas": 0}}).spec.replicas


def creates():
    body = {"metadata": {"name": "settings"}, "data": {"a": "1"}}
    return CORE.create_namespaced_config_map("shop", body, dry_run="All").metadata.name


def executes():
    own = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(CONFIG))  # `stream` puts itself in the place of its way to ask
    return stream(own.connect_get_namespaced_pod_exec, "web", "shop", command=["sh", "-c", "id"], stdout=True)


def grants():
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return RBAC.create_cluster_role_binding({"metadata": {"name": "bot"}, "roleRef": role}).metadata.name


def deletes():
    return CORE.delete_namespaced_pod("web", "shop", grace_period_seconds=0).metadata.name


def deletes_all():
    return CORE.delete_collection_namespaced_pod("shop").status


def deletes_a_namespace():
    return bool(CORE.delete_namespace("shop"))


STEPS = (lists, watches, reads_a_secret, scales, creates, executes, grants, deletes, deletes_all, deletes_a_namespace)
