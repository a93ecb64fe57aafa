import gzip
import json

import pytest
from asked import asked

from outgate.actions.action import Access, Tier
from outgate.actions.mined import Mined, Part
from outgate.actions.operation import Override
from outgate.actions.protocols import azure
from outgate.actions.router import Router
from outgate.actions.service import Auth, Service
from outgate.intake.request import UnreadBody

HOST = "https://management.azure.com"
SUB = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"
VM = f"{SUB}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web"
V = "?api-version=2024-07-01"
FACTS = [
    ["Microsoft.Compute/virtualMachines/delete", "d", "", [], []],
    ["Microsoft.Compute/virtualMachines/read", "r", "", [], []],
    ["Microsoft.Storage/storageAccounts/listKeys/action", "r", "s", [], []],
]


def azures(**more):
    content = {"outgate": "mined/v1", "service": "azure", "part": "", "operations": FACTS, "paths": {}, "meta": {}}
    part = Part("azure", "", gzip.compress(json.dumps(content).encode(), mtime=0))
    mined = Mined(parts=(part,))
    return Service(
        name="azure", speaks="azure", hosts=(), operations=(), auth=Auth(), routes=Router(), otherwise={}, mined=mined, **more
    )


def identify(line, service=None, **asking):
    method, _, target = line.partition(" ")
    return azure.identify(asked(f"{method} {HOST}{target}", **asking), service or azures(), None)


def one(line, **asking):
    (action,) = identify(line, **asking)
    return action


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


def test_an_operation_has_the_name_that_roles_have_and_says_whose_it_is():
    action = one(f"DELETE {VM}{V}")
    assert said(action) == ("azure.Microsoft.Compute/virtualMachines/delete", "delete", "T2", True)
    assert action.instance == "subscription:0b1f6471-1bf0-4dda-aec3-cb9272f09590"
    assert action.params == {"subscription": SUB[15:], "resource_group": "rg", "name": "web"}


def test_it_is_the_same_in_any_case():
    assert one(f"DELETE {VM.upper()}{V}").name == "azure.Microsoft.Compute/virtualMachines/delete"
    assert one(f"DELETE {VM}/?API-Version=1").name == "azure.Microsoft.Compute/virtualMachines/delete"
    assert one(f"DELETE {VM.replace('virtual', '%76irtual')}{V}").name == "azure.Microsoft.Compute/virtualMachines/delete"


def test_what_nobody_mined_is_judged_by_its_name_in_small_letters():
    action = one(f"POST {SUB}/providers/Microsoft.New/Things/x/Frobnicate{V}")
    assert said(action) == ("azure.microsoft.new/things/frobnicate/action", "unknown", "T2", True)
    assert action.evidence[0] == "azure"


def test_keys_that_are_listed_are_a_sensitive_read():
    path = f"{SUB}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/acme/listkeys"
    assert said(one(f"POST {path}{V}")) == ("azure.Microsoft.Storage/storageAccounts/listKeys/action", "read", "T1", True)


def test_all_of_a_type_is_a_list():
    assert one(f"GET {VM.rpartition('/')[0]}{V}").access is Access.LIST


def test_what_the_file_says_counts_more():
    over = {"Microsoft.Compute/virtualMachines/delete": Override(tier=Tier.T3, why="ours")}
    (action,) = identify(f"DELETE {VM}{V}", azures(overrides=over))
    assert (action.tier, action.why, action.access) == (Tier.T3, "ours", Access.DELETE)


@pytest.mark.parametrize(
    "line",
    [
        *(
            f"GET {VM}",
            f"GET {VM}?api-version=1&api-version=2",
            f"GET {VM}?api-version=1&API-VERSION=2",
            f"GET /subscriptions//x{V}",
        ),
        *(
            f"GET /subscriptions%2Fx{V}",
            f"GET {SUB}/providers/x{V}",
            f"GET /{V}",
            f"GET /vaults/x{V}",
            f"GET {VM}?api-version=%FF",
        ),
        f"GET {SUB}/resourceGroups/a;b{V}",
    ],
)
def test_what_names_no_operation_once_is_unreadable(line):
    assert said(one(line)) == ("azure.unreadable", "unknown", "T2", False)


def test_a_batch_is_as_many_actions_as_it_brings():
    requests = [
        {"httpMethod": "GET", "relativeUrl": f"{VM}{V}"},
        {"httpMethod": "delete", "url": f"{HOST}{VM}{V}"},
        {"httpMethod": "DELETE", "relativeUrl": VM},
    ]
    batch, *inner = identify("POST /batch?api-version=2020-06-01", json={"requests": requests})
    assert (said(batch), batch.count) == (("azure.batch", "execute", "T1", True), 3)
    assert [action.operation for action in inner] == [FACTS[1][0], FACTS[0][0], "unreadable"]


@pytest.mark.parametrize(
    "request_",
    [
        *(7, {}, {"httpMethod": "GET"}, {"httpMethod": "GET", "relativeUrl": 7}, {"httpMethod": "TRACE", "relativeUrl": VM + V}),
        {"httpMethod": "GET", "url": f"https://evil.test{VM}{V}"},
        {"httpMethod": "GET", "relativeUrl": f"{SUB}/../x{V}"},
        {"httpMethod": "GET", "relativeUrl": f"{SUB}/%2e%2e/x{V}"},
        {"httpMethod": "GET", "relativeUrl": VM + V, "url": VM + V},
        {"httpMethod": "GET", "relativeUrl": f"{VM}\\x{V}"},
    ],
)
def test_what_of_a_batch_can_not_be_read_is_unreadable(request_):
    actions = identify(f"POST /batch{V}", json={"requests": [request_]})
    assert [action.operation for action in actions] == ["batch", "unreadable"]


@pytest.mark.parametrize("body", [{}, {"requests": []}, {"requests": 7}, {"requests": [{}] * 501}, []])
def test_a_batch_that_can_not_be_read_is_unreadable(body):
    assert [action.operation for action in identify(f"POST /batch{V}", json=body)] == ["unreadable"]


def test_nor_can_one_that_nobody_read():
    assert one(f"POST /batch{V}", body=UnreadBody(10, too_large=True)).operation == "unreadable"
    assert azure.wants_body(asked(f"POST {HOST}/Batch{V}"), azures(), None)
    assert not azure.wants_body(asked(f"POST {HOST}{VM}/powerOff{V}"), azures(), None)


def test_at_a_host_that_nobody_declared_a_subscription_tells():
    request = asked(f"DELETE https://management.local.test{VM}{V}")
    assert azure.may_be(request)
    (action,) = azure.guess(request)
    assert said(action) == ("azure.microsoft.compute/virtualmachines/delete", "delete", "T2", False)
    assert not azure.may_be(asked(f"DELETE https://x.test{VM}"))
    assert not azure.may_be(asked(f"GET https://x.test/subscriptions/7{V}"))


def test_what_it_gives_beside_is_among_its_operations():
    assert {operation.operation for operation in azure.operations("azure")} == {"batch", "*"}
