"""All that was mined, routed: each template finds its own operation, and among all of them that takes microseconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from outgate.actions.mined import Mined, Part
from outgate.actions.router import MIXED, match
from outgate.stores.catalog_files import load_mined

FOLDER = Path(__file__).parents[2] / "rules/services/mined"
MINED, CAPTURED = load_mined(FOLDER)
PARTS = [part for _, mined in sorted(MINED.items()) for part in mined.parts]


def filled(template: str) -> str:
    return template.replace("{+}", "Zq/Zr").replace("{}", "Zq7")


def lost(part: Part) -> list[str]:
    """Give the routes that do not lead to their operation."""
    missed = []
    for method, template, index in part.routes():
        found = part.find(method, filled(template))
        indexes = [] if found is None else found.value if isinstance(found.value, list) else [found.value]
        if index not in indexes and index not in part.every(method, filled(template)):
            missed.append(f"{part.file}: {method} {template}")
        if found is None or len(found.captures) != len(part.facts[indexes[0]].captures):
            missed.append(f"{part.file}: {method} {template} captures {found}")
    return missed


@pytest.mark.parametrize("service", sorted(MINED))
def test_every_template_that_was_mined_leads_to_its_operation(service):
    assert [line for part in MINED[service].parts for line in lost(part)] == []


def test_every_name_that_a_template_captures_is_known_to_rules():
    captured = {name for part in PARTS for fact in part.facts for name in fact.captures}
    assert captured <= CAPTURED


@pytest.mark.parametrize("service", ["google", "msgraph", "aws"])
def test_an_operation_is_found_by_its_name_as_by_its_path(service):
    mined = MINED[service]
    some = [fact.name for part in mined.parts for fact in part.facts[:3]]
    fresh = Mined(mined.parts, mined.hosts, mined.heads)
    assert [name for name in some if fresh.fact(name) is None] == []


def _joined() -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Give one tree of all parts, each below a segment of its own, twice, and a path for each route of the second."""
    tree: dict[str, Any] = {}
    paths = []
    for part in PARTS:
        start = part.file.rpartition("/")[2]
        tree[start] = part._inflated.paths
        paths += [(method, f"/{start}{filled(template)}") for method, template, _ in part.routes()]
    return {"one": tree, "two": dict(tree)}, [(method, f"/two{path}") for method, path in paths]


def test_among_a_hundred_thousand_templates_one_is_found_in_microseconds():
    tree, paths = _joined()
    assert 2 * len(paths) >= 100_000
    assert MIXED not in tree
    asked = paths[::20]
    for method, path in asked:
        match(tree, method, path)
    started = time.process_time()
    for method, path in asked:
        match(tree, method, path)
    assert (time.process_time() - started) / len(asked) < 50e-6
