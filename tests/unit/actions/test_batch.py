"""A batch is the requests in it, or unreadable as a whole."""

import email.mime.multipart
import email.mime.nonmultipart

import pytest
from asked import asked
from mined import mined

from outgate.actions.action import Access, Tier
from outgate.actions.identify import identify
from outgate.actions.protocols.batch import MOST
from outgate.actions.service_file import compile_catalog
from outgate.document import parse

ZOO = mined(
    "zoo",
    ("pets.get", "GET", "/v1/pets/{pet}", "r", "", []),
    ("pets.delete", "DELETE", "/v1/pets/{pet}", "", "", []),
    ("pets.create", "POST", "/v1/pets", "", "", ["name string json.name"]),
)
TEXT = """
outgate: service/v1alpha
service: zoo
hosts: [zoo.test]
bodies: json
operations:
  batch: {on: [POST /batch], access: read, tier: T0, reads: batch-multipart}
  many: {on: [POST /many], access: read, tier: T0, reads: {batch-json: json.requests, below: /v1}}
"""
CATALOG = compile_catalog([parse(TEXT, "zoo.yaml")], {"zoo": ZOO}, {"pet", "name"})


def part(request, *, kind="application/http"):
    return f"Content-Type: {kind}\r\nContent-ID: <1>\r\n\r\n{request}"


def batch(*parts, boundary="b", closing="--b--\r\n", headers=None):
    body = "".join(f"--b\r\n{one}\r\n" for one in parts) + closing
    kind = {"content-type": f"multipart/mixed; boundary={boundary}"}
    return identify(asked("POST https://zoo.test/batch", text=body, headers=kind | (headers or {})), CATALOG)


def names(actions):
    return [action.name for action in actions]


GET = "GET /v1/pets/7 HTTP/1.1\r\n\r\n"
DELETE = "DELETE /v1/pets/7 HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"


def test_every_request_in_it_counts():
    actions = batch(part(GET), part(DELETE))
    assert names(actions) == ["zoo.batch", "zoo.pets.get", "zoo.pets.delete"]
    assert (actions[2].access, actions[2].tier, actions[2].params) == (Access.DELETE, Tier.T2, {"pet": "7"})


def test_a_body_in_it_is_read():
    inner = 'POST /v1/pets HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"name": "rex"}'
    assert batch(part(inner))[1].params == {"name": "rex"}


def test_those_that_are_alike_are_counted():
    actions = batch(*[part(GET)] * 3)
    assert names(actions) == ["zoo.batch", "zoo.pets.get"]
    assert actions[1].count == 3


def test_it_is_read_as_pythons_clients_write_it():
    whole = email.mime.multipart.MIMEMultipart("mixed", boundary="=====b==")
    whole._write_headers = lambda _: None
    one = email.mime.nonmultipart.MIMENonMultipart("application", "http")
    one["Content-Transfer-Encoding"] = "binary"
    one["Content-ID"] = "<a+1>"
    one.set_payload("DELETE /v1/pets/7 HTTP/1.1\nContent-Type: application/json\nMIME-Version: 1.0\nHost: zoo.test\n\n")
    whole.attach(one)
    kind = {"content-type": 'multipart/mixed; boundary="=====b=="'}
    actions = identify(asked("POST https://zoo.test/batch", text=whole.as_string(), headers=kind), CATALOG)
    assert names(actions) == ["zoo.batch", "zoo.pets.delete"]


@pytest.mark.parametrize(
    "inner",
    [
        "GET https://evil.test/v1/pets/7 HTTP/1.1\r\n\r\n",
        "GET /v1/pets/7 HTTP/1.1\r\nHost: evil.test\r\n\r\n",
        "GET /v1/pets/../7 HTTP/1.1\r\n\r\n",
        "GET /v1/pets/7\r\n\r\n",
        "GET /v1/pets/7 HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n\r\n",
        "POST /v1/pets HTTP/1.1\r\nContent-Length: 3\r\n\r\nmore",
        "GET /v1/pets/7 HTTP/1.1\r\n folded: x\r\n\r\n",
        "",
    ],
)
def test_a_part_that_is_no_plain_request_to_this_host_is_unreadable_and_hides_no_other(inner):
    actions = batch(part(DELETE), part(inner))
    assert names(actions) == ["zoo.batch", "zoo.pets.delete", "zoo.unreadable"]
    assert (actions[2].access, actions[2].tier) == (Access.UNKNOWN, Tier.T2)


@pytest.mark.parametrize(
    "made",
    [
        {"boundary": "c"},
        {"closing": ""},
        {"closing": "--b--\r\n--b\r\n" + part(DELETE)},
        {"headers": {"content-type": "multipart/form-data; boundary=b"}},
        {"headers": {"content-type": "application/json"}},
    ],
)
def test_a_body_that_is_no_batch_is_unreadable(made):
    assert names(batch(part(GET), **made)) == ["zoo.batch", "zoo.unreadable"]


def test_parts_of_another_kind_and_too_many_are_unreadable():
    assert names(batch(part(GET, kind="text/plain"))) == ["zoo.batch", "zoo.unreadable"]
    assert names(batch("Content-Transfer-Encoding: base64\r\n" + part(GET))) == ["zoo.batch", "zoo.unreadable"]
    assert names(batch(*[part(GET)] * (MOST + 1))) == ["zoo.batch", "zoo.unreadable"]


def test_a_batch_in_a_batch_is_not_opened():
    inner = 'POST /many HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"requests": [{"method": "DELETE", "url": "/pets/7"}]}'
    assert names(batch(part(inner))) == ["zoo.batch", "zoo.many", "zoo.unreadable"]


def many(*requests):
    return names(identify(asked("POST https://zoo.test/many", json={"requests": list(requests)}), CATALOG))


def test_urls_of_a_json_batch_are_below_the_root():
    assert many({"id": "1", "method": "GET", "url": "/pets/7"}, {"method": "delete", "url": "pets/8"}) == [
        "zoo.many",
        "zoo.pets.get",
        "zoo.pets.delete",
    ]
    assert many({"method": "POST", "url": "/pets", "headers": {"Content-Type": "application/json"}, "body": {"name": "x"}}) == [
        "zoo.many",
        "zoo.pets.create",
    ]


@pytest.mark.parametrize(
    "request_",
    [
        7,
        {},
        {"method": "GET"},
        {"method": 7, "url": "/pets/7"},
        {"method": "GET", "url": "/pets/é"},
        {"method": "GET", "url": "/pets/../7"},
        {"method": "GET", "url": "/pets/7", "headers": {"a": 7}},
        {"method": "GET", "url": "/pets/7", "headers": ["a"]},
        {"method": "GET", "url": "/pets/7", "headers": {"host": "evil.test"}},
        {"method": "CONNECT", "url": "/pets/7"},
    ],
)
def test_an_entry_that_is_no_request_is_unreadable_and_hides_no_other(request_):
    assert many({"method": "GET", "url": "/pets/7"}, request_) == ["zoo.many", "zoo.pets.get", "zoo.unreadable"]


def test_nothing_in_it_is_unreadable():
    assert many() == ["zoo.many", "zoo.unreadable"]
    assert names(identify(asked("POST https://zoo.test/many", json=["x"]), CATALOG)) == ["zoo.many", "zoo.unreadable"]
