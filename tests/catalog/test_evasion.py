"""Requests that do more than they look like: each is what the server would make of it, or nothing that only reads."""

import pytest
from asked import asked

from outgate.actions.action import Tier
from outgate.actions.identify import identify, wants_body
from outgate.intake.request import UnreadBody
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
