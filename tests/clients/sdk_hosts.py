"""Look-alikes of the services that vendors' SDKs call, under their real host names: the least that each SDK reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from clients import vendors, websocket
from clients.lookalikes import Acks, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.lookalikes import Ask, Service

AWS = tuple(f"{name}.eu-central-1.amazonaws.com" for name in ("sts", "acme-things.s3", "ec2"))
CLUSTER = "kubernetes.default.svc"
ELASTIC = "logs.es.eu-west-1.aws.elastic.cloud"

type Said = dict[str, Any] | Callable[[Ask], Answer]


def hosts() -> dict[str, Service]:
    """Every host with what it answers; what nobody meant to ask is a 404, which no SDK takes for success."""
    models = vendors.Models(Acks())
    tables: dict[str, dict[str, Said]] = {
        "storage.googleapis.com": _STORAGE,
        "compute.googleapis.com": _COMPUTE,
        "www.googleapis.com": _DRIVE,
        "gmail.googleapis.com": _GMAIL,
        "api.stripe.com": _STRIPE,
        "api.openai.com": {**_OPENAI, r"POST /v1/(chat/completions|responses)": models.openai},
        "api.anthropic.com": {**_ANTHROPIC, r"POST /v1/messages": models.anthropic},
        "api.github.com": _GITHUB,
        "slack.com": _SLACK,
        "files.slack.com": {"POST /upload/v1/.+": lambda _: Answer(kind="text/plain", body=b"OK - 5")},
        CLUSTER: _KUBERNETES,
        ELASTIC: _ELASTIC,
        "sts.eu-central-1.amazonaws.com": {"POST /": lambda _: _xml(_WHO)},
        "acme-things.s3.eu-central-1.amazonaws.com": {
            "PUT /": lambda _: _xml(""),
            "DELETE /small": lambda _: Answer(204, body=b""),
        },
        "ec2.eu-central-1.amazonaws.com": {},
    }
    return {host: _service(table) for host, table in tables.items()}


def _service(table: dict[str, Said]) -> Service:
    asked = [(re.compile(line), said) for line, said in table.items()]

    def service(ask: Ask) -> Answer:
        line = f"{ask.method} {unquote(ask.path)}"
        said = next((said for wanted, said in asked if wanted.fullmatch(line)), None)
        if said is None:
            return Answer(404, body=json.dumps({"error": f"nobody meant to ask {line}"}).encode())
        return said(ask) if callable(said) else _json(said)

    return service


def _json(value: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    return Answer(
        status, kind, json.dumps(value).encode(), tuple((name.replace("_", "-"), said) for name, said in headers.items())
    )


def _upload(ask: Ask) -> Answer:
    """The whole of it, or where the pieces go."""
    if "uploadType=resumable" not in ask.query:
        return _json({"name": "a/b.txt"})
    return _json({}, Location=f"https://{ask.host}{ask.path}?{ask.query}&upload_id=u1")


def _batch(ask: Ask) -> Answer:
    """https://developers.google.com/drive/api/guides/performance#batch-requests: an answer to each part, by its Content-ID."""
    names = re.findall(rb"(?i)content-id: <([^>]+)>", ask.body)
    body = b"".join(
        b"--b\r\nContent-Type: application/http\r\nContent-ID: <response-%s>\r\n\r\n"
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"id": "f"}\r\n' % name
        for name in names
    )
    return Answer(kind="multipart/mixed; boundary=b", body=body + b"--b--\r\n")


_PLACE = "/compute/v1/projects/acme-shop/zones/europe-west1-b/instances"
_STORAGE: dict[str, Said] = {
    "GET /storage/v1/b/acme-logs/o": {"items": [{"name": "2026/a"}]},
    "POST /upload/storage/v1/b/acme-logs/o": _upload,
    "PUT /upload/storage/v1/b/acme-logs/o": {"name": "large.txt"},
}
_COMPUTE: dict[str, Said] = {
    f"POST {_PLACE}": {"items": [{"name": "web-1"}]},
    f"POST {_PLACE}/web-1/stop": {"status": "RUNNING"},
    f"DELETE {_PLACE}/web-1": {"status": "DONE"},
}
_DRIVE: dict[str, Said] = {
    "POST /drive/v3/files/f1/permissions": {"id": "anyoneWithLink"},
    "POST /batch/drive/v3": _batch,
}
_GMAIL: dict[str, Said] = {"POST /gmail/v1/users/me/messages/send": {"id": "m1"}}


_STRIPE: dict[str, Said] = {
    "(GET|POST) /v1/customers/cus_1": {"id": "cus_1", "object": "customer"},
    "DELETE /v1/customers/cus_1": {"id": "cus_1", "object": "customer", "deleted": True},
    "POST /v1/payment_intents": {"id": "pi_1", "object": "payment_intent"},
    "POST /v1/refunds": {"id": "re_1", "object": "refund"},
    "POST /v1/payouts": {"id": "po_1", "object": "payout"},
}

_EMBEDDING = {"object": "embedding", "embedding": [0.0, 1.0]}
_OPENAI: dict[str, Said] = {
    "GET /v1/models": {"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model", "created": 1, "owned_by": "openai"}]},
    "POST /v1/embeddings": {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{**_EMBEDDING, "index": at} for at in range(2)],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    },
    "POST /v1/files": {"id": "file-1", "object": "file", "bytes": 9, "created_at": 1, "filename": "lines.jsonl", "purpose": "fine-tune", "status": "processed"},
    "POST /v1/fine_tuning/jobs": {"id": "ftjob-1", "object": "fine_tuning.job"},
    "DELETE /v1/files/file-1": {"id": "file-1", "object": "file", "deleted": True},
}  # fmt: skip

_ANTHROPIC: dict[str, Said] = {
    "GET /v1/models": {"data": [{"id": "claude-sonnet-4-5", "type": "model", "display_name": "Sonnet", "created_at": "2026-01-01T00:00:00Z"}], "has_more": False, "first_id": None, "last_id": None},
    "POST /v1/messages/count_tokens": {"input_tokens": 3},
    "POST /v1/messages/batches": {"id": "msgbatch_1", "type": "message_batch"},
    "DELETE /v1/messages/batches/msgbatch_1": {"id": "msgbatch_1", "type": "message_batch_deleted"},
    "DELETE /v1/files/file_1": {"id": "file_1", "type": "file_deleted"},
}  # fmt: skip

_SHA = "1" * 40
_GITHUB: dict[str, Said] = {
    "GET /repos/acme/site": {"id": 1, "name": "site", "full_name": "acme/site", "url": "https://api.github.com/repos/acme/site"},
    "GET /search/issues": {"total_count": 1, "items": [{"number": 3, "url": "https://api.github.com/repos/acme/site/issues/3"}]},
    "POST /repos/acme/site/issues": lambda _: _json({"number": 4, "url": "https://api.github.com/repos/acme/site/issues/4"}, 201),
    "GET /repos/acme/site/pulls/7": {"number": 7, "node_id": "PR_7", "url": "https://api.github.com/repos/acme/site/pulls/7"},
    "PUT /repos/acme/site/pulls/7/merge": {"sha": _SHA, "merged": True, "message": "Merged"},
    "POST /graphql": {"data": {"enablePullRequestAutoMerge": {"actor": {"login": "bot"}, "clientMutationId": None}}},
    "PUT /repos/acme/site/contents/README.md": {"content": {"path": "README.md"}, "commit": {"sha": _SHA}},
    "GET /repos/acme/site/git/refs?/heads/bot": {
        "ref": "refs/heads/bot",
        "url": "https://api.github.com/repos/acme/site/git/refs/heads/bot",
        "object": {"sha": _SHA, "type": "commit"},
    },
    "DELETE /repos/acme/site/git/refs/heads/bot": lambda _: Answer(204, body=b""),
    "DELETE /repos/acme/site": lambda _: Answer(204, body=b""),
}

_SLACK: dict[str, Said] = {
    "(GET|POST) /api/conversations.list": {"ok": True, "channels": [{"id": "C1", "name": "general"}]},
    "(GET|POST) /api/conversations.history": {"ok": True, "messages": [{"text": "hello"}]},
    "POST /api/chat.postMessage": {"ok": True, "channel": "C1", "ts": "1.2"},
    "POST /api/chat.delete": {"ok": True, "channel": "C1", "ts": "1.2"},
    "(GET|POST) /api/files.getUploadURLExternal": {"ok": True, "file_id": "F1", "upload_url": "https://files.slack.com/upload/v1/ABC"},
    "POST /api/files.completeUploadExternal": {"ok": True, "files": [{"id": "F1"}]},
    "POST /api/conversations.(invite|archive)": {"ok": True},
}  # fmt: skip


def _kind(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "metadata": {"name": name, "namespace": "shop"}, **more}


def _pods(ask: Ask) -> Answer:
    if "watch=" in ask.query:
        return Answer(body=(json.dumps({"type": "ADDED", "object": _kind("web", kind="Pod")}).encode() + b"\n" for _ in range(1)))
    return _json({"kind": "PodList", "items": [_kind("web")], "metadata": {}})


def _executed(ask: Ask) -> Answer:
    """What a command said and how it ended, in `v4.channel.k8s.io`: the first byte of a message is its channel."""
    return websocket.says(ask, (b"\x01uid=0(root)\n", b'\x03{"status": "Success"}'), protocol="v4.channel.k8s.io")


_PODS = "/api/v1/namespaces/shop/pods"
_KUBERNETES: dict[str, Said] = {
    f"GET {_PODS}": _pods,
    "GET /api/v1/namespaces/shop/secrets/tls": _kind("tls"),
    "PATCH /apis/apps/v1/namespaces/shop/deployments/web/scale": _kind("web", spec={"replicas": 0}),
    "POST /api/v1/namespaces/shop/configmaps": _kind("settings"),
    "POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings": _kind(
        "bot", roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    ),
    f"GET {_PODS}/web/exec": _executed,
    f"DELETE {_PODS}/web": _kind("web"),
    f"DELETE {_PODS}": {"kind": "Status", "status": "Success"},
    "DELETE /api/v1/namespaces/shop": {"kind": "Status", "status": "Success"},
}


_ELASTIC: dict[str, Said] = {
    "POST /logs/_search": lambda _: _elastic({"hits": {"total": {"value": 1, "relation": "eq"}, "hits": []}}),
    "PUT /logs/_doc/1": lambda _: _elastic({"_index": "logs", "_id": "1", "result": "created"}),
    "(PUT|POST) /_bulk": lambda ask: _elastic({"errors": False, "items": _items(ask)}),
    "POST /_sql": lambda _: _elastic({"rows": [["ann"]], "columns": [{"name": "name"}]}),
    "DELETE /logs/_doc/1": lambda _: _elastic({"_index": "logs", "_id": "1", "result": "deleted"}),
    "POST /logs/_delete_by_query": lambda _: _elastic({"deleted": 3}),
    "DELETE /logs": lambda _: _elastic({"acknowledged": True}),
}


def _elastic(value: dict[str, Any]) -> Answer:
    return _json(value, kind="application/vnd.elasticsearch+json;compatible-with=9", X_Elastic_Product="Elasticsearch")


def _items(ask: Ask) -> list[dict[str, Any]]:
    said = [json.loads(line) for line in ask.body.splitlines() if line]
    return [{name: {"_id": line[name]["_id"], "status": 200}} for line in said for name in ("index", "delete") if name in line]


_WHO = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def _xml(text: str) -> Answer:
    return Answer(kind="text/xml", body=text.encode())
