"""What was mined from SDKs: as much as there is, named as the service files name it, and read out of the source alone."""

from __future__ import annotations

import json
import re
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build import FAMILIES
from miners import elastic, github, google, linear, models, slack, stainless, stripe
from miners.stripe import operation_id
from outgate.document import parse
from write import Mined, described, read

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parents[2] / "rules/services"
LEAST = {
    "anthropic": 250,
    "asana": 240,
    "atlassian": 900,
    "bitbucket": 300,
    "box": 240,
    "cloudflare": 2_600,
    "cohere": 40,
    "datadog": 1_800,
    "databricks": 1_000,
    "digitalocean": 285,
    "docusign": 420,
    "elasticsearch": 540,
    "github": 1_480,
    "google": 16_900,
    "groq": 16,
    "hubspot": 620,
    "launchdarkly": 390,
    "linear": 470,
    "mistral": 280,
    "msgraph": 16_000,
    "netlify": 115,
    "notion": 70,
    "okta": 680,
    "openai": 370,
    "opensearch": 480,
    "pinecone": 80,
    "plaid": 340,
    "qdrant": 65,
    "sendgrid": 330,
    "slack": 275,
    "square": 195,
    "stripe": 640,
    "twilio": 1_500,
    "vercel": 110,
}


def _record() -> dict:
    return json.loads((HERE / "mined/SOURCES.json").read_text())


@pytest.mark.parametrize(("service", "least"), LEAST.items())
def test_no_fewer_operations_than_there_were(service, least):
    names = {
        row[0]
        for file, facts in _record()["files"].items()
        if facts["service"] == service
        for row in read((HERE / "mined" / file).read_bytes())["operations"]
    }
    assert len(names) >= least


def test_every_package_that_is_mined_is_recorded_with_its_licence():
    recorded = {(source["package"], source["registry"]): source["licence"] for source in _record()["sources"]}
    mined = {(package.package, package.registry): package.licence for family in FAMILIES for package in family.packages}
    assert recorded == mined


def _mined_routes(service: str) -> dict[tuple[str, str], set[str]]:
    routes = defaultdict(set)
    for file, facts in _record()["files"].items():
        if facts["service"] == service:
            for name, lines in described(read((HERE / "mined" / file).read_bytes())).items():
                for line in filter(None, (line.partition(" · ")[0] for line in lines)):
                    method, _, path = line.partition(" ")
                    routes[method, path].add(name)
    return routes


@pytest.mark.parametrize("service", ["anthropic", "github", "openai", "slack", "stripe"])
def test_a_route_that_was_mined_is_not_written_by_hand_too(service):
    said = parse((HERE / f"{service}.yaml").read_text(encoding="utf-8"), service).value
    mined = _mined_routes(service)
    twice = {
        (name, route)
        for name, one in said["operations"].items()
        for route in _routes(one.get("on", ()))
        if name in mined.get(route, ())
    }
    assert twice == set()


def _routes(on: str | list[str]) -> Iterator[tuple[str, str]]:
    for route in [on] if isinstance(on, str) else on:
        methods, _, path = route.partition(" ")
        yield from ((method, re.sub(r"\{[^{}+]*(\+?)\}", r"{\1}", path)) for method in methods.split("|"))


def _wheel(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "some.whl"
    with zipfile.ZipFile(path, "w") as opened:
        for name, source in files.items():
            opened.writestr(name, source)
    return path


def _mine(miner, folder: Path, files: dict[str, str]) -> list[tuple[str, str | None, str | None]]:
    return [
        (one.name, one.method, one.template)
        for part in miner(_wheel(folder, files))
        for one in sorted(part.operations, key=_order)
    ]


def _order(one: Mined) -> tuple[str, str, str]:
    return one.name, one.method or "", one.template or ""


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/refunds", "PostRefunds"),
        ("POST", "/v1/refunds/{refund}/cancel", "PostRefundsRefundCancel"),
        ("GET", "/v1/billing_portal/configurations/{configuration}", "GetBillingPortalConfigurationsConfiguration"),
        ("DELETE", "/v1/customers/{customer}", "DeleteCustomersCustomer"),
        ("POST", "/v2/core/event_destinations", "PostV2CoreEventDestinations"),
    ],
)
def test_stripes_names_follow_from_method_and_path(method, path, name):
    assert operation_id(method, path) == name


def test_stripes_operations_are_the_calls_of_its_services(tmp_path):
    source = """
class RefundService:
    def create(self): return self._request("post", "/v1/refunds", base_address="api")
    def cancel(self, refund): return self._request("post", "/v1/refunds/{refund}/cancel".format(refund=sanitize_id(refund)))
    def authorize(self): return self._request("post", "/oauth/token", base_address="connect")
"""
    assert _mine(stripe.mine, tmp_path, {"stripe/_refund_service.py": source}) == [
        ("PostRefunds", "POST", "/v1/refunds"),
        ("PostRefundsRefundCancel", "POST", "/v1/refunds/{refund}/cancel"),
    ]


def test_what_lists_in_stripes_sdk_is_listed(tmp_path):
    source = """
class CouponService:
    def list(self): return self._request("get", "/v1/coupons", base_address="api")
    def retrieve(self, coupon): return self._request("get", "/v1/coupons/{coupon}".format(coupon=sanitize_id(coupon)))
    def search_async(self): return self._request_async("get", "/v1/coupons/search", base_address="api")
"""
    (part,) = stripe.mine(_wheel(tmp_path, {"stripe/_coupon_service.py": source}))
    assert {one.name: one.level for one in part.operations} == {
        "GetCoupons": "l",
        "GetCouponsCoupon": "",
        "GetCouponsSearch": "l",
    }


def test_a_path_that_is_either_of_two_is_both(tmp_path):
    source = """
class Rulesets:
    def create(self, account_or_zone, account_or_zone_id):
        return self._post(path_template("/{account_or_zone}/{account_or_zone_id}/rulesets", account_or_zone=account_or_zone))
"""
    assert _mine(stainless.cloudflare, tmp_path, {"cloudflare/resources/rulesets/rulesets.py": source}) == [
        ("rulesets.create", "POST", "/client/v4/accounts/{account_id}/rulesets"),
        ("rulesets.create", "POST", "/client/v4/zones/{zone_id}/rulesets"),
    ]


def test_an_endpoint_of_elasticsearch_has_every_path_that_its_client_asks(tmp_path):
    source = """
class Elasticsearch:
    def search(self, index=None):
        if index not in SKIP_IN_PATH:
            __path_parts: dict = {"index": _quote(index)}
            __path = f'/{__path_parts["index"]}/_search'
        else:
            __path_parts = {}
            __path = "/_search"
        return self.perform_request("POST", __path, endpoint_id="search")
"""
    assert _mine(elastic.elasticsearch, tmp_path, {"elasticsearch/_sync/client/__init__.py": source}) == [
        ("search", "GET", "/_search"),
        ("search", "GET", "/{index}/_search"),
        ("search", "POST", "/_search"),
        ("search", "POST", "/{index}/_search"),
    ]


def test_what_a_client_of_elasticsearch_puts_may_be_posted_unless_that_is_something_else(tmp_path):
    source = """
class Elasticsearch:
    def bulk(self):
        __path = "/_bulk"
        return self.perform_request("PUT", __path, endpoint_id="bulk")
    def put_model(self):
        __path = f'/_inference/{__path_parts["model_id"]}'
        return self.perform_request("PUT", __path, endpoint_id="inference.put")
    def inference(self):
        __path = f'/_inference/{__path_parts["inference_id"]}'
        return self.perform_request("POST", __path, endpoint_id="inference.inference")
"""
    found = _mine(elastic.elasticsearch, tmp_path, {"elasticsearch/_sync/client/__init__.py": source})
    assert {(method, name) for name, method, _ in found} == {
        ("PUT", "bulk"),
        ("POST", "bulk"),
        ("PUT", "inference.put"),
        ("POST", "inference.inference"),
    }


def test_what_opensearch_may_leave_out_is_left_out_too(tmp_path):
    source = """
class KnnPlugin:
    def stats(self, *, node: Any = None, stat: Any, params: Any = None):
        return self.transport.perform_request("GET", _make_path("_knn", node, "stats", stat), params=params)
"""
    assert _mine(elastic.opensearch, tmp_path, {"opensearchpy/plugins/knn.py": source}) == [
        ("knn.stats", "GET", "/_knn/stats/{stat}"),
        ("knn.stats", "GET", "/_knn/{node}/stats/{stat}"),
    ]


def test_cohere_and_mistral_are_read_where_they_send(tmp_path):
    cohere = 'class RawV2Client:\n    def chat_stream(self):\n        self._c.httpx_client.stream("v2/chat", method="POST")\n'
    mistral = (
        'class Chat:\n    def complete(self):\n        self._build_request(method="POST", path="/v1/chat/completions#stream")\n'
    )
    assert _mine(models.cohere, tmp_path, {"cohere/v2/raw_client.py": cohere}) == [("v2.chat", "POST", "/v2/chat")]
    assert _mine(models.mistral, tmp_path, {"mistralai/client/chat.py": mistral}) == [
        ("chat.complete", "POST", "/v1/chat/completions")
    ]


def test_names_of_files_and_refs_hold_slashes_at_github(tmp_path):
    said = {"paths": {"/repos/{owner}/{repo}/branches/{branch}/rename": {"post": {"operationId": "repos/rename-branch"}}}}
    assert _mine(github.rest, tmp_path, {"package/generated/api.github.com.json": json.dumps(said)}) == [
        ("repos/rename-branch", "POST", "/repos/{owner}/{repo}/branches/{branch+}/rename")
    ]


def test_fields_of_a_schema_are_operations_without_a_path(tmp_path):
    schema = "type Query { viewer: String } type Mutation { deleteRef: String }"
    assert _mine(github.graphql, tmp_path, {"package/schema.graphql": schema}) == [
        ("graphql.mutation.deleteRef", None, None),
        ("graphql.query.viewer", None, None),
    ]


def test_linears_fields_are_read_from_the_documents_that_it_sends(tmp_path):
    source = 'x = new Doc(`\n mutation deleteIssue($id: String!, $at: Date = "(") {\n  issueDelete(id: $id) { ...A }\n}`)'
    assert _mine(linear.mine, tmp_path, {"package/dist/index.mjs": source.replace(', $at: Date = "("', "")}) == [
        ("graphql.mutation.issueDelete", None, None)
    ]


def test_a_method_of_slack_is_called_in_two_ways(tmp_path):
    assert _mine(slack.mine, tmp_path, {"package/dist/methods.js": "postMessage: bindApiCall(this, 'chat.postMessage'),"}) == [
        ("chat.postMessage", "GET", "/api/chat.postMessage"),
        ("chat.postMessage", "POST", "/api/chat.postMessage"),
    ]
    (part,) = slack.mine(tmp_path / "some.whl")
    assert part.meta == {"rpc": True}


READ_ONLY = "https://www.googleapis.com/auth/things.readonly"
FULL = "https://www.googleapis.com/auth/things"


def _method(name: str, verb: str, path: str, *scopes: str, **more: object) -> dict:
    return {"id": f"things.{name}", "httpMethod": verb, "path": path, "scopes": list(scopes), **more}


def _document(*methods: dict, **more: object) -> str:
    said = {"id": "things:v1", "name": "things", "version": "v1", "rootUrl": "https://things.googleapis.com/", "servicePath": ""}
    return json.dumps(said | {"revision": "20260101", "methods": {one["id"]: one for one in methods}} | more)


def _google(folder: Path, *documents: str):
    root = "googleapiclient/discovery_cache/documents"
    return list(google.mine(_wheel(folder, {f"{root}/{at}.json": text for at, text in enumerate(documents)})))


READS = (
    _method("get", "GET", "v1/things/{id}", FULL, READ_ONLY),
    _method("list", "GET", "v1/things", FULL, READ_ONLY),
)


def test_a_method_of_google_that_a_reader_may_call_is_a_read(tmp_path):
    asking = _method("query", "POST", "v1/things:query", FULL, READ_ONLY)
    deleting = _method("delete", "DELETE", "v1/things/{id}", FULL)
    (part,) = _google(tmp_path, _document(*READS, asking, deleting))
    assert {one.name: one.level for one in part.operations} == {
        "things.get": "r",
        "things.list": "r",
        "things.query": "r",
        "things.delete": "",
    }


def test_scopes_that_let_readers_create_say_nothing(tmp_path):
    (part,) = _google(tmp_path, _document(*READS, _method("create", "POST", "v1/things", FULL, READ_ONLY)))
    assert {one.level for one in part.operations} == {""}


def test_readers_may_subscribe_an_address_of_theirs_but_that_is_no_read(tmp_path):
    (part,) = _google(tmp_path, _document(*READS, _method("watch", "POST", "v1/things/watch", READ_ONLY)))
    assert [one.level for one in part.operations if one.name == "things.watch"] == [""]


def test_the_newest_document_of_a_version_counts(tmp_path):
    old = _document(_method("old", "GET", "v1/old"), revision="20250101")
    (part,) = _google(tmp_path, _document(*READS), old)
    assert {one.name for one in part.operations} == {"things.get", "things.list"}


def test_an_upload_has_paths_of_its_own_and_goes_on_by_put(tmp_path):
    uploads = {"protocols": {"simple": {"path": "/upload/v1/things"}, "resumable": {"path": "/resumable/upload/v1/things"}}}
    (part,) = _google(tmp_path, _document(_method("insert", "POST", "v1/things", mediaUpload=uploads)))
    assert {(one.method, one.template) for one in part.operations} == {
        ("POST", "/v1/things"),
        ("POST", "/upload/v1/things"),
        ("POST", "/resumable/upload/v1/things"),
        ("PUT", "/resumable/upload/v1/things"),
    }


def test_every_host_of_an_api_is_its_own_and_old_paths_are_at_the_shared_host_too(tmp_path):
    parts = _google(tmp_path, _document(_method("get", "GET", "{id}"), servicePath="things/v1/"))
    assert {part.part: part.hosts for part in parts} == {
        "things": (
            "things.googleapis.com",
            "things.mtls.googleapis.com",
            "{region}-things.googleapis.com",
            "things.{region}.rep.googleapis.com",
        ),
        "www": ("www.googleapis.com", "content.googleapis.com"),
    }
    assert {one.template for part in parts for one in part.operations} == {"/things/v1/{id}"}
