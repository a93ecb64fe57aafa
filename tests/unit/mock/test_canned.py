import pytest
from sandboxed import book_of, said, shelf, to_mock

from outgate.mock.canned import answer

BOOK = book_of("""
    headers: {x-request: "req_{new.text.6}"}
    missing: {status: 404, json: {error: gone}}
    invalid: {status: 422, json: {error: "{lacks} is missing"}}
    collections:
      things:
        id: "th_{new.number}"
        new: {name: null, size: 1, on: false, made: "{now.unix}", tags: {}, url: "/v1/things/{item.id}"}
        takes: [name, size, on, tags]
        filters: [name]
        page: {size: limit, default: 2, most: 3, after: after}
        list: {json: {data: "{page.items}", more: "{page.more}"}}
      notes:
        key: number
        id: "{new.number}"
        within: [thing]
        order: newest
        page: {number: page, size: per_page, default: 1}
        list: {headers: {link: "<{page.next?}>; rel=next"}}
      docs: {key: name, by: doc, id: "{body.name}", root: doc, strangers: missing}
    answers:
      - {on: POST /v1/things, create: things, needs: [body.name], set: {state: "{item.name}!"}}
      - {on: GET /v1/things, list: things}
      - {on: "GET /v1/things/{id}", read: things}
      - {on: "POST /v1/things/{id}", update: things}
      - {on: "POST /v1/things/{id}/close", update: things, set: {state: closed}}
      - {on: "DELETE /v1/things/{id}", delete: things}
      - {on: "POST /v1/things/{thing}/notes", create: notes, status: 200}
      - {on: "GET /v1/things/{thing}/notes", list: notes}
      - {on: "PATCH /v1/things/{thing}/notes/{number}", update: notes}
      - {on: POST /v1/docs, create: docs, json: {doc: "{item}"}}
      - {on: "PATCH /v1/docs/{doc}", update: docs}
      - {on: POST /v1/talk, if: {body.stream: true}, stream: [{event: a, json: {n: 1}}, {text: "[DONE]"}]}
      - {on: POST /v1/talk, json: {said: "{body.text}"}}
      - {on: POST /v1/plain, text: "hello {body.name|you}", type: text/html}
      - {on: POST /v1/nothing, status: 202}
""")


@pytest.fixture
def ask():
    own = shelf()

    def asked(line, **given):
        return answer(to_mock(line, **given), BOOK, own)

    return asked


def test_what_is_created_can_be_read_back_changed_listed_and_deleted(ask):
    made = ask("POST /v1/things", json={"name": "a", "secret": 1})
    assert made.status == 201
    assert said(made) == {
        "id": "th_1",
        "name": "a",
        "size": 1,
        "on": False,
        "made": 1769846400,
        "tags": {},
        "url": "/v1/things/th_1",
        "state": "a!",
    }
    assert said(ask("GET /v1/things/th_1")) == said(made)
    assert said(ask("POST /v1/things/th_1", json={"name": "b"}))["name"] == "b"
    assert said(ask("POST /v1/things/th_1/close"))["state"] == "closed"
    assert [one["name"] for one in said(ask("GET /v1/things"))["data"]] == ["b"]
    deleted = ask("DELETE /v1/things/th_1")
    assert (deleted.status, deleted.body) == (204, b"")
    assert ask("GET /v1/things/th_1").status == 404
    assert ask("DELETE /v1/things/th_1").status == 404
    assert ask("POST /v1/things/th_1", json={}).status == 404
    assert said(ask("GET /v1/things"))["data"] == []


def test_a_form_says_the_same_as_json_and_its_text_takes_the_kind_that_belongs_there(ask):
    made = said(ask("POST /v1/things", form="name=5&size=7&on=true&tags[a]=1"))
    assert (made["name"], made["size"], made["on"], made["tags"]) == ("5", 7, True, {"a": "1"})


def test_what_is_needed_and_not_there_is_told(ask):
    refused = ask("POST /v1/things", json={"name": ""})
    assert (refused.status, said(refused)) == (422, {"error": "name is missing"})


def test_what_was_never_here_can_be_changed_but_not_read(ask):
    assert ask("GET /v1/things/th_real").status == 404
    assert said(ask("POST /v1/things/th_real", json={"name": "r"}))["id"] == "th_real"
    assert said(ask("GET /v1/things/th_real"))["name"] == "r"
    assert ask("DELETE /v1/things/th_other").status == 204


def test_unless_the_file_says_that_strangers_are_missing(ask):
    assert ask("PATCH /v1/docs/x", json={}).status == 404


def test_a_list_comes_in_pieces(ask):
    for name in "abcde":
        ask("POST /v1/things", json={"name": name})
    first = said(ask("GET /v1/things"))
    assert ([one["name"] for one in first["data"]], first["more"]) == (["a", "b"], True)
    rest = said(ask("GET /v1/things?limit=100&after=th_2"))
    assert ([one["name"] for one in rest["data"]], rest["more"]) == (["c", "d", "e"], False)
    assert [one["id"] for one in said(ask("GET /v1/things?name=d"))["data"]] == ["th_4"]


def test_what_is_within_another_is_not_seen_from_elsewhere_and_has_its_own_numbers(ask):
    for thing in ("x", "x", "y"):
        ask(f"POST /v1/things/{thing}/notes", json={"text": thing})
    first = ask("GET /v1/things/x/notes")
    assert [one["number"] for one in said(first)] == [2]
    assert dict(first.headers)["link"] == "<https://api.shop.test/v1/things/x/notes?page=2>; rel=next"
    last = ask("GET /v1/things/x/notes?page=2")
    assert [one["number"] for one in said(last)] == [1]
    assert "link" not in dict(last.headers)
    assert [one["number"] for one in said(ask("GET /v1/things/y/notes"))] == [1]
    assert said(ask("PATCH /v1/things/y/notes/77", json={}))["number"] == 77


def test_fields_may_stand_below_a_root_and_a_key_be_called_something_else_in_the_path(ask):
    made = said(ask("POST /v1/docs", json={"name": "a", "doc": {"text": "x"}}))
    assert made == {"doc": {"name": "a", "text": "x"}}
    assert said(ask("PATCH /v1/docs/a", json={"doc": {"text": "y"}}))["text"] == "y"


def test_the_first_answer_whose_conditions_hold_is_given(ask):
    streamed = ask("POST /v1/talk", json={"stream": True})
    assert streamed.kind.startswith("text/event-stream")
    assert streamed.pieces == (b'event: a\ndata: {"n":1}\n\n', b"data: [DONE]\n\n")
    assert said(ask("POST /v1/talk", json={"stream": False, "text": "hi"})) == {"said": "hi"}
    assert ask("POST /v1/talk", form="stream=true").kind.startswith("text/event-stream")


def test_text_has_holes_too(ask):
    made = ask("POST /v1/plain", json={"name": "ann"})
    assert (made.body, made.kind) == (b"hello ann", "text/html")
    assert ask("POST /v1/plain").body == b"hello you"


def test_an_answer_without_a_body_has_none(ask):
    assert (ask("POST /v1/nothing").status, ask("POST /v1/nothing").pieces) == (202, ())


def test_every_answer_has_the_headers_of_its_file(ask):
    first, second = (dict(ask("POST /v1/nothing").headers)["x-request"] for _ in range(2))
    assert first.startswith("req_")
    assert first != second


def test_what_was_asked_can_not_break_out_of_a_header_or_be_a_template_again():
    book = book_of('answers: [{on: GET /x, headers: {x-said: "{query.q}"}, json: {q: "{query.q}"}}]')
    made = answer(to_mock("GET /x?q=%0d%0aset-cookie:%20a%3d1{path.id}"), book, shelf())
    assert dict(made.headers)["x-said"] == "??set-cookie: a=1{path.id}"
    assert said(made)["q"] == "\r\nset-cookie: a=1{path.id}"


def test_an_id_with_escapes_is_one_id(ask):
    ask("POST /v1/things/a%2Fb", json={"name": "x"})
    assert said(ask("GET /v1/things/a%2Fb"))["id"] == "a/b"


def test_where_there_is_no_answer_there_is_none(ask):
    assert ask("GET /v1/other") is None
    closed = book_of("answers: [{on: GET /x}]\notherwise: {status: 501, json: {no: '{asked.path}'}}")
    refused = answer(to_mock("GET /y"), closed, shelf())
    assert (refused.status, said(refused)) == (501, {"no": "/y"})


def test_head_is_answered_as_get(ask):
    ask("POST /v1/things", json={"name": "a"})
    assert ask("HEAD /v1/things/th_1").status == 200


def test_more_than_fits_is_not_kept(ask):
    from outgate.mock.shelves import Shelf

    small = Shelf(most_bytes=500)
    assert answer(to_mock("POST /v1/things", json={"name": "x" * 900}), BOOK, small).status == 413
    assert answer(to_mock("POST /v1/things/a", json={"name": "x" * 900}), BOOK, small).status == 413


def test_the_same_requests_get_the_same_answers():
    def play():
        own = shelf()
        return [answer(to_mock("POST /v1/things", json={"name": "a"}), BOOK, own).body for _ in range(3)]

    assert play() == play()
