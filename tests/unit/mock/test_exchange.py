import gzip

from sandboxed import to_mock

from outgate.mock.exchange import Answer, in_json, in_text


def test_a_body_says_json_or_a_form():
    assert to_mock("POST /x", json={"a": [1]}).said == {"a": [1]}
    assert to_mock("POST /x", form="a[b]=1&c=2").said == {"a": {"b": "1"}, "c": "2"}
    assert to_mock("POST /x", body=b'{"a": 1}').said == {"a": 1}


def test_a_body_that_is_neither_says_nothing():
    assert to_mock("POST /x", body=b"\x00\xff").said is None
    assert to_mock("POST /x", body=b"<a/>").said is None
    assert to_mock("POST /x", json={}, body=b"").said == {}
    assert to_mock("POST /x").said is None


def test_a_form_with_broken_escapes_is_read_as_far_as_it_goes():
    assert to_mock("POST /x", form="a=%zz&b=1").said == {"a": "%zz", "b": "1"}


def test_a_coded_body_is_read_too():
    asked = to_mock("POST /x", body=gzip.compress(b'{"a": 1}'), headers={"content-encoding": "gzip"})
    assert asked.said == {"a": 1}
    assert to_mock("POST /x", body=b"zz", headers={"content-encoding": "gzip"}).said is None


def test_a_query_has_brackets_too():
    assert to_mock("GET /x?created[gt]=5&a=1&a=2").asked_for == {"created": {"gt": "5"}, "a": ["1", "2"]}


def test_an_answer_knows_its_kind_and_size():
    assert in_json({"é": None}, 201).body == '{"é":null}'.encode()
    assert in_json([]).kind == "application/json"
    assert in_text("no", 404).kind.startswith("text/plain")
    assert Answer(status=200, pieces=(b"ab", b"c")).size == 3
    assert Answer(status=204).kind == ""
