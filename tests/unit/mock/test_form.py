from outgate.mock.form import LANGUAGE, mocks_schema


def test_editors_get_a_schema_that_knows_the_language():
    made = mocks_schema()
    assert made["title"] == f"Outgate {LANGUAGE}"
    assert made["properties"]["outgate"]["enum"] == ["mocks/v1alpha"]
    assert made["required"] == ["answers", "outgate", "service"]
