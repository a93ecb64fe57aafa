"""What people say of an operation counts over what was mined of it, and the rest stays as it was mined."""

import pytest
from asked import asked
from mined import mined, packed

from outgate.actions.action import Access, Confidence, Tier
from outgate.actions.identify import identify
from outgate.actions.mined import Mined, Part
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.errors import ConfigError

ZOO = mined(
    "zoo",
    ("pets.get", "GET", "/pets/{pet}", "r", "", []),
    ("pets.delete", "DELETE", "/pets/{pet}", "w", "", ["force bool query.force"]),
    ("pets.feed", "POST", "/pets/{pet}/feed", "", "", []),
    ("pets.keys", "GET", "/pets/{pet}/keys", "r", "s", []),
    ("feed", "POST", "/feed", "", "", []),
)
HEAD = "outgate: service/v1alpha\nservice: zoo\nhosts: [zoo.test]\n"


def catalog(text=HEAD):
    return compile_catalog([parse(text, "zoo.yaml")], {"zoo": ZOO}, {"pet"})


def only(line, text=HEAD):
    (action,) = identify(asked(line), catalog(text))
    return action


def test_what_was_mined_is_an_operation_of_its_service():
    action = only("GET https://zoo.test/pets/7")
    assert (action.name, action.access, action.tier, action.params) == ("zoo.pets.get", Access.READ, Tier.T0, {"pet": "7"})
    assert action.confidence is Confidence.CATALOG
    assert action.evidence[0] == "mined/zoo"


def test_a_delete_is_one_and_a_sensitive_read_is_raised():
    assert only("DELETE https://zoo.test/pets/7").access is Access.DELETE
    assert only("GET https://zoo.test/pets/7/keys").tier is Tier.T1


def test_what_nobody_mined_is_a_guess():
    assert only("POST https://zoo.test/pets/7/sell").confidence is Confidence.HEURISTIC


def test_what_people_say_counts_and_the_rest_stays():
    said = HEAD + "operations:\n  pets.delete: {tier: T3, why: it was the last one}\ninstances: ['pet:{pet}']\n"
    action = only("DELETE https://zoo.test/pets/7?force=true", said)
    assert (action.access, action.tier, action.why) == (Access.DELETE, Tier.T3, "it was the last one")
    assert action.params == {"pet": "7", "force": True}
    assert action.instance == "pet:7"
    assert action.evidence == ("mined/zoo", "services/zoo")


def test_a_route_that_a_file_has_wins():
    said = HEAD + "operations:\n  pets.kill: {on: 'DELETE /pets/{pet}', access: delete, tier: T3}\n"
    assert only("DELETE https://zoo.test/pets/7", said).name == "zoo.pets.kill"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("pets.delet: {tier: T3}", "no operation 'pets.delet' was mined of zoo"),
        ("pets.delete: {tier: T4}", "unknown tier 'T4'"),
        ("pets.delete: {resource: '{owner}'}", "names something that is neither in the path nor a string parameter"),
        ("pets.delete: {reads: klingon}", "unknown language of a body 'klingon'"),
        ("pets.delete: {params: {amount: string query.amount}}", "parameter 'amount' is string here and money in every service"),
    ],
)
def test_a_slip_in_what_people_say_is_an_error(line, complaint):
    with pytest.raises(ConfigError, match=complaint):
        catalog(f"{HEAD}operations:\n  {line}\n")


def test_its_operations_are_known_to_rules():
    known = {operation.name: operation for operation in catalog().operations("zoo")}
    assert known["zoo.pets.delete"].params == {"pet": "string", "force": "bool"}
    assert known["zoo.pets.delete"].access is Access.DELETE
    assert catalog().operation("zoo.pets.get").access is Access.READ
    assert catalog().params()["pet"] == "string"


def test_a_route_of_a_file_that_is_less_literal_hides_nothing_that_was_mined():
    said = HEAD + "operations:\n  any: {on: 'GET /pets/{pet}/{what}', access: unknown, tier: T2}\n"
    assert only("GET https://zoo.test/pets/7/keys", said).name == "zoo.pets.keys"
    assert only("GET https://zoo.test/pets/7/other", said).name == "zoo.any"


def test_of_templates_that_cross_each_other_the_worse_one_counts():
    crossing = mined("zoo", ("a.get", "GET", "/a/{x}", "r", "a", []), ("b.keys", "GET", "/{y}/keys", "r", "as", []))
    known = compile_catalog([parse(HEAD, "zoo.yaml")], {"zoo": crossing}, {"x", "y"})
    (both,) = identify(asked("GET https://zoo.test/a/keys"), known)
    (one,) = identify(asked("GET https://zoo.test/a/other"), known)
    assert (both.name, both.tier) == ("zoo.b.keys", Tier.T1)
    assert (one.name, one.tier) == ("zoo.a.get", Tier.T0)


def test_whose_it_is_may_be_said_by_the_host_alone():
    said = HEAD.replace("zoo.test", "'{zoo}.zoo.test', zoo.test") + "instances: ['pet:{pet}', 'zoo:{zoo}']\n"
    assert only("POST https://berlin.zoo.test/feed", said).instance == "zoo:berlin"
    assert only("POST https://zoo.test/feed", said).instance == ""
    assert only("GET https://berlin.zoo.test/pets/7", said).instance == "pet:7"


def test_what_is_said_of_an_operation_that_nobody_mined_is_an_error_but_in_files_that_come_with_outgate():
    document = parse(HEAD + "operations:\n  pets.sell: {tier: T2}\n  pets.get: {resource: '{nobody}'}\n", "zoo.yaml")
    with pytest.raises(ConfigError, match=r"(?s)no operation 'pets.sell' was mined of zoo.*'\{nobody\}' names something"):
        compile_catalog([document], {"zoo": ZOO}, {"pet"})
    assert compile_catalog([document], {"zoo": ZOO}, {"pet"}, believed={"zoo.yaml"}).operation("zoo.pets.sell") is None


def test_a_method_tells_nothing_where_any_does_for_any_operation():
    operations = [("rooms.archive", "GET", "/rooms.archive", "", "", [])]
    rooms = Mined((Part("zoo", "", packed("zoo", operations, meta={"rpc": True})),))
    known = compile_catalog([parse(HEAD, "zoo.yaml")], {"zoo": rooms}, ())
    (action,) = identify(asked("GET https://zoo.test/rooms.archive"), known)
    assert action.access is Access.WRITE


def test_the_reason_is_that_of_the_access_that_people_say():
    said = HEAD + "operations:\n  pets.get: {access: admin, tier: T2}\n"
    assert only("GET https://zoo.test/pets/7", said).why == "It changes who may do what, or how something is set up."


def test_images_that_a_model_is_shown_are_a_parameter_of_what_people_say_goes_elsewhere():
    known = catalog(HEAD + "operations:\n  feed: {egress: true}\n")
    assert known.operation("zoo.feed").params["images"] == "list"


def test_where_a_form_sends_the_service_is_seen():
    known = catalog(HEAD + "operations:\n  feed: {egress: true}\n")
    request = asked("POST https://zoo.test/feed", form="hook[url]=https%3A%2F%2Fevil.example%2Fx&name=a")
    feed, elsewhere = identify(request, known)
    assert (feed.name, elsewhere.name, elsewhere.resource) == ("zoo.feed", "zoo.egress:url", "evil.example/x")


def test_a_parameter_that_people_give_a_mined_operation_is_known_to_rules():
    known = catalog(HEAD + "operations:\n  pets.feed: {params: {grams: int json.grams}}\n")
    assert known.params()["grams"] == "int"
