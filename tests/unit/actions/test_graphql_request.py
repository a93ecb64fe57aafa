import hashlib
from urllib.parse import quote

import pytest
from asked import asked

from outgate.actions.arguments import Arguments
from outgate.actions.protocols.graphql_request import MOST_CALLS, Call, calls_of
from outgate.intake.bodies import Undecodable
from outgate.intake.request import UnreadBody, WholeBody

HOME = "POST https://api.acme.example/graphql"
HASH = hashlib.sha256(b"{a}").hexdigest()


def calls(request, *, json=False):
    return calls_of(request, Arguments(request, json=json))


def multipart(*fields):
    lines = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    return {"headers": {"content-type": "multipart/form-data; boundary=b"}, "text": "".join(lines) + "--b--\r\n"}


def persisted(digest):
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (asked(HOME, json={"query": "{a}"}), Call(document="{a}")),
        (
            asked(HOME, json={"query": "{a}", "operationName": "A", "variables": {"x": 1}, "extensions": None, "other": 1}),
            Call(document="{a}", operation="A", variables={"x": 1}),
        ),
        (asked(HOME, json={"query": "{a}", "variables": '{"x": 1}'}), Call(document="{a}", variables={"x": 1})),
        (asked(HOME, json={"query": "{a}", "variables": "", "operationName": None}), Call(document="{a}")),
        (asked("GET https://a.example/graphql?query=%7Ba%7D&operationName=A&variables=%7B%7D"), Call(document="{a}", operation="A")),
        (asked("POST https://a.example/graphql?query=%7Ba%7D"), Call(document="{a}")),
        (asked("POST https://a.example/graphql?query=%7Ba%7D", json={"query": "{a}"}), Call(document="{a}")),
        (asked(HOME, headers={"content-type": "application/graphql"}, text="{a}"), Call(document="{a}")),
        (asked(HOME, form="query=%7Ba%7D&x=1"), Call(document="{a}")),
        (asked(HOME, **multipart(("operations", '{"query": "{a}"}'), ("map", "{}"))), Call(document="{a}")),
        (asked(HOME, **multipart(("query", "{a}"))), Call(document="{a}")),
        (asked(HOME, json={"extensions": persisted(HASH)}), Call(document="", stored=HASH)),
        (asked(HOME, json={"query": "{a}", "extensions": persisted(HASH)}), Call(document="{a}")),
        (asked(HOME, json={"query": "{a}", "documentId": f"sha256:{HASH}"}), Call(document="{a}")),
        (asked(HOME, json={"doc_id": 77, "variables": {}}), Call(document="", stored="77")),
        (asked(HOME, json={"query": "", "id": "q1"}), Call(document="", stored="q1")),
        (asked(f"GET https://a.example/graphql?extensions={quote(str(persisted(HASH)).replace(chr(39), chr(34)))}"), Call(document="", stored=HASH)),
    ],
)  # fmt: skip
def test_a_document_is_found_however_it_is_sent(request_, wanted):
    assert calls(request_) == (wanted,)


def test_a_batch_is_many():
    found = calls(asked(HOME, json=[{"query": "{a}"}, {"query": "{b}"}]))
    assert [call.document for call in found] == ["{a}", "{b}"]


@pytest.mark.parametrize(
    "request_",
    [
        asked(HOME),
        asked(HOME, json={}),
        asked(HOME, json={"query": 7}),
        asked(HOME, json={"query": " "}),
        asked(HOME, json="{a}"),
        asked(HOME, json=[]),
        asked(HOME, json=[{"query": "{a}"}, 7]),
        asked(HOME, json=[{"query": "{a}"}] * (MOST_CALLS + 1)),
        asked(HOME, json={"query": "{a}", "Query": "mutation{b}"}),
        asked(HOME, json={"query": "{a}", "variables": []}),
        asked(HOME, json={"query": "{a}", "variables": "{"}),
        asked(HOME, json={"query": "{a}", "operationName": 1}),
        asked(HOME, json={"query": "{a}", "extensions": persisted("0" * 64)}),
        asked(HOME, json={"query": "{a}", "extensions": {"persistedQuery": 7}}),
        asked(HOME, json={"query": "{a}", "doc_id": "77"}),
        asked(HOME, json={"doc_id": "77", "documentId": "78"}),
        asked(HOME, json={"doc_id": ["77"]}),
        asked(HOME, headers={"content-type": "application/json"}, text='{"query": "{a}", "query": "mutation{b}"}'),
        asked(HOME, headers={"content-type": "text/plain"}, text='{"query": "{a}"}'),
        asked(HOME, headers={"content-type": "application/json; charset=utf-16"}, text='{"query": "{a}"}'),
        asked(HOME, headers={"content-type": "application/graphql; charset=utf-7"}, text="{a}"),
        asked(HOME, headers={"content-type": "application/graphql", "content-encoding": "br"}, text="{a}"),
        asked(HOME, headers={"content-type": "application/graphql"}, body=WholeBody(b"{a} \xff")),
        asked("POST https://a.example/graphql?query=mutation%7Bb%7D", json={"query": "{a}"}),
        asked("POST https://a.example/graphql?query=%7Ba%7D", json=[{"query": "{a}"}]),
        asked("GET https://a.example/graphql?query=%7Ba%7D&query=%7Bb%7D"),
        asked("GET https://a.example/graphql?query=%7Ba%7D&Query=%7Bb%7D"),
        asked("GET https://a.example/graphql?query=%FF"),
        asked(HOME, **multipart(("operations", '{"query": "{a}"}'), ("query", "mutation{b}"))),
        asked(HOME, **multipart(("operations", '{"query": "{a}"}'), ("operations", '{"query": "{b}"}'))),
        asked(HOME, body=UnreadBody(length=9)),
    ],
)  # fmt: skip
def test_what_has_two_readings_or_none_is_undecodable(request_):
    found = calls(request_)
    assert isinstance(found, Undecodable) or found == (), found


def test_a_service_that_reads_all_bodies_as_json_does_so_here():
    request = asked(HOME, headers={"content-type": "text/plain"}, text='{"query": "{a}"}')
    assert calls(request, json=True) == (Call(document="{a}"),)
