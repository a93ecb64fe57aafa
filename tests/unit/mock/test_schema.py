import pytest

from outgate.mock.schema import DEEPEST, MOST_VALUES, Maker


def made(schema, **known):
    return Maker(lambda ref: known.get(ref.removeprefix("#/"))).value(schema)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "example": "x"}, "x"),
        ({"type": "string", "examples": ["y"]}, "y"),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "string", "enum": ["open", "closed"]}, "open"),
        ({"const": 5}, 5),
        ({"type": "string", "format": "date-time"}, "2026-01-31T08:00:00Z"),
        ({"format": "email"}, "someone@example.com"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "minimum": 5, "exclusiveMinimum": True}, 6),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"properties": {"p": {"type": "string", "writeOnly": True}, "a": {"const": 1}}}, {"a": 1}),
        ({"type": "object", "required": ["x"]}, {"x": None}),
        ({"oneOf": [{"type": "null"}, {"const": 2}]}, 2),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"allOf": [{"$ref": "#/a"}], "properties": {"c": {"const": 3}}}, {"x": 1, "c": 3}),
        ({"$ref": "#/a"}, {"x": 1}),
        ({"$ref": "#/nothing"}, None),
        (True, None),
        ({}, None),
    ],
)
def test_a_value_is_what_its_schema_allows(schema, value):
    assert made(schema, a={"properties": {"x": {"const": 1}}}) == value


def test_what_contains_itself_has_an_end():
    loop = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/node"}, "name": {"type": "string"}}}
    value, depth = made({"$ref": "#/node"}, node=loop), 0
    while isinstance(value, dict):
        value, depth = value["next"], depth + 1
    assert depth == DEEPEST + 1


def test_a_reference_that_leads_to_itself_has_an_end():
    assert made({"$ref": "#/a"}, a={"$ref": "#/a"}) is None


def test_what_branches_at_every_level_has_a_bound():
    wide = {"type": "object", "required": list("abcdefgh"), "properties": {c: {"$ref": "#/wide"} for c in "abcdefgh"}}
    maker = Maker(lambda _: wide)
    maker.value({"$ref": "#/wide"})
    assert -MOST_VALUES < maker.left < 0
