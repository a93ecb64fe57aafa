import pytest
from sandboxed import book_of, said, to_mock

from outgate.document import parse
from outgate.mock.answers import ANSWER_LIMIT, Answers
from outgate.mock.openapi import read_openapi

BOOK = book_of("""
    collections: {things: {}}
    answers:
      - {on: POST /things, create: things}
      - {on: "GET /things/{id}", read: things}
      - {on: POST /echo, json: {a: "{body.x}", b: "{body.x}", c: "{body.x}"}}
""")


@pytest.fixture
def answers():
    return Answers({"shop": BOOK}.get)


def test_a_book_answers_first(answers):
    made = said(answers.answer(to_mock("POST /things", json={"a": 1})))
    assert set(made) == {"id", "a"}


def test_what_a_book_does_not_have_is_answered_as_usual(answers):
    assert answers.answer(to_mock("POST /others", json={"a": 1})).status == 201


def test_a_service_without_a_book_is_answered_as_usual(answers):
    assert answers.answer(to_mock("POST /others", service="else", json={"a": 1})).status == 201


def test_a_document_answers_instead_of_a_book(answers):
    described = read_openapi(parse("openapi: 3.1.0\npaths: {/things: {post: {responses: {'202': {}}}}}", "x.yaml"))
    assert answers.answer(to_mock("POST /things", json={}), described).status == 202
    assert answers.answer(to_mock("GET /other"), described).status == 404


def test_two_agents_do_not_see_each_others(answers):
    key = said(answers.answer(to_mock("POST /things", json={}, agent="a")))["id"]
    assert answers.answer(to_mock(f"GET /things/{key}", agent="a")).status == 200
    assert answers.answer(to_mock(f"GET /things/{key}", agent="b")).status == 404


def test_a_body_that_is_not_all_there_is_too_large(answers):
    assert answers.answer(to_mock("POST /things", json={}), whole=False).status == 413


def test_but_a_push_says_what_it_does_at_its_beginning(answers):
    old_new = f"{'0' * 40} {'a' * 40} refs/heads/x\0report-status"
    body = f"{len(old_new) + 4:04x}{old_new}0000PACK".encode()
    assert b"ok refs/heads/x" in answers.answer(to_mock("POST /x/git-receive-pack", body=body), whole=False).body


def test_an_answer_has_a_largest_size(answers):
    large = "x" * (ANSWER_LIMIT // 2)
    assert answers.answer(to_mock("POST /echo", json={"x": large})).status == 413


def test_protocols_are_answered_in_their_own_form(answers):
    assert said(answers.answer(to_mock("POST /", service="http", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})))["id"] == 1
    assert answers.answer(to_mock("GET /", service="mcp")).status == 405
    assert answers.answer(to_mock("PUT /b/k", service="aws", origin="https://s3.amazonaws.com", body=b"x")).status == 200
