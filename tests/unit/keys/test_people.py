from outgate.keys.people import People, Person

PEOPLE = People(by_name={"ann": Person(name="ann", groups=frozenset({"ops"})), "ben": Person(name="ben")})


def test_names_groups_and_everybody_stand_for_people():
    assert PEOPLE.among(["ben"]) == {"ben"}
    assert PEOPLE.among(["group:ops"]) == {"ann"}
    assert PEOPLE.among(["*"]) == {"ann", "ben"}


def test_who_is_not_known_is_nobody():
    assert PEOPLE.among(["zoe", "group:none", "group:", ""]) == frozenset()
