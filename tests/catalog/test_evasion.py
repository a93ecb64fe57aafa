"""Requests that do more than they look like: each is what the server would make of it, or nothing that only reads."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from asked import asked

from outgate.actions.action import Tier
from outgate.actions.identify import identify, wants_body
from outgate.actions.verbs import verb_of
from outgate.intake.request import Request, UnreadBody, WholeBody
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
GMAIL = "https://gmail.googleapis.com/gmail/v1/users/me/messages"
GRAPH = "https://graph.microsoft.com/v1.0"
ARM = "https://management.azure.com"
GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g"
TELEGRAM = "https://api.telegram.org/bot1:A"


def told(line, **asking):
    return identify(asked(line, **asking), CATALOG)


def reads(actions):
    return all(action.access.only_reads and action.tier is Tier.T0 for action in actions)


def call(name, **params):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, **params}}


NAMED = [
    # a method in the query that Google's APIs go by
    (f"GET {GMAIL}/5?$httpMethod=DELETE", {}, "google.gmail.users.messages.delete"),
    (f"GET {GMAIL}/5?%24httpMethod=DELETE", {}, "google.gmail.users.messages.delete"),
    (f"GET {GMAIL}/5?%24http%4Dethod=delete", {}, "google.gmail.users.messages.delete"),
    (f"POST {GMAIL}/send?$httpMethod=GET", {"json": {}}, "google.gmail.users.messages.send"),
    # one in a query or a form that Rails, Laravel and others go by
    ("POST https://api.stripe.com/v1/customers/cus_1?_method=DELETE", {}, "stripe.DeleteCustomersCustomer"),
    ("POST https://api.stripe.com/v1/customers/cus_1?%5Fmethod=delete", {}, "stripe.DeleteCustomersCustomer"),
    ("POST https://api.stripe.com/v1/customers/cus_1", {"form": "a=b&_method=delete"}, "stripe.DeleteCustomersCustomer"),
    ("POST https://api.stripe.com/v1/customers/cus_1", {"form": "a=b&%5fmethod=delete"}, "stripe.DeleteCustomersCustomer"),
    ("POST https://api.stripe.com/v1/refunds", {"form": "_method=GET"}, "stripe.PostRefunds"),
    # other spellings of a path
    ("POST https://api.stripe.com/v1/refunds.json", {"form": "charge=c"}, "stripe.PostRefunds"),
    ("POST https://api.stripe.com/v1/refunds.xml", {"form": "charge=c"}, "stripe.PostRefunds"),
    ("POST https://api.stripe.com/v1/%2572efunds/", {"form": "charge=c"}, "stripe.PostRefunds"),
    ("POST https://api.stripe.com//v1//refunds;a=b", {"form": "charge=c"}, "stripe.PostRefunds"),
    ("POST https://API.stripe.com.:443/v1/refunds", {"form": "charge=c"}, "stripe.PostRefunds"),
    (
        "POST https://api.twilio.com/2010-04-01/Accounts/A/Messages",
        {"form": "To=1"},
        "twilio.api.v2010.account.message.create",
    ),
    (
        "POST https://api.twilio.com/2010-04-01/Accounts/A/Messages.xml",
        {"form": "To=1"},
        "twilio.api.v2010.account.message.create",
    ),
    (
        "POST https://sheets.googleapis.com/v4/spreadsheets/5%3AbatchUpdate",
        {"json": {}},
        "google.sheets.spreadsheets.batchUpdate",
    ),
    (
        "POST https://sheets.googleapis.com/v4/spreadsheets/5%253abatchUpdate",
        {"json": {}},
        "google.sheets.spreadsheets.batchUpdate",
    ),
    (f"POST {GRAPH}/Me/SENDMAIL", {"json": {}}, "msgraph.users.sendMail"),
    (f"POST {GRAPH}/me/microsoft.graph.sendMail()", {"json": {}}, "msgraph.users.sendMail"),
    ("GET https://slack.com/api//chat.postMessage?channel=C", {}, "slack.chat.postMessage"),
    ("HEAD https://slack.com/api/chat.postMessage?channel=C", {}, "slack.chat.postMessage"),
    (
        "GET https://secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/latest%3Aaccess",
        {},
        "google.secretmanager.projects.secrets.versions.access",
    ),
]

NO_READS = [
    # a token by GET, a console of an API server's own, what is read to be changed
    ("GET https://idp.example/oauth/token?grant_type=client_credentials", {}),
    ("GET https://oauth2.googleapis.com/token?grant_type=client_credentials", {}),
    ("GET https://kubernetes.default.svc/apis/subresources.kubevirt.io/v1/namespaces/n/virtualmachineinstances/v/console", {}),
    (
        "POST https://bigtable.googleapis.com/google.bigtable.v2.Bigtable/ReadModifyWriteRow",
        {"headers": {"content-type": "application/grpc"}},
    ),
    (
        "POST https://github.com/a/b.git/info/lfs/objects/batch",
        {"headers": {"content-type": "application/vnd.git-lfs+json"}, "text": '{"operation": "download", "Operation": "upload"}'},
    ),
    # secrets
    (
        "POST https://management.azure.com/subscriptions/s1/resourceGroups/g/providers/Microsoft.Web/sites/w/config/appsettings/list?api-version=1",
        {},
    ),
    ("GET https://acme.vault.azure.net/SECRETS/db?api-version=7.4", {}),
    ("POST https://ep-1.us-east-1.aws.neon.tech/sql", {"json": {"query": "SELECT rolpassword FROM pg_authid"}}),
    ("POST https://ep-1.us-east-1.aws.neon.tech/sql", {"json": {"query": 'SELECT * FROM pg_catalog."pg_shadow"'}}),
    # methods of Slack are called by whatever gets there
    ("GET https://slack.com/api/chat.postMessage/x?channel=C", {}),
    ("OPTIONS https://slack.com/api/chat.postMessage?channel=C", {}),
    ("GET https://hooks.slack.com/services/T/B/x?payload=%7B%7D", {}),
    ("GET https://acme.enterprise.slack.com/api/chat.postMessage?channel=C", {}),
    ("GET https://slack-gov.com/api/chat.postMessage?channel=C", {}),
    ("GET https://p.supabase.co/auth/v1/verify?token=x&type=signup", {}),
    (f"GET {GMAIL}/5?$httpHeaders=X-HTTP-Method-Override%3ADELETE", {}),
    (f"GET {GMAIL}/5?$req=%7B%7D", {}),
    # .NET and Go read keys of any case, and the last one counts
    (f"POST {GRAPH}/$batch", {"json": {"requests": [{"id": "1", "method": "GET", "url": "/me", "Method": "DELETE"}]}}),
    (f"POST {GRAPH}/$batch", {"json": {"requests": [{"id": "1", "method": "GET", "url": "/me", "Url": "/me/sendMail"}]}}),
    (f"POST {GRAPH}/$batch", {"json": {"requests": [{"id": "1", "method": "GET", "url": "/me"}], "Requests": []}}),
    (f"POST {GRAPH}/$batch", {"json": {"requests": [{"id": "1", "method": "GET", "url": "https://other.example/me"}]}}),
    ("POST https://mcp.linear.app/mcp", {"json": call("list_issues", Name="delete_issue")}),
    ("POST https://mcp.linear.app/mcp", {"json": call("list_issues", arguments={}, Arguments={"sql": "DROP TABLE t"})}),
    # hosts that nobody declared, and that do things by GET
    (f"GET {TELEGRAM}/sendMessage?chat_id=1&text=x", {}),
    (f"GET {TELEGRAM}/logOut", {}),
    (f"GET {TELEGRAM}/deleteWebhook/", {}),
    ("GET https://bots.example/bot1:A/sendmessage?chat_id=1&text=x", {}),
    ("GET https://bots.example/bot1:A/setWebhook?url=https://other.example", {}),
    ("GET https://firestore.googleapis.com/google.firestore.v1.Firestore/Write/channel?VER=8", {}),
    (f"GET {TELEGRAM}/sendmessage?chat_id=1&text=x", {}),
    (f"GET {TELEGRAM}/setWebhook?url=https://other.example", {}),
    (f"GET {TELEGRAM}/forwardMessage?chat_id=1", {}),
    ("GET https://api.vk.example/method/wall.post?message=x", {}),
    ("GET https://ci.example/job/j/build?token=t", {}),
    ("GET https://ci.example/job/j/buildWithParameters?token=t", {}),
    ("GET https://www.duckdns.org/update?domains=x", {}),
    ("GET https://sms.example/v1/send?to=1&text=x", {}),
    ("GET https://forum.example/?do=delete&id=3", {}),
    ("GET https://forum.example/x?Command=delete", {}),
    ("GET https://graph.facebook.com/1?method=delete", {}),
    ("GET https://api.example/a?$httpMethod=DELETE", {}),
    ("GET https://api.example/a?X-HTTP-Method-Override=DELETE", {}),
    ("GET https://api.example/api?query=mutation%7BdeleteRef%7Bx%7D%7D", {}),
    ("GET https://docs.google.com/forms/d/e/x/formResponse?entry.1=x", {}),
]


@pytest.mark.parametrize(("line", "asking", "name"), NAMED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_written_in_another_way_has_the_same_name_among_its_actions(line, asking, name):
    actions = told(line, **asking)
    assert name in {action.name for action in actions}
    assert not reads(actions)


@pytest.mark.parametrize(("line", "asking"), NO_READS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_may_change_something_is_no_read(line, asking):
    assert not reads(told(line, **asking))


@pytest.mark.parametrize(
    ("line", "said", "name"),
    [
        ("https://api.mistral.ai/v1/agents", {"tools": [{"type": "web_search"}]}, "mistral.egress:tool"),
        (
            "https://api.mistral.ai/v1/ocr",
            {"document": {"type": "document_url", "document_url": "https://a.b/c"}},
            "mistral.egress:url",
        ),
        (
            "https://api.openai.com/v1/threads/runs",
            {"tools": [{"type": "mcp", "server_url": "https://a.b"}]},
            "openai.egress:mcp",
        ),
        (
            "https://api.anthropic.com/v1/messages",
            {"mcp_servers": [{"type": "url", "url": "https://a.b"}]},
            "anthropic.egress:mcp",
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent",
            {"tools": [{"url_context": {}}]},
            "gemini.egress:tool",
        ),
    ],
)
def test_what_a_provider_fetches_by_itself_is_an_action_in_every_shape(line, said, name):
    assert name in {action.name for action in told(f"POST {line}", json=said)}


def test_a_form_that_may_name_another_method_is_seen_whole():
    request = asked(
        "POST https://api.stripe.com/v1/customers/cus_1",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=UnreadBody(),
    )
    assert wants_body(request, CATALOG)


@pytest.mark.parametrize(
    "one",
    [
        {"httpMethod": "GET", "HttpMethod": "DELETE", "url": f"{GROUP}?api-version=1"},
        {"httpMethod": "GET", "method": "DELETE", "url": f"{GROUP}?api-version=1"},
        {"httpMethod": "GET", "url": f"{GROUP}?api-version=1", "URL": f"{GROUP}?api-version=1"},
    ],
)
def test_a_batch_to_azure_that_says_two_things_is_unreadable(one):
    assert "azure.unreadable" in {action.name for action in told(f"POST {ARM}/batch?api-version=1", json={"requests": [one]})}


_DEEDS = re.compile(
    "delete|remove|create|add|replace|send|execute|update|patch|insert|copy|move|set|upload|publish|deploy|pay|refund|transfer|"
    "grant|revoke|terminate|purge"
)
_SHOWN = {"stripe.PostInvoicesCreatePreview"}
"""What creates something that is shown and kept nowhere."""


def test_no_operation_that_is_named_by_a_deed_and_asked_for_by_another_method_than_get_is_a_read():
    found = set()
    for service in map(CATALOG.service, CATALOG.services()):
        for part in service.mined.parts if service is not None and service.name not in {"aws", "azure"} else ():
            for method, _, index in part.routes():
                verb = verb_of(part.facts[index].name)
                if method in {"POST", "PUT", "PATCH", "DELETE"} and verb is not None and _DEEDS.fullmatch(verb.word):
                    operation = service.route(part, index, method).operation
                    found |= {operation.name} if operation.access.only_reads else set()
    assert found <= _SHOWN


@pytest.mark.parametrize(
    "line",
    [
        "GET https://news.example/search?q=delete",
        "GET https://news.example/2026/senders?page=2",
        "GET https://docs.example/api/sendMessage",
        "GET https://docs.example/updates?page=2",
        "GET https://docs.example/setup?x=1",
        "GET https://shop.example/index.html?_method=GET",
        "GET https://docs.example/builds/post?id=3",
        f"GET {GMAIL}/5?format=full&fields=id%2Cpayload",
        "GET https://api.github.com/repos/acme/site/contents/a.json",
        "GET https://api.stripe.com/v1/refunds?limit=3",
    ],
)
def test_what_only_reads_stays_a_read(line):
    assert reads(told(line))


_OPERATIONS = 60


def _with(name: str, value: str) -> Callable[[Request], Request]:
    return lambda request: replace(request, headers=(*(kept for kept in request.headers if kept[0] != name), (name, value)))


def _asking(field: str) -> Callable[[Request], Request]:
    return lambda request: replace(request, query=field)


def _saying(content: bytes) -> Callable[[Request], Request]:
    return lambda request: replace(request, body=WholeBody(content))


def _last(change: Callable[[str], str]) -> Callable[[Request], Request]:
    """Another spelling of the last segment of the path."""

    def dressed(request: Request) -> Request:
        head, slash, last = request.path.rpartition("/")
        return replace(request, path=f"{head}{slash}{change(last)}")

    return dressed


DISGUISES: dict[str, Callable[[Request], Request]] = {
    "a slash at its end": _last(lambda last: f"{last}/"),
    "two slashes": lambda request: replace(request, path=f"/{request.path}"),
    "a format": _last(lambda last: f"{last}.json"),
    "an escape": _last(lambda last: f"%{ord(last[0]):02x}{last[1:]}" if last else last),
    "an escape, escaped": _last(lambda last: f"%25{ord(last[0]):02x}{last[1:]}" if last else last),
    "an escaped slash": _last(lambda last: f"{last}%2F"),
    "a parameter of its path": _last(lambda last: f"{last};a=b"),
    "large letters": lambda request: replace(request, path=request.path.upper()),
    "a method in the query": _asking("_method=GET"),
    "fields that read": _asking("Action=DescribeInstances&action=list&x-id=GetObject&dry_run=true&dryRun=All"),
    "another type": _with("content-type", "text/plain"),
    "gRPC": _with("content-type", "application/grpc"),
    "a form that names a method": lambda request: _saying(b"_method=GET")(
        _with("content-type", "application/x-www-form-urlencoded")(request)
    ),
    "MCP": lambda request: _saying(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')(_with("mcp-method", "tools/list")(request)),
    "GraphQL": _saying(b'{"query":"{viewer{login}}"}'),
    "a method in Google's field": _asking("$httpMethod=GET"),
}


def _changes() -> Iterator[Request]:
    """Some operations of each service that were mined, of which the vendor says no level and whose method changes something."""
    dice = random.Random(7)
    for name in CATALOG.services():
        service = CATALOG.service(name)
        if service is None or name in {"aws", "azure", "kubernetes"}:
            continue
        for part in dice.sample(service.mined.parts, min(12, len(service.mined.parts))):
            host = next((host for host, of in service.mined.hosts if of == part.name and host[0] != "/"), service.hosts[0])
            host = re.sub(r"\{[^}]*\}|\*", "x1", host).lower()
            of_part = [(m, t) for m, t, i in part.routes() if m in {"POST", "PUT", "PATCH", "DELETE"} and not part.facts[i].level]
            for method, template in dice.sample(of_part, min(_OPERATIONS, len(of_part))):
                path = re.sub(r"\{\+?[^}]*\}", "x1", template)
                yield asked(f"{method} https://{host}{'/v1.0' if name == 'msgraph' else ''}{path}", json={})


def test_no_disguise_makes_a_read_of_what_changes_something():
    found = []
    for request in _changes():
        if all(action.access.only_reads for action in identify(request, CATALOG)):
            continue
        for name, dress in DISGUISES.items():
            if all(action.access.only_reads for action in identify(dress(request), CATALOG)):
                found.append((name, request.method, request.authority + request.path))
    assert found == []
