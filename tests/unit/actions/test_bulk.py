"""A bulk is what its lines say, index by index, or unreadable."""

import gzip

import pytest
from asked import asked
from mined import mined

from outgate.actions.action import Access, Tier
from outgate.actions.identify import identify
from outgate.actions.protocols.bulk import MOST
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.intake.request import WholeBody

STORE = mined(
    "store",
    ("bulk", "POST", "/_bulk", "", "", []),
    ("bulk", "POST", "/{index}/_bulk", "", "", []),
    ("delete", "DELETE", "/{index}/_doc/{id}", "", "", []),
    ("index", "PUT", "/{index}/_doc/{id}", "", "", []),
)
TEXT = """
outgate: service/v1alpha
service: store
hosts: ["{cluster}.store.test"]
instances: ["cluster:{cluster}"]
operations:
  bulk: {access: write, tier: T2, why: many at once, reads: bulk}
"""
INDEX = '{"index": {"_index": "logs", "_id": "1"}}\n{"a": 1}\n'
DELETE = '{"delete": {"_index": "logs", "_id": "9"}}\n'


def catalog(more=""):
    return compile_catalog([parse(TEXT + more, "store.yaml")], {"store": STORE}, {"index", "id"})


def bulk(text, path="/_bulk", known=None, **headers):
    kind = {"content-type": "application/x-ndjson"}
    return identify(asked(f"POST https://a.store.test{path}", text=text, headers=kind | headers), known or catalog())


def told(actions):
    return [(action.operation, action.resource, action.count, action.access, action.tier) for action in actions]


def test_what_is_done_is_told_for_each_index_with_how_often():
    actions = bulk(INDEX * 3 + DELETE * 2 + '{"update": {"_id": "1"}}\n{"doc": {}}\n'.replace("_id", "_index"))
    assert told(actions)[1:] == [
        ("index", "logs", 3, Access.WRITE, Tier.T1),
        ("delete", "logs", 2, Access.DELETE, Tier.T2),
        ("update", "1", 1, Access.WRITE, Tier.T1),
    ]
    assert (actions[0].operation, actions[0].tier) == ("bulk", Tier.T2)
    assert (actions[2].params["index"], actions[2].instance) == ("logs", "cluster:a")


def test_a_line_without_an_index_is_of_the_one_in_the_path():
    (_, action) = bulk('{"create": {}}\n{"a": 1}\n', "/people/_bulk")
    assert (action.operation, action.resource) == ("create", "people")


def test_a_document_that_looks_like_a_line_is_none():
    assert [one[:3] for one in told(bulk('{"index": {"_index": "logs"}}\n' + DELETE))[1:]] == [("index", "logs", 1)]


def test_what_people_say_of_an_operation_counts_in_a_bulk_too():
    known = catalog("  delete: {tier: T3, why: nothing is ever deleted here}\n")
    action = bulk(DELETE, known=known)[1]
    assert (action.tier, action.why, action.access) == (Tier.T3, "nothing is ever deleted here", Access.DELETE)


def test_a_compressed_one_is_read():
    sent = WholeBody(gzip.compress(DELETE.encode()))
    actions = identify(asked("POST https://a.store.test/_bulk", body=sent, headers={"content-encoding": "gzip"}), catalog())
    assert [one[0] for one in told(actions)] == ["bulk", "delete"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "{",
        DELETE.rstrip(),
        "\n" + DELETE,
        INDEX + "\n" + DELETE,
        '{"index": {"_index": "logs"}}\n',
        '{"index": {"_index": "logs"}}\n\n' + DELETE,
        '{"delete": {"_id": "9"}}\n',
        '{"delete": {"_index": ["logs"]}}\n',
        '{"delete": {"_index": "logs", "_index": "people"}}\n',
        '{"delete": {"_index": "logs"}, "index": {"_index": "logs"}}\n',
        '{"drop": {"_index": "logs"}}\n',
        '["delete"]\n',
        "".join(f'{{"delete": {{"_index": "i{number}"}}}}\n' for number in range(MOST + 1)),
    ],
)
def test_what_is_no_bulk_is_unreadable(text):
    (carrier, action) = bulk(text)
    assert (carrier.operation, action.operation, action.access, action.tier) == ("bulk", "unreadable", Access.UNKNOWN, Tier.T2)
