"""Kubernetes' own resources: which there are, and how bad it is to do something to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.kubernetes_path import CONNECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

type Judged = tuple[Access, Tier, str]

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_K8S = ".k8s.io"
_GROUPS: Mapping[str, str] = {
    "": "bindings componentstatuses configmaps endpoints events limitranges namespaces namespaces/finalize namespaces/status "
    "nodes nodes/proxy nodes/status persistentvolumeclaims persistentvolumeclaims/status persistentvolumes "
    "persistentvolumes/status pods pods/attach pods/binding pods/ephemeralcontainers pods/eviction pods/exec pods/log "
    "pods/portforward pods/proxy pods/resize pods/status podtemplates replicationcontrollers replicationcontrollers/scale "
    "replicationcontrollers/status resourcequotas resourcequotas/status secrets serviceaccounts serviceaccounts/token services "
    "services/proxy services/status",
    "admissionregistration" + _K8S: "mutatingadmissionpolicies mutatingadmissionpolicybindings mutatingwebhookconfigurations "
    "validatingadmissionpolicies validatingadmissionpolicies/status validatingadmissionpolicybindings "
    "validatingwebhookconfigurations",
    "apiextensions" + _K8S: "customresourcedefinitions customresourcedefinitions/status",
    "apiregistration" + _K8S: "apiservices apiservices/status",
    "apps": "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets "
    "replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    "authentication" + _K8S: "selfsubjectreviews tokenreviews",
    "authorization" + _K8S: "localsubjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews subjectaccessreviews",
    "autoscaling": "horizontalpodautoscalers horizontalpodautoscalers/status",
    "batch": "cronjobs cronjobs/status jobs jobs/status",
    "certificates" + _K8S: "certificatesigningrequests certificatesigningrequests/approval certificatesigningrequests/status "
    "clustertrustbundles",
    "coordination" + _K8S: "leasecandidates leases",
    "discovery" + _K8S: "endpointslices",
    "events" + _K8S: "events",
    "flowcontrol.apiserver" + _K8S: "flowschemas flowschemas/status prioritylevelconfigurations "
    "prioritylevelconfigurations/status",
    "metrics" + _K8S: "nodes pods",
    "networking" + _K8S: "ingressclasses ingresses ingresses/status ipaddresses networkpolicies servicecidrs servicecidrs/status",
    "node" + _K8S: "runtimeclasses",
    "policy": "poddisruptionbudgets poddisruptionbudgets/status",
    "rbac.authorization" + _K8S: "clusterrolebindings clusterroles rolebindings roles",
    "resource" + _K8S: "deviceclasses resourceclaims resourceclaims/status resourceclaimtemplates resourceslices",
    "scheduling" + _K8S: "priorityclasses",
    "storage" + _K8S: "csidrivers csinodes csistoragecapacities storageclasses volumeattachments volumeattachments/status "
    "volumeattributesclasses",
}
"""Facts of the Kubernetes API; what is not here is a custom resource, and judged by its verb."""

_CORE = frozenset(kind for kind in _GROUPS[""].split() if "/" not in kind)
_OF_ANY = frozenset({"", "status", "scale"})
_BELOW = frozenset(
    f"{group}.{kind}" if group else kind for group, kinds in _GROUPS.items() for kind in kinds.split() if "/" in kind
)
_SECRET = frozenset({"secrets", "serviceaccounts/token"})
_RIGHTS = frozenset(f"rbac.authorization{_K8S}.{kind}" for kind in _GROUPS["rbac.authorization" + _K8S].split())
_SETTINGS = frozenset(
    {
        *("secrets", "serviceaccounts", "nodes", "nodes/status", "resourcequotas", "limitranges", "namespaces/finalize"),
        *(f"admissionregistration{_K8S}.{kind}" for kind in _GROUPS["admissionregistration" + _K8S].split()),
        *(f"apiextensions{_K8S}.{kind}" for kind in _GROUPS["apiextensions" + _K8S].split()),
        *(f"apiregistration{_K8S}.{kind}" for kind in _GROUPS["apiregistration" + _K8S].split()),
        *(f"flowcontrol.apiserver{_K8S}.{kind}" for kind in _GROUPS["flowcontrol.apiserver" + _K8S].split()),
        *(f"certificates{_K8S}.{kind}" for kind in _GROUPS["certificates" + _K8S].split()),
        *(f"networking{_K8S}.networkpolicies", f"node{_K8S}.runtimeclasses", f"scheduling{_K8S}.priorityclasses"),
        *(f"storage{_K8S}.storageclasses", f"storage{_K8S}.csidrivers"),
    }
)
"""What the cluster, its defences and its secrets are set up with."""
_TAKES_ALL = frozenset(
    {"namespaces", "persistentvolumes", "persistentvolumeclaims", f"apiextensions{_K8S}.customresourcedefinitions"}
)
"""Whose deletion takes along what is in them."""
_REVIEWS = frozenset(
    f"{group}{_K8S}.{kind}" for group in ("authorization", "authentication") for kind in _GROUPS[group + _K8S].split()
)
_OF_THEIR_OWN: Mapping[str, Judged] = {
    "serviceaccounts/token": (Access.AUTH, Tier.T2, "hands out a credential"),
    "pods/eviction": (Access.DELETE, Tier.T2, "the pod is stopped and deleted"),
    "pods/ephemeralcontainers": (Access.EXECUTE, Tier.T2, "runs a container beside those in the pod"),
}
_READS: Mapping[str, Access] = {"get": Access.READ, "list": Access.LIST, "watch": Access.LIST}
_WRITES = frozenset({"create", "update", "patch"})


def is_core(resource: str) -> bool:
    """Whether it is one of those under `/api/v1`."""
    return resource in _CORE


def operations() -> Iterator[tuple[str, str]]:
    """Every kind and verb that the API has of its own."""
    for group, kinds in _GROUPS.items():
        for kind in kinds.split():
            named = f"{group}.{kind}" if group else kind
            yield from ((named, verb) for verb in _verbs(kind.partition("/")[2]))


def judge(kind: str, verb: str) -> Judged:
    """How bad it is to do that to a kind, and why."""
    if verb == "get" and _is_strange(kind):
        return Access.UNKNOWN, Tier.T2, "a subresource of a server of its own, which may do anything when it is asked for"
    if verb in _READS:
        return (_READS[verb], Tier.T1, "secrets are read") if kind in _SECRET else (_READS[verb], Tier.T0, "")
    if verb == CONNECT:
        return Access.EXECUTE, Tier.T2, "opens a way into what runs: whatever can be done there may be done in it"
    if verb == "deletecollection":
        return Access.DELETE, Tier.T3, "deletes all that there are, or all that are selected"
    if kind in _RIGHTS:
        return Access.ADMIN, Tier.T2, "who may do what in the cluster changes"
    return _deleted(kind) if verb == "delete" else _written(kind, verb)


def _is_strange(kind: str) -> bool:
    """Whether it is a subresource that neither Kubernetes nor a custom resource has: of those a GET may open a console."""
    below = kind.partition("/")[2]
    return below not in _OF_ANY and kind not in _BELOW


def _deleted(kind: str) -> Judged:
    if kind in _TAKES_ALL:
        return Access.DELETE, Tier.T3, "what is in it is deleted with it"
    return Access.DELETE, Tier.T2, ""


def _written(kind: str, verb: str) -> Judged:
    if verb not in _WRITES:
        return Access.UNKNOWN, Tier.T2, "no verb of Kubernetes"
    if kind in _OF_THEIR_OWN:
        return _OF_THEIR_OWN[kind]
    if kind in _REVIEWS and verb == "create":
        return Access.READ, Tier.T0, "asks what somebody may do, and changes nothing"
    if kind in _SETTINGS:
        return Access.ADMIN, Tier.T2, "what the cluster is set up with changes"
    return Access.WRITE, Tier.T1, ""


def _verbs(subresource: str) -> tuple[str, ...]:
    match subresource:
        case "":
            return VERBS
        case "exec" | "attach" | "portforward" | "proxy":
            return (CONNECT,)
        case "log":
            return ("get",)
        case "token" | "binding" | "eviction":
            return ("create",)
        case "finalize":
            return ("update",)
        case _:
            return ("get", "update", "patch")
