"""Vendors' own SDKs under their real host names: the log calls what they do as the vendors do, and a refusal is their own exception."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from clients.mcp_host import MCP
from clients.sdk_day import SDKS, Day, day
from clients.sdk_hosts import AWS, CLUSTER, ELASTIC

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("sdks")  # all of them ask through one gate, once

TELL = "That is done by people. Ask ops@acme.example."
REFUSED = {
    "google": ("deletes", "google.compute.instances.delete"),
    "kubernetes": ("deletes_a_namespace", "kubernetes.namespaces.delete"),
    "elasticsearch": ("deletes_an_index", "elasticsearch.indices.delete"),
    "openai": ("tunes", "openai.fine_tuning.jobs.create"),
    "anthropic": ("batches", "anthropic.messages.batches.create"),
    "stripe": ("pays_out", "stripe.PostPayouts"),
    "github": ("deletes", "github.repos/delete"),
    "slack": ("archives", "slack.conversations.archive"),
    "mcp": ("as_of_today", "mcp.tools/call:delete_ticket"),
    "aws": ("ends", "aws.ec2.TerminateInstances"),
    "git": ("pushes_by_force", "git.push"),
}
"""By SDK: the step that may not be, and what it does by its vendor's name."""

NO = f"""{{id: no, match: {{action: [{", ".join(name for sdk, (_, name) in REFUSED.items() if sdk != "git")}]}}, effect: block, tell: "{TELL}"}}"""
NO_FORCE = f"""{{id: no-force, match: {{action: git.push}}, when: 'params.kind == "update" && !params.forward', effect: block, tell: "{TELL}"}}"""


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    with day(tmp_path_factory.mktemp("sdks"), (NO, NO_FORCE)) as done:
        yield done


def done(actions: list[dict[str, Any]]) -> list[str]:
    """What was done, in the order in which it was asked for."""
    return [f"{one['name']} {one['access']} T{one['tier']}" for one in actions]


def params(actions: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """What is on record of the parameters of the first of that name. What may be told to nobody has a name alone."""
    said = next(one for one in actions if one["name"] == name).get("params", [])
    return {one["name"]: one.get("value") for one in said}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def test_google(worked: Day):
    """A GET of over 2,048 characters goes by POST with X-HTTP-Method-Override; a batch is the requests in it."""
    hosts = [f"{name}.googleapis.com" for name in ("storage", "gmail", "compute", "www")]
    actions = worked.actions(*hosts)
    assert done(actions) == lines("""
        google.storage.objects.list list T0
        google.storage.objects.insert write T1
        google.storage.objects.insert write T1
        google.storage.objects.insert write T1
        google.gmail.users.messages.send send T1
        google.compute.instances.list list T1
        google.drive.permissions.create publish T3
        google.batch read T0
        google.drive.files.get read T0
        google.drive.files.delete delete T3
        google.compute.instances.stop write T3
        google.compute.instances.delete delete T3
    """)
    assert params(actions, "google.compute.instances.stop") == {
        "project": "acme-shop",
        "zone": "europe-west1-b",
        "instance": "web-1",
    }
    assert (actions[-1]["resource"], actions[-1]["instance"]) == ("acme-shop/europe-west1-b/web-1", "project:acme-shop")
    overridden = next(seen for seen in worked.services.seen if seen.header("x-http-method-override"))
    assert (overridden.method, overridden.header("x-http-method-override")) == ("POST", ["GET"])
    assert worked.came["google"]["batches"] == ["delete", "get"]


def test_stripe(worked: Day):
    actions = worked.actions("api.stripe.com")
    assert done(actions) == lines("""
        stripe.GetCustomersCustomer read T0
        stripe.PostCustomersCustomer write T1
        stripe.PostPaymentIntents pay T2
        stripe.PostRefunds pay T2
        stripe.PostPayouts pay T2
        stripe.DeleteCustomersCustomer delete T3
    """)
    assert params(actions, "stripe.PostPaymentIntents") == {"amount": {"minor": 2500, "currency": "EUR"}, "confirm": True}
    assert params(actions, "stripe.PostPayouts")["amount"] == {"minor": 100000, "currency": "GBP"}
    assert params(actions, "stripe.DeleteCustomersCustomer") == {"customer": "cus_1"}


def test_openai(worked: Day):
    """Where the provider is told to go is an action of its own."""
    actions = worked.actions("api.openai.com")
    assert done(actions) == lines("""
        openai.models.list list T0
        openai.chat.completions.create execute T1
        openai.egress:url send T1
        openai.responses.create execute T1
        openai.egress:mcp execute T2
        openai.embeddings.create execute T1
        openai.files.create write T1
        openai.fine_tuning.jobs.create execute T2
        openai.files.delete delete T2
    """)
    asked = params(actions, "openai.chat.completions.create")
    assert (asked["model"], asked["max_completion_tokens"], asked["tools"]) == ("gpt-4o-mini", 64, ["delete_file"])
    resources = [one["resource"] for one in actions if ".egress:" in one["name"]]
    assert resources == ["pictures.example/cat.png", "mcp.tickets.example/mcp"]


def test_anthropic(worked: Day):
    actions = worked.actions("api.anthropic.com")
    assert done(actions) == lines("""
        anthropic.models.list list T0
        anthropic.messages.count_tokens read T0
        anthropic.messages.create execute T1
        anthropic.messages.create execute T1
        anthropic.egress:mcp execute T2
        anthropic.messages.batches.create execute T2
        anthropic.messages.batches.delete delete T2
        anthropic.files.delete delete T2
    """)
    asked = params(actions, "anthropic.messages.create")
    assert (asked["model"], asked["max_tokens"], asked["tools"]) == ("claude-sonnet-4-5", 64, ["delete_file"])


def test_github(worked: Day):
    """PyGithub speaks GraphQL where GitHub has nothing else: the mutation counts, not the POST."""
    actions = worked.actions("api.github.com")
    assert done(actions) == lines("""
        github.repos/get read T0
        github.search/issues-and-pull-requests list T0
        github.issues/create write T1
        github.pulls/merge write T1
        github.pulls/get read T0
        github.graphql.mutation.enablePullRequestAutoMerge write T1
        github.repos/create-or-update-file-contents write T1
        github.repos/get read T0
        github.git/get-ref read T0
        github.git/delete-ref delete T2
        github.repos/delete delete T3
    """)
    assert params(actions, "github.git/delete-ref") == {"owner": "acme", "repo": "site", "ref": "heads/bot"}
    merged = next(one for one in actions if "graphql" in one["name"])
    assert merged["resource"] == "PR_7"


def test_slack(worked: Day):
    actions = worked.actions("slack.com", "files.slack.com")
    assert done(actions) == lines("""
        slack.conversations.list list T0
        slack.conversations.history read T0
        slack.chat.postMessage send T1
        slack.files.getUploadURLExternal write T1
        slack.file-upload send T1
        slack.files.completeUploadExternal send T1
        slack.conversations.invite admin T2
        slack.chat.delete delete T2
        slack.conversations.archive admin T2
    """)
    assert params(actions, "slack.chat.postMessage")["channel"] == params(actions, "slack.chat.delete")["channel"] == "C1"


def test_kubernetes(worked: Day):
    """`exec` is a WebSocket to what runs in the pod; a watch never ends by itself."""
    actions = worked.actions(CLUSTER)
    assert done(actions) == lines("""
        kubernetes.pods.list list T0
        kubernetes.pods.watch list T0
        kubernetes.secrets.get read T1
        kubernetes.apps.deployments/scale.patch write T1
        kubernetes.configmaps.create write T1
        kubernetes.pods/exec.connect execute T2
        kubernetes.rbac.authorization.k8s.io.clusterrolebindings.create admin T2
        kubernetes.pods.delete delete T2
        kubernetes.pods.deletecollection delete T3
        kubernetes.namespaces.delete delete T3
    """)
    assert params(actions, "kubernetes.pods.delete") == {"namespace": "shop", "name": "web"}
    assert params(actions, "kubernetes.configmaps.create") == {"namespace": "shop", "dry_run": True}
    assert {one["instance"] for one in actions} == {f"cluster:{CLUSTER}"}
    assert worked.came["kubernetes"]["executes"] == "uid=0(root)\n"


def test_elasticsearch(worked: Day):
    """A bulk is what is in it; its transport knows no proxy, and is decided all the same."""
    actions = worked.actions(ELASTIC)
    assert done(actions) == lines("""
        elasticsearch.search read T0
        elasticsearch.index write T1
        elasticsearch.bulk write T2
        elasticsearch.index write T1
        elasticsearch.delete delete T2
        elasticsearch.sql.select read T0
        elasticsearch.delete delete T2
        elasticsearch.delete_by_query delete T3
        elasticsearch.indices.delete delete T3
    """)
    assert [(one["resource"], one["count"]) for one in actions[3:5]] == [("logs", 3), ("logs", 1)]
    assert {one.get("instance") for one in actions} == {"cluster:logs"}
    assert (params(actions, "elasticsearch.index")["index"], params(actions, "elasticsearch.index")["id"]) == ("logs", "1")
    assert params(actions, "elasticsearch.sql.select")["limit"] == 5


TOOLS = """
    mcp.tools/list list T0
    mcp.tools/call:get_ticket read T0
    mcp.tools/call:create_ticket write T1
    mcp.tools/call:delete_ticket delete T2
"""


def test_mcp(worked: Day):
    """The client of the `mcp` package and its server, in the protocol of 2026-07-28 and in the one that begins with a handshake."""
    actions = done(worked.actions(MCP))
    begun = lines("mcp.server/discover read T0" + TOOLS)
    assert actions[: len(begun)] == begun
    shaken = "mcp.initialize read T0\nmcp.notifications/initialized send T0\nmcp.listen read T0\nmcp.close write T1"
    assert Counter(actions[len(begun) :]) == Counter(lines(shaken + TOOLS))
    assert worked.came["mcp"]["as_of_today"][:3] == [
        ["get_ticket", "create_ticket", "delete_ticket"],
        "T-7: a title",
        "T-8: A title",
    ]


def test_boto3(worked: Day):
    """More of AWS, against moto, is in test_aws.py."""
    actions = worked.actions(*AWS)
    assert done(actions) == lines("""
        aws.sts.GetCallerIdentity read T0
        aws.s3.CreateBucket write T1
        aws.s3.DeleteObject delete T2
        aws.ec2.TerminateInstances delete T3
    """)
    assert [one["resource"] for one in actions[1:]] == ["acme-things", "acme-things/small", "i-0123456789abcdef0"]


def test_git(worked: Day):
    pushed = [one for one in worked.actions("github.com") if one["name"] == "git.push"]
    assert done(pushed) == ["git.push write T1", "git.push write T1", "git.push write T2", "git.push delete T2"]
    said = [{one["name"]: one.get("value") for one in push["params"]} for push in pushed]
    assert [(one["kind"], one.get("forward"), one["ref"]) for one in said] == [
        (kind, forward, "refs/heads/bot")
        for kind, forward in (("create", None), ("update", True), ("update", False), ("delete", None))
    ]


@pytest.mark.parametrize("sdk", SDKS)
def test_what_may_not_be_is_an_exception_that_says_why(worked: Day, sdk: str):
    step, name = REFUSED[sdk]
    said = worked.came[sdk][step]
    told = said[3]["text"] if sdk == "mcp" else said["text"]
    assert TELL in told, said
    refused = [one for one in worked.decisions if one.answer == "block" and one.fields["actions"][0]["name"] == name]
    assert len(refused) == (2 if sdk == "mcp" else 1), "asked once, and not tried again"


def test_everything_else_was_done(worked: Day):
    """What was let out is what the services saw: the oracle compares every digest. Here: each SDK took their answers."""
    failed = {
        (sdk, step): said
        for sdk, steps in worked.came.items()
        for step, said in steps.items()
        if isinstance(said, dict) and "error" in said
    }
    assert failed.keys() == {(sdk, step) for sdk, (step, _) in REFUSED.items() if sdk != "mcp"}, failed
    assert [one.line for one in worked.decisions if not all(action["mapped"] for action in one.fields["actions"])] == []
