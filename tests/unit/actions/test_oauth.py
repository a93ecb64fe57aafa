import pytest
from asked import asked

from outgate.actions.protocols import oauth
from outgate.intake.request import UnreadBody

TOKEN = "POST https://auth.acme.test/oauth2/token"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def identify(line, *, declared=True, **asking):
    return oauth.identify(asked(line, **asking), declared=declared)


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


@pytest.mark.parametrize(
    ("grant", "name", "tier"),
    [
        ("refresh_token", "refresh_token", "T1"),
        ("client_credentials", "client_credentials", "T1"),
        ("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer", "jwt-bearer", "T1"),
        ("authorization_code", "authorization_code", "T2"),
        ("urn:ietf:params:oauth:grant-type:device_code", "device_code", "T2"),
        ("urn:ietf:params:oauth:grant-type:token-exchange", "token-exchange", "T2"),
        ("password", "password", "T2"),
        ("something_new", "other", "T2"),
    ],
)
def test_what_is_handed_out_is_named_by_its_grant(grant, name, tier):
    (action,) = identify(TOKEN, form=f"grant_type={grant}&client_secret=s3cret&code=c0de&username=ann")
    assert said(action) == (f"oauth.token.{name}", "auth", tier, True)
    assert (action.params, action.resource) == ({}, "auth.acme.test")


def test_some_take_json_and_the_query():
    assert identify(TOKEN, json={"grant_type": "password"})[0].name == "oauth.token.password"
    assert identify(f"{TOKEN}?grant_type=password")[0].name == "oauth.token.password"


@pytest.mark.parametrize("form", ["grant_type=password&grant_type=refresh_token", "grant_type=", "a=b", "grant_type=%FF"])
def test_what_does_not_say_it_once_is_unreadable(form):
    (action,) = identify(TOKEN, form=form)
    assert said(action) == ("oauth.unreadable", "unknown", "T2", False)


def test_query_and_form_that_disagree_are_unreadable():
    (action,) = identify(f"{TOKEN}?grant_type=refresh_token", form="grant_type=password")
    assert action.name == "oauth.unreadable"


def test_a_form_that_nobody_read_is_unreadable():
    (action,) = identify(TOKEN, headers=FORM, body=UnreadBody(10))
    assert action.name == "oauth.unreadable"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("POST https://a.test/oauth/device/code", "device"),
        ("POST https://a.test/oauth2/v2.0/devicecode", "device"),
        ("POST https://a.test/revoke", "revoke"),
        ("POST https://a.test/oauth2/introspect", "introspect"),
        ("POST https://a.test/oauth/register", "register"),
        ("GET https://a.test/.well-known/openid-configuration", "metadata"),
        ("GET https://a.test/common/discovery/v2.0/keys", "metadata"),
        ("GET https://a.test/v1/userinfo", "userinfo"),
        ("GET https://a.test/authorize?client_id=x", "authorize"),
    ],
)
def test_its_other_endpoints(line, name):
    (action,) = identify(line)
    assert (action.operation, action.mapped, action.params) == (name, True, {})


def test_what_is_none_of_them_is_nothing():
    assert identify("GET https://a.test/") == ()
    assert identify("DELETE https://a.test/token") == ()


def test_at_a_host_that_nobody_declared_a_token_endpoint_is_a_guess():
    (action,) = identify(TOKEN, declared=False, form="grant_type=password")
    assert said(action) == ("oauth.token.password", "auth", "T2", False)
    assert identify(TOKEN, declared=False, form="a=b") == ()
    assert identify("POST https://a.test/revoke", declared=False, form="token=x") == ()
    assert oauth.may_be(asked(TOKEN, form="a=b"))
    assert not oauth.may_be(asked("POST https://a.test/v1/tokens", form="a=b"))


def test_the_body_of_a_form_is_wanted():
    assert oauth.wants_body(asked(TOKEN, headers=FORM))
    assert not oauth.wants_body(asked("GET https://a.test/authorize"))
