import asyncio
import http.client
import json
import time
from ipaddress import ip_address

import pytest

from outgate.app.clock import SystemClock
from outgate.app.mocks import Books, Sandbox, Written, parts_of, read_written
from outgate.errors import ConfigError
from outgate.intake.destinations import Destination, Destinations, Fixed
from outgate.net.lookup import Lookup
from outgate.policy.decision import Reason
from outgate.policy.load import load
from outgate.policy.rule import Mock
from outgate.ports import MockWay, NoWay
from outgate.stores.catalog_files import load_catalog

CANNED = Mock()
FILE = "outgate: mocks/v1alpha\nservice: stripe\nanswers: [{on: GET /v1/mine, json: mine}]\n"


class Alarm:
    def __init__(self):
        self.told = []

    def raise_for(self, error, doing):
        self.told.append((error, doing))


@pytest.fixture
def names():
    """Names and the addresses that they have."""
    return {"mock.test": "127.0.0.1", "meta.test": "169.254.169.254", "private.test": "10.1.2.3"}


@pytest.fixture
def sandbox(names):
    asked = []

    def look_up(name):
        asked.append(name)
        return (ip_address(names[name]),) if name in names else ()

    lookup = Lookup(monotonic=time.monotonic, ask=look_up)
    made = Sandbox(
        destinations=Destinations(),
        written=Written(),
        lookup=lookup,
        own=set(),
        clock=SystemClock(),
        alarm=Alarm(),
        key="k" * 64,
    )
    made.asked = asked
    yield made
    made.close()
    lookup.close()
    assert made._alarm.told == []


@pytest.fixture
async def listening():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://mock.test", ("http", "mock.test", 80, "")),
        ("https://Mock.test:8443/api/", ("https", "mock.test", 8443, "/api")),
        ("http://127.0.0.1:9/x", ("http", "127.0.0.1", 9, "/x")),
        ("http://[::1]:9", ("http", "::1", 9, "")),
    ],
)
def test_an_address_has_four_parts(url, parts):
    assert parts_of(url) == parts


@pytest.mark.parametrize(
    "url", ["ftp://x.test", "http://u:p@x.test", "http://x.test/?a", "http://x.test/#a", "http://0x7f.1/", "http://", "x"]
)
def test_what_is_no_address_is_told(url):
    with pytest.raises(ValueError, match=r"\w+"):
        parts_of(url)


async def test_a_mock_may_be_on_this_machine_where_the_operator_says_so(sandbox, listening):
    way = await sandbox.way("stripe", Mock(url=f"http://mock.test:{listening}/api"))
    assert isinstance(way, MockWay)
    assert (way.scheme, way.host, way.port, way.prefix) == ("http", "mock.test", listening, "/api")
    assert (way.pin.address, way.pin.address_port, way.headers) == ("127.0.0.1", listening, ())


async def test_a_literal_address_asks_no_nameserver(sandbox, listening):
    assert isinstance(await sandbox.way("stripe", Mock(url=f"http://127.0.0.1:{listening}")), MockWay)
    assert sandbox.asked == []


async def test_the_operators_table_says_where_a_mock_is(sandbox, listening):
    fixed = Destination(pattern="elsewhere.test", route=Fixed(address=ip_address("127.0.0.1"), port=listening), ca="/ca.pem")
    sandbox.adopt(Destinations(by_pattern={"elsewhere.test": fixed}), Written())
    way = await sandbox.way("stripe", Mock(url="https://elsewhere.test/"))
    assert (way.scheme, way.pin.name, way.pin.address_port) == ("https", "elsewhere.test", listening)
    assert sandbox.asked == []


async def test_a_mock_that_is_down_answers_nothing_and_comes_back(sandbox, listening, monkeypatch):
    monkeypatch.setattr("outgate.app.mocks._BAD_FOR", 0.0)
    probe = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    way = await sandbox.way("stripe", Mock(url=f"http://mock.test:{port}"))
    assert isinstance(way, NoWay)
    assert way.reason is Reason.UPSTREAM
    assert "nobody listens at" in way.why
    assert "can't be reached, so this was not sent" in way.tell
    again = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    assert isinstance(await sandbox.way("stripe", Mock(url=f"http://mock.test:{port}")), MockWay)
    again.close()


@pytest.mark.parametrize(
    "url", ["http://unknown.test", "http://meta.test", "http://169.254.169.254/", "http://0.0.0.0/", "http://0x7f.1"]
)
async def test_a_mock_that_can_not_be_found_or_must_not_be_asked_is_none(sandbox, url):
    way = await sandbox.way("stripe", Mock(url=url))
    assert isinstance(way, NoWay)
    assert way.always
    assert way.pin is None


async def test_a_mock_is_never_the_gate_itself(sandbox, listening):
    sandbox._own.add(("127.0.0.1", listening))
    assert isinstance(await sandbox.way("stripe", Mock(url=f"http://127.0.0.1:{listening}")), NoWay)
    assert isinstance(await sandbox.way("stripe", Mock(url=f"http://mock.test:{listening}")), NoWay)


def _ask(way, method, path, body=None, **headers):
    link = http.client.HTTPConnection(way.pin.address, way.pin.address_port, timeout=30)
    link.request(method, path, body, {**dict(way.headers), "outgate-agent": "coder", **headers})
    answer = link.getresponse()
    content = answer.read()
    link.close()
    return answer.status, json.loads(content)


async def test_the_built_in_one_starts_when_it_is_needed_and_no_request_can_be_sent_to_it(sandbox):
    assert sandbox._own == set()
    way = await sandbox.way("stripe", CANNED)
    assert sandbox._own == {(way.pin.address, way.pin.address_port)} == {("127.0.0.1", way.port)}
    status, said = await asyncio.to_thread(_ask, way, "GET", "/v1/balance")
    assert (status, said["object"]) == (200, "balance")
    assert (await sandbox.way("github", CANNED)).port == way.port


async def test_the_built_in_one_answers_by_service(sandbox):
    stripe = await sandbox.way("stripe", CANNED)
    status, said = await asyncio.to_thread(
        _ask, stripe, "POST", "/v1/customers", b"name=ann", **{"content-type": "application/x-www-form-urlencoded"}
    )
    assert (status, said["object"], said["name"]) == (200, "customer", "ann")
    other = await sandbox.way("http", CANNED)
    assert (await asyncio.to_thread(_ask, other, "POST", "/things", b"{}"))[0] == 201


async def test_the_key_is_what_lets_in(sandbox):
    way = await sandbox.way("stripe", CANNED)
    assert (await asyncio.to_thread(_ask, way, "GET", "/v1/balance", None, **{"outgate-mock-key": "x"}))[0] == 403


def policy_with(tmp_path, mocks):
    text = f"outgate: policy/v1alpha\npolicy: p\notherwise: block\nmocks: {mocks}\n"
    return load([(str(tmp_path / "policy.yaml"), text)], load_catalog())


async def test_a_document_beside_the_policy_answers(sandbox, tmp_path):
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.1.0\npaths: {/v1/x: {get: {responses: {'200': {content: {application/json: {example: 7}}}}}}}"
    )
    policy = policy_with(tmp_path, "{stripe: {openapi: ./api.yaml}}")
    sandbox.adopt(Destinations(), read_written(policy))
    way = await sandbox.way("stripe", policy.mocks["stripe"])
    assert await asyncio.to_thread(_ask, way, "GET", "/v1/x") == (200, 7)


async def test_a_document_that_changed_answers_anew_where_the_gate_goes_on(sandbox, tmp_path):
    document = tmp_path / "api.yaml"
    policy = policy_with(tmp_path, "{stripe: {openapi: api.yaml}}")
    for value in (1, 2):
        text = f"openapi: 3.1.0\npaths: {{/x: {{get: {{responses: {{'200': {{content: {{application/json: {{example: {value}}}}}}}}}}}}}}}"
        document.write_text(text)
        sandbox.adopt(Destinations(), read_written(policy))
        way = await sandbox.way("stripe", policy.mocks["stripe"])
        assert await asyncio.to_thread(_ask, way, "GET", "/x") == (200, value)


async def test_a_document_that_nobody_read_answers_nothing(sandbox, tmp_path):
    way = await sandbox.way("stripe", Mock(openapi="x.yaml", beside=str(tmp_path)))
    assert isinstance(way, NoWay)
    assert "was not read" in way.why


async def test_what_agents_created_stays_when_other_mocks_are_gone_by(sandbox, tmp_path):
    way = await sandbox.way("http", CANNED)
    await asyncio.to_thread(_ask, way, "POST", "/things", b'{"id": "1"}')
    (tmp_path / "mine.yaml").write_text(FILE)
    sandbox.adopt(Destinations(), Written(books=Books(tmp_path)))
    assert (await asyncio.to_thread(_ask, way, "GET", "/things/1"))[0] == 200
    stripe = await sandbox.way("stripe", CANNED)
    assert await asyncio.to_thread(_ask, stripe, "GET", "/v1/mine") == (200, "mine")
    assert (await asyncio.to_thread(_ask, stripe, "GET", "/v1/balance"))[0] == 200


def test_everything_that_is_wrong_is_told_before_anything_starts(tmp_path):
    (tmp_path / "bad.yaml").write_text("openapi: 3.1.0\npaths: {a: {get: {}}}")
    (tmp_path / "mine.yaml").write_text(FILE.replace("json: mine", "jsn: mine"))
    mocks = "{stripe: {openapi: bad.yaml}, github: {openapi: none.yaml}, openai: {url: 'http://0x7f.1'}}"
    with pytest.raises(ConfigError) as error:
        read_written(policy_with(tmp_path, mocks), (tmp_path / "mine.yaml",))
    told = str(error.value)
    assert "bad.yaml:2" in told
    assert "none.yaml: can't be read" in told
    assert "mock of openai: 'http://0x7f.1' is no address of a mock" in told
    assert "no key 'jsn'" in told
