import json
from pathlib import Path

import pytest
from asked import asked

from outgate.actions.action import Money
from outgate.actions.identify import identify
from outgate.actions.service_file import OPERATION_KEYS, TOP_KEYS, compile_catalog
from outgate.document import parse
from outgate.stores.catalog_files import load_catalog, load_mined
from outgate.stores.shipped import shipped

FILES = sorted(shipped("rules", "services").glob("*.yaml"))
CATALOG = load_catalog()
WORDS = json.loads((Path(__file__).parents[2] / "vectors/judged_by_hand.json").read_text(encoding="utf-8"))
MINED = load_mined(shipped("rules", "services", "mined"))


def examples():
    for path in FILES:
        for example in parse(path.read_text(encoding="utf-8"), path.name).value.get("examples", []):
            yield pytest.param(example, id=f"{path.stem}: {example['request']} is {example['is']}")


def said(value):
    if isinstance(value, Money):
        return f"{value.minor} {value.currency}"
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_of_a_service_file_holds(example):
    request = asked(example["request"], **{k: example[k] for k in ("headers", "json", "form", "text") if k in example})
    actions = identify(request, CATALOG)
    names = [action.name for action in actions]
    assert names == (example["is"] if isinstance(example["is"], list) else [example["is"]])
    first = actions[0]
    got = {"resource": first.resource, "access": first.access.value, "tier": first.tier.name}
    assert {name: got[name] for name in got if name in example} == {name: example[name] for name in got if name in example}
    params = example.get("params", {})
    assert {name: said(first.params.get(name)) for name in params} == params


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_service_file_has_examples(path):
    assert parse(path.read_text(encoding="utf-8"), path.name).value["examples"]


def test_what_an_example_gives_is_an_operation_of_the_catalog():
    known = {operation.name for operation in CATALOG.listed()}
    for param in examples():
        request = asked(
            param.values[0]["request"],
            **{k: param.values[0][k] for k in ("headers", "json", "form", "text") if k in param.values[0]},
        )
        for action in identify(request, CATALOG):
            free = any(name.endswith("*") and action.name.startswith(name[:-1]) for name in known)
            assert free or action.name in known or CATALOG.operation(action.name) is not None, action.name


def test_every_operation_that_does_more_than_read_says_its_tier():
    for operation in CATALOG.listed():
        if operation.access.value in {"delete", "admin", "pay", "publish"} and operation.tier < 1:
            raise AssertionError(operation)


def test_nothing_that_reads_is_worse_than_sensitive():
    assert all(o.tier <= 1 for o in CATALOG.listed() if o.access.only_reads)


def test_what_is_unknown_is_at_least_tier_two():
    assert all(o.tier >= 2 for o in CATALOG.listed() if o.access.value == "unknown")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_said_of_an_operation_that_was_mined_is_looked_up(path):
    """At start it is not."""
    if "service" in parse(path.read_text(encoding="utf-8"), path.name).value:
        compile_catalog([parse(path.read_text(encoding="utf-8"), path.name)], *MINED)


@pytest.mark.parametrize("service", WORDS)
def test_what_people_judged_stays_as_they_judged_it(service):
    """Most of it is judged by its name alone now: what changes that judging must not change this."""
    known = {operation.operation: operation for operation in CATALOG.operations(service)}
    other = {
        name: (said, f"{known[name].access.value} {known[name].tier.name}")
        for said, names in WORDS[service].items()
        for name in names
        if f"{known[name].access.value} {known[name].tier.name}" != said
    }
    assert other == {}


def test_a_name_of_stripe_follows_from_its_method_and_path():
    for operation in CATALOG.listed():
        if operation.service == "stripe" and operation.operation[0].isupper() and not operation.operation.isupper():
            assert operation.operation.startswith(("Get", "Post", "Delete"))


def test_the_example_of_the_readme_compiles_and_its_examples_hold():
    text = shipped("rules", "services", "README.md").read_text(encoding="utf-8")
    document = parse(text.partition("```yaml\n")[2].partition("```")[0], "README.md")
    catalog = compile_catalog([document])
    for example in document.value["examples"]:
        request = asked(example["request"], **{k: example[k] for k in ("json",) if k in example})
        (action,) = identify(request, catalog)
        assert action.name == example["is"]
        assert {name: said(action.params[name]) for name in example.get("params", {})} == example.get("params", {})


def test_the_readme_names_every_key():
    text = shipped("rules", "services", "README.md").read_text(encoding="utf-8")
    for key in TOP_KEYS | OPERATION_KEYS:
        assert f"`{key}`" in text or f"`{key}: " in text
