import pytest
from sandboxed import to_mock

from outgate.mock.book import Collection, Page
from outgate.mock.pages import Paging
from outgate.mock.template import template

ITEMS = [{"id": str(number)} for number in range(7)]


def page_of(query, **page):
    of = Page(size="n", default=3, most=5, **page)
    collection = Collection(name="x", key="id", by="id", id=template(""), new=template({}), page=of)
    return Paging(collection, to_mock(f"GET /x?{query}")).page(ITEMS)


@pytest.mark.parametrize(
    ("style", "query", "ids", "goes_on"),
    [
        ("after", "", "012", "https://api.shop.test/x?at=2"),
        ("after", "at=2&n=2", "34", "https://api.shop.test/x?n=2&at=4"),
        ("after", "at=5", "6", None),
        ("after", "at=unknown", "012", "https://api.shop.test/x?at=2"),
        ("number", "at=2", "345", "https://api.shop.test/x?at=3"),
        ("number", "at=9", "", None),
        ("number", "at=0", "012", "https://api.shop.test/x?at=2"),
        ("offset", "at=4&n=2", "45", "https://api.shop.test/x?n=2&at=6"),
        ("cursor", "at=3", "345", "6"),
        ("cursor", "n=99", "01234", "5"),
        ("cursor", "n=0", "0", "1"),
        ("cursor", "n=-3&at=x", "012", "3"),
        ("cursor", "n=²", "012", "3"),
    ],
)
def test_a_list_goes_on_in_the_way_of_its_service(style, query, ids, goes_on):
    page = page_of(query, style=style, at="at")
    assert "".join(one["id"] for one in page["items"]) == ids
    assert page["more"] is (goes_on is not None)
    assert page.get("next") == goes_on
    assert (page["total"], page["count"]) == (7, len(ids))


def test_where_nothing_says_how_it_goes_on_it_says_only_that_it_does():
    page = page_of("")
    assert page["more"] is True
    assert "next" not in page


def test_arguments_may_stand_in_the_body():
    of = Page(size="n", default=3, most=5, style="cursor", at="at")
    collection = Collection(name="x", key="id", by="id", id=template(""), new=template({}), page=of)
    page = Paging(collection, to_mock("POST /x", json={"n": 2, "at": "2"})).page(ITEMS)
    assert [one["id"] for one in page["items"]] == ["2", "3"]
