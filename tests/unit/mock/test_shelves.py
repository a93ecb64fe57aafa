from outgate.mock.shelves import Shelf, Shelves

THINGS = ("shop", "things")


def test_what_was_put_is_there_and_what_was_removed_was():
    shelf = Shelf()
    assert shelf.put(THINGS, "1", {"a": 1})
    assert shelf.get(THINGS, "1") == {"a": 1}
    shelf.remove(THINGS, "1")
    assert shelf.get(THINGS, "1") is None
    assert shelf.removed(THINGS, "1")
    assert not shelf.removed(THINGS, "2")
    assert shelf.all(THINGS) == []


def test_that_a_stranger_was_removed_is_remembered_and_it_can_be_made_again():
    shelf = Shelf()
    shelf.remove(THINGS, "x")
    assert shelf.removed(THINGS, "x")
    shelf.put(THINGS, "x", {})
    assert not shelf.removed(THINGS, "x")


def test_all_come_oldest_first_also_after_one_was_changed():
    shelf = Shelf()
    for key in "abc":
        shelf.put(THINGS, key, {"key": key})
    shelf.put(THINGS, "a", {"key": "a", "changed": True})
    assert [key for key, _ in shelf.all(THINGS)] == ["a", "b", "c"]


def test_numbers_go_on_where_what_had_them_is_gone():
    shelf = Shelf()
    assert shelf.number(THINGS) == 1
    shelf.put(THINGS, "1", {})
    shelf.remove(THINGS, "1")
    assert shelf.number(THINGS) == 2
    assert shelf.number(("shop", "others")) == 1


def test_what_was_not_used_for_longest_is_forgotten_first():
    shelf = Shelf(most_items=2)
    shelf.put(THINGS, "a", {})
    shelf.put(THINGS, "b", {})
    shelf.get(THINGS, "a")
    shelf.put(THINGS, "c", {})
    assert [key for key, _ in shelf.all(THINGS)] == ["a", "c"]
    assert not shelf.removed(THINGS, "b")


def test_no_more_bytes_are_kept_than_there_is_room_for():
    shelf = Shelf(most_bytes=1000)
    for number in range(100):
        assert shelf.put(THINGS, str(number), {"text": "x" * 100})
    assert shelf.bytes <= 1000
    assert 0 < len(shelf.all(THINGS)) < 10
    assert not shelf.put(THINGS, "large", {"text": "x" * 1000})


def test_long_paths_and_deletions_without_end_take_no_more_room_either():
    shelf = Shelf(most_bytes=10_000)
    for number in range(1000):
        shelf.remove(("shop", "x" * 500 + str(number)), "k")
    assert shelf.bytes <= 10_000
    assert len(shelf._drawers) < 20


def test_bytes_are_given_back_to_the_last():
    shelf = Shelf()
    shelf.put(THINGS, "a", {"x": 1})
    once = shelf.bytes
    shelf.put(THINGS, "a", {"x": 2})
    assert shelf.bytes == once


def test_each_agent_has_its_own():
    shelves = Shelves()
    shelves.of("a").put(THINGS, "1", {})
    assert shelves.of("b").get(THINGS, "1") is None
    assert shelves.of("a").get(THINGS, "1") == {}


def test_who_did_not_ask_for_longest_starts_anew_where_there_are_too_many():
    shelves = Shelves(agents=2)
    for agent in "abac":
        shelves.of(agent).put(THINGS, "1", {})
    assert shelves.of("a").get(THINGS, "1") == {}
    assert shelves.of("b").get(THINGS, "1") is None


def test_who_did_not_ask_for_longest_starts_anew_where_too_much_is_kept():
    shelves = Shelves(most_bytes=500)
    for agent in "abc":
        shelves.of(agent).put(THINGS, "1", {"x": "y" * 200})
    assert shelves.of("c").get(THINGS, "1") is not None
    assert "a" not in shelves._shelves
