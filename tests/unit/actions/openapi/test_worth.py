import pytest

from outgate.actions.openapi.fields import Field
from outgate.actions.openapi.worth import MOST, is_minor, kind_of, name_of, one_kind_each, renamed, worth


def field(name, type_="string", place="json", **said):
    return Field(place=place, name=name, type=type_, **said)


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (field("a"), "string"),
        (field("a", "integer"), "int"),
        (field("a", "boolean"), "bool"),
        (field("a", "array", items="string"), "list"),
        (field("a", "array", items="object"), None),
        (field("a", "object"), None),
        (field("a", "number"), None),
        (field("a", ""), None),
    ],
)
def test_simple_things_have_a_kind(one, kind):
    assert kind_of(one) == kind


@pytest.mark.parametrize(
    "one",
    [
        field("role"),
        field("dryRun", "boolean"),
        field("recursive", "boolean", "query"),
        field("visibility", enum=("public", "private")),
        field("anything", required=True),
        field("user_ids", "array", items="string"),
        field("per_page", "integer", "query"),
    ],
)
def test_what_rules_would_ask_for_is_worth_having(one):
    assert worth([one]) == (one,)


@pytest.mark.parametrize(
    "one",
    [
        field("password", required=True),
        field("client_secret", required=True),
        field("pin", "string", required=True, format="password"),
        field("body", required=True),
        field("description"),
        field("page", "integer", "query", required=True),
        field("id", "string", "path", required=True),
        field("X-Trace", "string", "header", required=True),
        field("a.b", required=True),
        field("details", "object", required=True),
    ],
)
def test_secrets_what_people_write_and_what_only_turns_pages_is_not(one):
    assert worth([one]) == ()


def test_an_operation_has_not_endless_parameters_and_the_telling_ones_stay():
    many = [field(f"flag{n}", "boolean") for n in range(50)]
    assert len(worth([*many, field("role")])) == MOST
    assert field("role") in worth([*many, field("role")])


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (field("dryRun", "boolean"), "dry_run"),
        (field("dryRun"), "dryRun"),
        (field("pageSize", "integer"), "limit"),
        (field("to", "array", items="string"), "recipients"),
        (field("to"), "to"),
        (field("ids[]", "array", items="string"), "ids"),
        (field("X-Region"), "X_Region"),
    ],
)
def test_what_means_the_same_has_one_name(one, name):
    assert name_of(one) == name


def test_a_name_has_the_kind_that_most_have_and_that_is_known_elsewhere():
    kinds = one_kind_each(
        [field("state"), field("state"), field("state", "boolean"), field("mode", "integer")], {"mode": "string"}
    )
    assert (kinds["state"], kinds["mode"], kinds["force"]) == ("string", "string", "bool")


def test_one_of_another_kind_gets_another_name():
    assert renamed("state", "string", {"state": "string"}) == "state"
    assert renamed("state", "bool", {"state": "string"}) == "state_flag"
    assert renamed("state", "bool", {"state": "string", "state_flag": "list"}) is None


@pytest.mark.parametrize(
    ("text", "minor"), [("in cents", True), ("smallest currency unit", True), ("in dollars", False), ("accents", False)]
)
def test_an_amount_is_in_the_minor_unit_where_the_document_says_so(text, minor):
    assert is_minor(field("amount", "integer", description=text)) is minor
    assert not is_minor(field("amount", "number", description=text))
