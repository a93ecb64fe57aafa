"""What machines found out is inflated when it is needed, is what was packed, and is refused where it is damaged."""

import gzip
import json
import pickle

import pytest
from mined import packed

from outgate.actions.mined import Fact, Mined, Part, unpack
from outgate.errors import ConfigError

PETS = [
    ("pets.get", "GET", "/pets/{pet}", "r", "", []),
    ("pets.delete", "DELETE", "/pets/{pet}", "w", "i", ["force bool query.force"]),
    ("pets.sold", "POST", "/pets/{pet}:sold", "", "m", []),
]


def part(name="", operations=PETS):
    return Part("zoo", name, packed("zoo", operations, part=name), "zoo.json.gz")


def test_a_path_leads_to_its_operation():
    zoo = part()
    found = zoo.find("DELETE", "/pets/7")
    assert zoo.facts[found.value] == Fact("pets.delete", "w", "i", ("pet",), ("force bool query.force",))
    assert found.captures == ("7",)
    assert zoo.facts[zoo.find("POST", "/pets/7:sold").value].name == "pets.sold"
    assert zoo.find("PUT", "/pets/7") is None


def test_every_route_is_given_back():
    assert sorted(part().routes()) == [("DELETE", "/pets/{}", 1), ("GET", "/pets/{}", 0), ("POST", "/pets/{}:sold", 2)]


def test_a_host_has_its_own_part_and_the_rest_the_one_without_a_name():
    whole = Mined((part("eu"), part()), (("eu.zoo.test", "eu"), ("{region}-zoo.test", "eu")))
    assert whole.at("eu.zoo.test").name == "eu"
    assert whole.at("us-zoo.test").name == "eu"
    assert whole.at("zoo.test").name == ""
    assert Mined((part("eu"),), (("eu.zoo.test", "eu"),)).at("zoo.test") is None


def test_an_operation_is_found_by_its_name_in_whatever_part():
    whole = Mined((part("pets"), part("x", [("y.z", "GET", "/y", "", "", [])])))
    assert whole.fact("pets.get").level == "r"
    assert whole.fact("y.z") == Fact("y.z")
    assert whole.fact("pets.sell") is None
    assert [fact.name for fact in whole.facts()] == ["pets.get", "pets.delete", "pets.sold", "y.z"]


def test_only_parts_with_the_first_word_of_a_name_are_inflated():
    parts = (part("pets"), part("x", [("y.z", "GET", "/y", "", "", [])]), part("w"))
    whole = Mined(parts, heads=(("pets", ()), ("x", ("y",)), ("w", ("v",))))
    assert whole.fact("y.z") == Fact("y.z")
    assert whole.fact("pets.get").level == "r"
    assert whole.fact("nobody.knows") is None
    assert "_inflated" not in vars(parts[2])


def test_it_goes_to_another_process_packed():
    sent = part()
    assert sent.facts
    again = pickle.loads(pickle.dumps(sent))  # our own
    assert again.packed == sent.packed
    assert "_inflated" not in vars(again)


def wrong_form():
    return gzip.compress(json.dumps({"outgate": "mined/v0"}).encode())


DAMAGED = {
    "empty": b"",
    "no gzip": b"x",
    "cut": packed("zoo", PETS)[:-9],
    "more": packed("zoo", PETS) + b"x",
    "another form": wrong_form(),
    "no JSON": gzip.compress(b"{"),
    "no table": gzip.compress(b"[]"),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_part_is_an_error_that_names_it(damaged):
    with pytest.raises(ConfigError, match=r"zoo\.json\.gz: the mined catalog file is damaged"):
        unpack(damaged, "zoo.json.gz")


def test_every_bit_counts():
    whole = packed("zoo", PETS)
    for at in range(10, len(whole)):  # the head of gzip says when and where it was made
        with pytest.raises(ConfigError):
            unpack(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], "zoo.json.gz")
