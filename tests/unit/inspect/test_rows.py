from __future__ import annotations

import json

import pytest

from outgate.inspect.rows import rows_in

JSON = "application/json; charset=utf-8"
THREE = [{"id": 1}, {"id": 2}, {"id": 3}]


def rows(value, kind=JSON):
    return rows_in(kind, value if isinstance(value, bytes) else json.dumps(value).encode())


@pytest.mark.parametrize(
    "value",
    [
        THREE,
        [1, 2, 3],
        {"data": THREE, "has_more": True},
        {"items": THREE, "total": 900},
        {"Items": THREE, "Count": 3},
        {"hits": {"total": {"value": 10_000}, "hits": THREE}},
        {"result": {"rows": [[1], [2], [3]]}, "manifest": {"columns": [{}, {}]}},
        {"value": THREE, "@odata.context": "x"},
        {"data": {"data": THREE}},
        {"customers": THREE},
        {"data": [1], "included": THREE},
        {"id": 1, "tags": ["a", "b", "c", "d"], "lines": THREE},
        {"ListUsersResponse": {"ListUsersResult": {"Users": THREE}}},
        {"jsonrpc": "2.0", "id": 1, "result": {"content": THREE}},
        [
            {"jsonrpc": "2.0", "id": 1, "result": {"content": THREE[:1]}},
            {"jsonrpc": "2.0", "id": 2, "result": {"content": THREE[:2]}},
        ],
    ],
)
def test_a_list_of_three_has_three_rows_wherever_it_stands(value):
    assert rows(value) == 3


def test_the_longest_of_several_lists_counts():
    assert rows({"items": [{}], "results": THREE, "errors": [{}] * 50}) == 3


@pytest.mark.parametrize(
    ("value", "count"), [({"id": 1}, 1), ({}, 1), ("text", 1), (0, 1), (False, 1), (None, 0), ([], 0), ({"items": []}, 0)]
)
def test_what_holds_no_list_is_one_thing_and_null_is_none(value, count):
    assert rows(value) == count


def test_numbers_in_a_thing_are_no_rows():
    assert rows({"object": "list", "data": [{"embedding": [0.5] * 1536}], "usage": {}}) == 1
    assert rows({"embedding": [0.5] * 1536}) == 1


def test_in_graphql_everything_that_stands_in_lists_counts_whatever_it_is_called():
    teams = [{"x": {"y": [{"login": "a"}] * 400}} for _ in range(2)]
    assert rows({"data": {"org": {"teams": {"nodes": teams}}}}) == 802
    assert rows([{"data": {"a": THREE}}, {"data": {"b": THREE}, "extensions": {}}]) == 6
    assert rows({"data": {"me": {"name": "a"}}}) == 1
    assert rows({"data": {"rows": [[1, 2], [3, 4], [5, 6]]}}) == 9, "lists in lists are one place"


def test_in_graphql_asking_for_the_same_under_many_names_or_further_in_hides_nothing():
    assert rows({"data": {f"a{number}": {"nodes": THREE} for number in range(100)}}) == 300
    assert rows({"data": {"me": {"repos": THREE, "owner": {"repos": THREE, "owner": {"repos": THREE}}}}}) == 9
    assert rows({"data": {"repos": []}}) == 0


def test_what_a_batch_answers_counts_together():
    assert rows({"took": 3, "responses": [{"hits": {"total": 9, "hits": THREE}}] * 40}) == 120
    assert rows({"responses": [{"id": "1", "status": 200, "body": {"value": THREE}}, {"id": "2", "status": 404}]}) == 4


def test_what_is_empty_has_no_rows_whatever_it_says_that_it_is():
    assert [rows_in(kind, b" \r\n") for kind in (JSON, "text/csv", "", "image/png")] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "kind",
    ["application/vnd.api+json", "APPLICATION/JSON", "application/problem+json ; a=b", "application/graphql-response+json"],
)
def test_json_is_known_by_any_of_its_names(kind):
    assert rows(THREE, kind) == 3


@pytest.mark.parametrize("kind", ["text/html", "application/xml", "application/octet-stream", "", "json", "text/plain"])
def test_another_type_can_not_be_told(kind):
    assert rows(THREE, kind) is None


@pytest.mark.parametrize(
    "content",
    [
        b"[1,2",
        b'{"items":[1]} more',
        b'{"items":[1],"items":[1,2]}',
        b"[NaN]",
        b"\xff[]",
        b"[" * 100_000,
        b"\xef\xbb\xbf[]",
        b"[1]\x00",
    ],
)
def test_malformed_json_can_not_be_told(content):
    assert rows(content) is None


def test_what_is_too_large_can_not_be_told():
    assert rows(b"[" + b" " * 16 * 2**20 + b"]") is None


def test_lines_of_json_are_rows():
    assert rows(b'{"a":1}\n\n{"a":2}\r\n[1,2,3]\n', "application/x-ndjson") == 3
    assert rows(b'\x1e{"a":1}\n\x1e{"a":2}\n', "application/json-seq") == 2
    assert rows(b'{"a":1}\n{"a":', "application/x-ndjson") is None


def test_lines_of_csv_are_rows_but_the_header():
    assert rows(b'id,name\n1,"two\nlines"\n2,b\n\n', "text/csv") == 2
    assert rows(b"1,a\r\n2,b\r\n", "text/csv; header=absent") == 2
    assert rows(b"id\tname\n1\ta\n", "text/tab-separated-values") == 1
    assert rows(b"id,name\n", "text/csv") == 0


@pytest.mark.parametrize("content", ['id,name\n1,"open', "id\n1\n".encode("utf-16-le"), b'id\n"a"b"\n'])
def test_csv_that_is_none_can_not_be_told(content):
    assert rows(content if isinstance(content, bytes) else content.encode(), "text/csv") is None
