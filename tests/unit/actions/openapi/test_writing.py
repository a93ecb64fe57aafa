import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_documents import crm

from outgate.actions.openapi.described import read_text
from outgate.actions.openapi.draft import imported
from outgate.actions.openapi.writing import EXAMPLES, flow, scalar, written
from outgate.actions.service_file import compile_catalog
from outgate.document import parse
from outgate.policy.examples import count, wrong

PATHS = """
/contacts:
  get: {tags: [contacts], parameters: [{name: "limit", in: query, schema: {type: integer}}]}
  post: {tags: [contacts], deprecated: true, x-outgate-action: {why: "a: b, {c} # d"}}
/contacts/{id}: {delete: {tags: ["two\\nlines"]}}
/files/{path+}: {get: {}}
"""


def texts(paths):
    return [(draft, written(draft, "crm.yaml")) for draft in imported(read_text(crm(paths), "crm.yaml")).drafts]


def test_what_is_written_reads_back_as_what_was_meant():
    for draft, text in texts(PATHS):
        value = parse(text, "x").value
        assert value.pop("examples")
        assert value == draft.value


def test_what_is_written_loads_and_its_examples_hold():
    for _, text in texts(PATHS):
        document = parse(text, "x")
        assert count(document) == 4
        assert wrong(document, compile_catalog([document])) == ()


def test_it_says_what_a_person_must_know():
    ((_, text),) = texts(PATHS)
    assert text.startswith("# Acme CRM API, made of crm.yaml by `outgate actions import`.\n")
    assert "  # deprecated:\n" in text
    assert "  # two?lines\n" in text
    assert "  # without a tag\n" in text


def test_examples_are_of_the_dangerous_first():
    ((_, text),) = texts("\n".join(f"/a{n}: {{get: {{}}}}" for n in range(EXAMPLES + 9)) + "\n/z/{id}: {delete: {}}")
    examples = parse(text, "x").value["examples"]
    assert len(examples) == EXAMPLES
    assert examples[-1]["access"] == "delete"


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), min_size=1, max_size=12)
    | st.sampled_from(["true", "1.5", "~", "a: b", "a #b", "-", "x,", "{a}"])
)
def test_a_text_reads_back_as_it_is(text):
    assert parse(f"a: {scalar(text)}", "x").value == {"a": text}
    assert parse(f"a: [{scalar(text)}, {scalar(text)}]", "x").value == {"a": [text, text]}
    assert parse(f"a: {flow(text, inside=False)}", "x").value == {"a": text}


@pytest.mark.parametrize("value", [True, None, 3, ["GET /a/{b}", "x"], {"a b": {"c": "d, e"}}])
def test_a_value_reads_back_as_it_is(value):
    assert parse(f"a: {flow(value)}", "x").value == {"a": value}
