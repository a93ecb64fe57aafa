import pytest
from asked import asked

from outgate.inspect.credentials import without_credentials
from outgate.intake.request import WholeBody
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()

# Put together here, so that no scanner takes this file for a leak.
GITHUB = "ghp" + "_" + "Ab3" * 12
STRIPE = "sk" + "_live_" + "Ab3" * 8
OPENAI = "sk-proj" + "-" + "Ab3" * 20
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0xMjM0" + ".c2lnbmF0dXJl"
BOT = "bot123456789:" + "AAE" * 12


def seen(line, **given):
    return without_credentials(asked(line, **given), CATALOG)


def headers_seen(headers, line="POST https://api.stripe.com/v1/refunds"):
    return {name for name, _ in seen(line, headers=headers).headers}


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "cookie", "x-api-key", "api-key", "x-auth-token", "private-token", "x-amz-security-token"),
        *("x-goog-api-key", "ocp-apim-subscription-key", "dd-application-key", "x-vault-token", "x-shopify-access-token"),
        *("x-functions-key", "apikey", "x-csrf-token", "dpop", "signature", "x-password", "x_auth_token", "x-access-key"),
    ],
)
def test_a_header_that_is_for_getting_in_is_gone_whatever_it_holds(name):
    assert headers_seen({name: "anything", "accept": "*/*"}) == {"accept"}


@pytest.mark.parametrize(
    "name", ["idempotency-key", "mcp-session-id", "x-amz-date", "x-amz-content-sha256", "accept", "stripe-version", "author"]
)
def test_what_a_mock_needs_stays(name):
    assert headers_seen({name: "2026-01-31"}) == {name}


def test_the_slot_that_a_service_declares_is_gone():
    assert headers_seen({"x-shopify-access-token": "plain"}, "GET https://acme.myshopify.com/admin/api/2026-01/x.json") == set()


@pytest.mark.parametrize("value", [GITHUB, f"token={STRIPE}", f"Bearer {'q' * 8}", "Basic YTpi", f"see {JWT} there"])
def test_a_credential_in_a_header_of_any_name_is_gone(value):
    assert headers_seen({"x-note": value, "x-other": "kept"}) == {"x-other"}


def test_an_address_with_a_key_in_it_is_gone():
    assert headers_seen({"referer": "https://a.test/x?a=1&access_token=q", "origin": "https://a.test"}) == {"origin"}
    assert headers_seen({"referer": "https://a.test/x?a=1"}) == {"referer"}


def test_a_credential_in_the_name_of_a_header_is_gone():
    assert headers_seen({"lin_api_" + "a1" * 20: "1"}) == set()


def test_a_websocket_that_carries_its_key_as_a_subprotocol_loses_it():
    carried = {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{OPENAI}"}
    assert headers_seen(carried, "GET https://api.openai.com/v1/realtime") == set()
    assert headers_seen({"sec-websocket-protocol": "graphql-ws"}) == {"sec-websocket-protocol"}


@pytest.mark.parametrize(
    "pair",
    [
        *(
            "access_token=x",
            "API_KEY=x",
            "sig=x",
            "Signature=x",
            "X-Amz-Signature=0",
            "X-Amz-Credential=a",
            "X-Amz-Security-Token=b",
        ),
        *("client_secret=x", "password=x", "access%5Ftoken=x", "to%6ben=x", "b=1;access_token=x", f"q={GITHUB}", f"q={JWT}"),
        *("next=https%3A%2F%2Fa.test%2F%3Faccess_token%3Dx", "token", "+token=x"),
    ],
)
def test_a_pair_of_the_query_that_lets_in_is_gone_and_the_others_stand_as_they_were(pair):
    left = seen(f"GET https://a.test/x?z=%7e&{pair}&a=1&a=1&&B=+")
    assert left.target == "/x?z=%7e&a=1&a=1&&B=+"


def test_key_is_a_credential_only_where_its_service_says_so():
    assert seen("GET https://a.test/x?key=1").query == "key=1"
    assert seen("GET https://maps.googleapis.com/maps/api/geocode/json?address=x&key=1").query == "address=x"
    assert seen("GET https://maps.googleapis.com/maps/api/geocode/json?address=x&KEY=1").query == "address=x"


@pytest.mark.parametrize("query", ["page_token=abc", "nextToken=abc", "q=token", "starting_after=cus_1"])
def test_where_a_list_goes_on_is_no_credential(query):
    assert seen(f"GET https://a.test/x?{query}").query == query


def test_a_query_stays_empty_or_absent_as_it_was():
    assert seen("GET https://a.test/x").query is None
    assert seen("GET https://a.test/x?").query == ""
    assert seen("GET https://a.test/x?token=1").query == ""


def test_parts_of_a_path_that_the_catalog_calls_secret_are_masked():
    assert seen("POST https://hooks.slack.com/services/T012/B345/abcdef").path == "/services/T012/B345/redacted"
    assert seen("POST https://hooks.slack.com/workflows/T1/A2/33/44").path == "/workflows/redacted/redacted/redacted/redacted"


@pytest.mark.parametrize("part", [GITHUB, BOT, BOT.replace(":", "%3A"), f"a:{STRIPE}"])
def test_a_part_of_a_path_in_which_a_credential_is_found_is_masked(part):
    assert seen(f"POST https://a.test/x/{part}/sendMessage").path == "/x/redacted/sendMessage"


def test_a_credential_that_is_cut_by_slashes_masks_the_whole_path():
    cut = "x/https:/hooks.slack.com" + "/services/T0123ABCD/B0123ABCD/" + "Ab3" * 8
    assert seen(f"POST https://a.test/{cut}").path == "/redacted"


def test_nothing_else_changes():
    request = asked("POST https://api.stripe.com/v1/refunds?a=1", form="amount=1&charge=ch_1", headers={"accept": "*/*"})
    assert without_credentials(request, CATALOG) == request


def test_the_body_is_what_it_was():
    body = f"client_secret={STRIPE}"
    assert seen("POST https://api.stripe.com/v1/refunds", form=body).body == WholeBody(body.encode())


def test_what_is_left_has_no_more_to_take():
    once = seen(f"GET https://a.test/{GITHUB}?sig=1&q={JWT}", headers={"authorization": "x", "accept": "*/*"})
    assert without_credentials(once, CATALOG) == once
