import re
from pathlib import Path

import pytest
from sandboxed import book_of

from outgate.document import parse
from outgate.errors import ConfigError
from outgate.mock.load import load
from outgate.stores.mock_files import mock_files

HEAD = "outgate: mocks/v1alpha\nservice: shop\n"
THINGS = "collections: {things: {new: {name: null}}}\nanswers:\n"


def problems_of(*texts):
    with pytest.raises(ConfigError) as error:
        load([parse(HEAD + text, f"{n}.yaml") for n, text in enumerate(texts)])
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("answers: [{}]", "an answer lacks 'on'"),
        ("answers: [{on: GET x}]", "a route is a method and a path"),
        ("answers: [{on: GET /x, jsn: {}}]", "no key 'jsn', did you mean 'json'"),
        ("answers: [{on: 'GET /x/{a}/{a}'}]", "names a variable twice"),
        ("answers: [{on: GET /x, json: {a: '{path.id}'}}]", "'path.id' is no variable of the route, there are none"),
        ("answers: [{on: GET /x, json: {a: '{pth.id}'}}]", "nothing is called 'pth.id' here"),
        ("answers: [{on: GET /x, json: {a: '{x'}}]", "has a brace that is no hole"),
        ("answers: [{on: GET /x, json: 1, text: a}]", "an answer has one body, keep one of json, text"),
        ("answers: [{on: GET /x, status: 700}]", "700 is no status"),
        ("answers: [{on: GET /x, headers: {content-length: '1'}}]", "'content-length' is not set here"),
        ("answers: [{on: GET /x, headers: {location: '{item.id}'}}]", "nothing is called 'item.id' here"),
        ("answers: [{on: GET /x, stream: [{event: a}]}]", "an event has json, or text: one of them"),
        ("answers: [{on: GET /x, read: things}]", "no collection 'things' is in this file"),
        (THINGS + "- {on: GET /x, read: thing}", "no collection 'thing' is in this file, did you mean 'things'?"),
        (THINGS + "- {on: GET /x, read: things}", "to read things, 'GET /x' must name {id}"),
        (THINGS + "- {on: 'GET /x/{id}', read: things, list: things}", "an answer does one thing, keep one of read, list"),
        (THINGS + "- {on: 'GET /x/{id}', read: things, set: {a: 1}}", "only what is created or updated is set"),
        (THINGS + "- {on: GET /x, list: things, json: '{item.id}'}", "nothing is called 'item.id' here"),
        ("answers: [{on: GET /x, json: 1}, {on: GET /x, json: 2}]", "nothing after this is ever answered to 'GET /x', add `if`"),
        ("answers: [{on: 'GET /x/{a}', json: 1}, {on: 'GET /x/{b}', json: 2}]", "leads to two operations"),
        ("answers: [{on: GET /x, if: {body: 1}}]", "'body' can't name conditions"),
        ("answers: [{on: GET /x, needs: [path.id]}]", "'path.id' is no variable"),
        ("collections: {a: {page: {after: x, number: y}}}\nanswers: [{on: GET /x}]", "keep one of after, number"),
        ("collections: {a: {within: [shop], new: {x: '{path.shp}'}}}\nanswers: [{on: 'POST /{shop}', create: a}]", "needs {shp}"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, message):
    told = problems_of(text)
    assert any(message in one for one in told), told
    assert all(one.startswith("0.yaml:") for one in told)


def test_everything_that_is_wrong_is_told_at_once():
    told = problems_of("answers:\n- {on: GET /x, status: 700, json: '{x'}\n- {on: GET /y, read: z}")
    assert [one.split(":")[1] for one in told] == ["4", "4", "5"]


def test_a_later_file_says_something_else_of_a_route_and_leaves_the_others():
    book = book_of(
        "answers: [{on: GET /x, json: 1}, {on: GET /y, json: 1}]", "answers: [{on: GET /x, json: 2}]\nmissing: {status: 410}"
    )
    assert book.listed == ("GET /x", "GET /y")
    assert book.routes.find("GET", "/x").value.answers[0].reply.body.value == 2
    assert book.missing.status == 410


def test_a_later_file_can_use_collections_of_an_earlier_one():
    book = book_of(THINGS + "- {on: POST /x, create: things}", "answers: [{on: 'GET /x/{id}', read: things}]")
    assert book.routes.find("GET", "/x/1").value.answers[0].collection is book.collections["things"]


def test_two_files_whose_routes_clash_are_told_of():
    assert "leads to two operations" in problems_of("answers: [{on: 'GET /x/{a}'}]", "answers: [{on: 'GET /x/{b}'}]")[0]


@pytest.mark.parametrize("service", sorted(mock_files()))
def test_what_is_shipped_is_sound_and_named_by_its_file(service):
    documents = mock_files()[service]
    assert [Path(document.source).stem for document in documents] == [service]
    assert load(documents).listed


def test_the_example_of_the_document_is_sound():
    from outgate.stores.shipped import shipped

    blocks = re.findall(r"^```yaml\n(.*?)^```", shipped("rules", "mocks", "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (text,) = [block for block in blocks if "mocks/v1alpha" in block]
    assert load([parse(text, "README.md")]).service == "shop"
