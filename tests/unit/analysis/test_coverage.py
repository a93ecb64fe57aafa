import pytest
from asked import asked

from outgate.actions.action import Confidence
from outgate.actions.identify import identify
from outgate.actions.openapi.writing import written_of_traffic
from outgate.actions.service_file import compile_catalog
from outgate.analysis.coverage import MOST_LITERALS, Coverage, collapsed, coverage, drafts
from outgate.document import parse
from outgate.errors import EvidenceError
from outgate.policy.examples import wrong
from outgate.stores.catalog_files import load_catalog


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


def decision(line, *actions, scheme="https", port=443, websocket=False):
    method, _, url = line.partition(" ")
    host, slash, path = url.partition("/")
    return {
        "type": "decision",
        "at": "2026-01-01T00:00:00.000Z",
        "request": {"method": method, "scheme": scheme, "host": host, "port": port, "path": slash + path, "websocket": websocket},
        "actions": [
            {"name": name, "mapped": how in {"catalog", "protocol", "override"}, "confidence": how} for name, how in actions
        ],
    }


GUESS = ("http.GET", "heuristic")


def test_actions_are_counted_by_how_they_were_known():
    found = coverage(
        [
            decision("GET a.test/x", ("stripe.GetCharges", "catalog"), ("mcp.tools/call:x", "protocol")),
            decision("GET a.test/y", GUESS),
            decision("GET a.test/z"),
            {"type": "outcome"},
        ]
    )
    assert (found.decisions, found.actions, found.mapped, found.unreadable) == (3, 3, 2, 1)
    assert found.by == {Confidence.CATALOG: 1, Confidence.PROTOCOL: 1, Confidence.HEURISTIC: 1}
    assert found.services["http"] == {False: 1}


def test_receipts_that_do_not_say_how_are_counted_all_the_same():
    old = decision("GET a.test/x", GUESS)
    del old["actions"][0]["confidence"]
    assert coverage([old]).by == {Confidence.HEURISTIC: 1}


def test_a_decision_of_another_form_is_an_error():
    with pytest.raises(EvidenceError):
        coverage([decision("GET a.test/x") | {"actions": [7]}])


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/customers/123/orders", "/v1/customers/{}/orders"),
        ("/u/550e8400-e29b-41d4-a716-446655440000", "/u/{}"),
        ("/c/deadbeefdeadbeef", "/c/{}"),
        ("/charges/ch_3MmlLrLk", "/charges/{}"),
        ("/ids/ch_3MmlL…(27 hidden)/x", "/ids/{}/x"),
        ("/mail/ann@acme.example", "/mail/{}"),
        ("/day/2026-01-31", "/day/{}"),
        ("/a{b}/c d", "/{}/{}"),
        ("/v1/list-orders/oauth2/v2.1", "/v1/list-orders/oauth2/v2.1"),
        ("/", "/"),
    ],
)
def test_what_looks_like_an_id_is_collapsed(path, shape):
    assert collapsed(path) == shape


def test_what_most_often_is_not_mapped_comes_first():
    found = coverage(
        [decision(f"GET a.test/items/{n}", GUESS) for n in range(3)]
        + [decision("POST b.test/x", ("http.POST", "heuristic"), port=8443)]
    )
    assert [(one.times, one.method, one.host, one.path) for one in found.unmapped()] == [
        (3, "GET", "a.test", "/items/{}"),
        (1, "POST", "b.test:8443", "/x"),
    ]


def test_many_names_beside_each_other_are_one_variable():
    seen = [decision(f"GET a.test/repos/{chr(97 + n) * 4}/issues", GUESS) for n in range(MOST_LITERALS + 1)]
    assert [(one.path, one.times) for one in coverage(seen).unmapped()] == [("/repos/{}/issues", MOST_LITERALS + 1)]
    assert len(coverage(seen[:-1]).unmapped()) == MOST_LITERALS


def made(catalog, *receipts):
    return drafts(coverage(receipts).unmapped(), catalog)


def test_a_draft_loads_maps_what_was_seen_and_its_examples_hold(catalog):
    found = made(
        catalog,
        decision("GET api.acme.test/v1/customers/7", GUESS),
        decision("DELETE api.acme.test/v1/customers/7", ("http.DELETE", "unknown")),
        decision("POST api.acme.test/v1/limit/9/batch", ("http.POST", "unknown")),
        decision("GET api.acme.test/ws", ("http.WEBSOCKET", "unknown"), websocket=True),
        decision("PROPFIND api.acme.test/x", ("http.PROPFIND", "unknown")),
    )
    text = written_of_traffic(found["api.acme.test"], "api.acme.test")
    document = parse(text, "x")
    mine = compile_catalog([document])
    assert wrong(document, mine) == ()
    assert document.value["service"] == "acme"
    (action,) = identify(asked("DELETE https://api.acme.test/v1/customers/3"), mine)
    assert (action.name, action.params) == ("acme.customers.delete", {"customer": "3"})
    assert "PROPFIND" not in text
    assert "{limit_id}" in text


def test_a_host_of_a_service_that_is_known_adds_to_it(catalog):
    found = made(catalog, decision("POST api.stripe.com/v9/things", ("stripe.POST", "unknown")))["api.stripe.com"]
    assert (found.service, found.adds, "hosts" in found.head) == ("stripe", True, False)
    assert written_of_traffic(found, "x").splitlines()[3] == "adds-to: stripe"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.acme.test", "acme"),
        ("stripe.test", "stripe-2"),
        ("10.0.0.7", "at-10-0-0-7"),
        ("crm.eu.acme.test", "crm-acme"),
        ("localhost", "localhost"),
    ],
)
def test_a_service_is_named_by_its_host(catalog, host, name):
    assert made(catalog, decision(f"GET {host}/x", GUESS))[host].service == name


@pytest.mark.parametrize("host", ["-bad-.test", "UPPER.test", "a b", "a…(9 hidden).test"])
def test_what_is_no_name_of_a_host_gets_no_draft(catalog, host):
    assert made(catalog, decision(f"GET {host}/x", GUESS)) == {}


def test_nothing_is_nothing():
    assert coverage([]) == Coverage()
