import pytest
from openapi_documents import crm

from outgate.actions.openapi.fields import MOST
from outgate.actions.openapi.operations import described
from outgate.actions.openapi.references import Reading
from outgate.document import parse


def fields(operation, more=""):
    reading = Reading(
        parse(crm(f"/a/{{b}}: {{parameters: [{{name: q, in: query, type: integer}}], post: {operation}}}", more), "crm.yaml")
    )
    (one,) = described(reading, {})
    assert reading.faults == []
    return {field.name: field for field in one.fields}, reading


def test_an_operations_own_parameter_stands_for_its_paths():
    found, _ = fields("{parameters: [{name: q, in: query, required: true, schema: {type: string}}]}")
    assert (found["q"].type, found["q"].required) == ("string", True)
    assert fields("{}")[0]["q"].type == "integer"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("application/json", "json"),
        ("application/vnd.x+json; charset=utf-8", "json"),
        ("application/x-www-form-urlencoded", "form"),
        ("multipart/form-data", "form"),
    ],
)
def test_fields_of_a_body_stand_where_its_kind_says(content, place):
    found, _ = fields(f"{{requestBody: {{content: {{'{content}': {{schema: {{properties: {{x: {{type: string}}}}}}}}}}}}}}")
    assert found["x"].place == place


def test_what_may_come_either_way_is_read_either_way():
    schema = "{schema: {properties: {x: {type: string}}}}"
    found, _ = fields(f"{{requestBody: {{content: {{application/json: {schema}, multipart/form-data: {schema}}}}}}}")
    assert found["x"].place == "args"


def test_swagger_says_a_body_and_a_form_as_parameters():
    found, _ = fields(
        "{parameters: [{in: body, name: any, schema: {required: [x], properties: {x: {type: integer}}}}, {in: formData, name: y, type: string}]}"
    )
    assert (found["x"].place, found["x"].type, found["x"].required) == ("json", "integer", True)
    assert (found["y"].place, found["y"].type) == ("form", "string")


def test_schemas_that_are_put_together_have_the_fields_of_all():
    more = """
components:
  schemas:
    Base: {properties: {id: {type: string}, kind: {enum: [a, b]}}}
    Self: {allOf: [{$ref: '#/components/schemas/Base'}, {properties: {next: {$ref: '#/components/schemas/Self'}, n: {type: [integer, "null"]}}}]}
"""
    found, _ = fields("{requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Self'}}}}}", more)
    assert {name: field.type for name, field in found.items() if name != "q"} == {
        "id": "string", "kind": "string", "next": "object", "n": "integer"
    }  # fmt: skip


def test_a_schema_that_holds_itself_has_an_end():
    more = "components: {schemas: {Self: {allOf: [{$ref: '#/components/schemas/Self'}, {properties: {a: {type: string}}}]}}}"
    found, _ = fields("{requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Self'}}}}}", more)
    assert found["a"].type == "string"


def test_a_long_chain_of_schemas_has_an_end():
    chain = ", ".join(f"S{n}: {{allOf: [{{$ref: '#/components/schemas/S{n + 1}'}}]}}" for n in range(1500))
    fields(
        "{requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/S0'}}}}}",
        f"components: {{schemas: {{{chain}, S1500: {{}}}}}}",
    )


def test_one_that_branches_at_every_level_has_an_end_too():
    both = ", ".join(["{$ref: '#/components/schemas/S'}"] * 20)
    more = f"components: {{schemas: {{S: {{anyOf: [{both}]}}}}}}"
    fields("{requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/S'}}}}}", more)


def test_a_name_of_two_types_is_of_none():
    found, _ = fields(
        "{requestBody: {content: {application/json: {schema: {oneOf: [{properties: {a: {type: string}}}, {properties: {a: {type: boolean}}}]}}}}}"
    )
    assert found["a"].type == ""


def test_a_body_with_endless_fields_is_read_so_far():
    many = ", ".join(f"f{n}: {{type: string}}" for n in range(MOST + 9))
    found, reading = fields(f"{{requestBody: {{content: {{application/json: {{schema: {{properties: {{{many}}}}}}}}}}}}}")
    assert len(found) == MOST + 1
    assert "more than 400 fields" in str(reading.notes[0])


def test_a_schema_in_another_document_gives_no_field_and_is_told():
    found, reading = fields("{requestBody: {content: {application/json: {schema: {$ref: 'https://x.test/a'}}}}}")
    assert list(found) == ["q"]
    assert "never followed" in str(reading.notes[0])
