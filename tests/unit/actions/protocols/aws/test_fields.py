"""Fields of forms, with lists that are numbered, read as the catalog has them."""

from asked import asked

from outgate.actions.operation import Source
from outgate.actions.protocols.aws.fields import Query


def values(form, place, path):
    pairs = tuple(tuple(pair.split("=")) for pair in form.split("&"))
    return Query(asked("POST https://ec2.eu-west-1.amazonaws.com/", form=form), pairs).values(
        Source(place=place, path=tuple(path.split(".")))
    )


def test_a_field_is_read_by_its_name():
    assert (values("A=1&B=2", "form", "B"), values("A=1", "json", "A"), values("A=1", "form", "C")) == (["2"], ["1"], [])


def test_a_list_is_numbered():
    assert values("Id.1=a&Id.2=b&Id.x=c&Idle.1=d", "form", "Id.*") == ["a", "b"]
    assert values("Names.member.1=a&Names.member.2=b", "form", "Names.member.*") == ["a", "b"]


def test_what_the_catalog_has_in_json_may_be_numbered_in_either_way():
    assert values("Names.member.1=a&Names.2=b", "json", "Names.*") == ["a", "b"]


def test_items_of_lists_have_fields():
    assert values("Entries.1.Id=a&Entries.1.Other=b&Entries.2.Id=c", "form", "Entries.*.Id") == ["a", "c"]
