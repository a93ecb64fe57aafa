import pytest

from outgate.actions.openapi.overlay import NOTHING, read_overlay
from outgate.document import parse
from outgate.errors import ConfigError
from outgate.stores.shipped import shipped


def overlay(text):
    return read_overlay(parse(f"outgate: overlay/v1alpha\n{text}", "o.yaml"))


def problems(text):
    with pytest.raises(ConfigError) as error:
        overlay(text)
    return [str(one) for one in error.value.problems]


def test_it_says_things_of_the_service_and_of_operations_by_name_or_by_route():
    said = overlay("service: {name: crm}\noperations:\n  listPets: {tier: T1}\n  get /pets: {access: list}\n")
    assert said.service == {"name": "crm"}
    assert {name: spot.value for name, spot in said.operations.items()} == {
        "listPets": {"tier": "T1"},
        "GET /pets": {"access": "list"},
    }


def test_an_operation_that_the_document_has_not_is_told_with_its_line():
    said = overlay("operations:\n  a: {tier: T1}\n  b: {tier: T1}\n")
    assert [str(one) for one in said.strays({"a"})] == [
        "o.yaml:4:3: the document has no operation 'b', name one by its operationId or as `GET /path`"
    ]
    assert NOTHING.strays(()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("servce: {}", "o.yaml:2:1: unknown key 'servce', use one of outgate, service, operations"),
        ("service: {host: x}", "o.yaml:2:11: unknown key 'host', use one of name, title, docs, hosts"),
        ("operations: {a: {teir: T1}}", "o.yaml:2:18: unknown key 'teir', use one of name, skip, access"),
        ("operations: {a: T1}", "o.yaml:2:17: this is a table of name, skip"),
        ("operations: 1", "o.yaml:2:13: `operations` is a table"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, said):
    assert problems(text)[0].startswith(said)


def test_another_file_is_no_overlay():
    with pytest.raises(ConfigError, match="an overlay starts with `outgate: overlay/v1alpha`"):
        read_overlay(parse("openapi: 3.0.0", "o.yaml"))


def test_the_overlay_of_the_readme_is_one():
    text = shipped("rules", "services", "README.md").read_text(encoding="utf-8")
    shown = next(block for block in text.split("```yaml\n") if block.startswith("outgate: overlay/")).partition("```")[0]
    assert [*read_overlay(parse(shown, "README.md")).operations] == ["payInvoice", "GET /exports/{id}", "GET /internal/debug"]
