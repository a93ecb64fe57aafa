from dataclasses import replace

import pytest
from asked import asked

from outgate.actions.action import Access, Tier
from outgate.actions.mined import Mined, Part
from outgate.actions.operation import Override
from outgate.actions.protocols import grpc
from outgate.actions.router import Router
from outgate.actions.service import Auth, Service

GRPC = {"content-type": "application/grpc"}
CONNECT = {"content-type": "application/json", "connect-protocol-version": "1"}
ORDERS = "POST https://orders.acme.test/acme.orders.v1.Orders/"


def service(name="orders", **more):
    return Service(name=name, speaks="grpc", hosts=(), operations=(), auth=Auth(), routes=Router(), otherwise={}, **more)


def one(line, *, of=None, **asking):
    (action,) = grpc.identify(asked(line, **asking), service() if of is None else of)
    return action


def guessed(line, **asking):
    (action,) = grpc.identify(asked(line, **asking), None)
    return action


def said(action):
    return action.name, action.access.value, action.tier.name, action.mapped


@pytest.mark.parametrize(
    ("method", "access", "tier"),
    [("GetOrder", "read", "T0"), ("ListOrders", "list", "T0"), ("CreateOrder", "write", "T1"), ("DeleteOrder", "delete", "T2")],
)
def test_a_method_is_judged_by_its_name(method, access, tier):
    action = one(ORDERS + method, headers=GRPC)
    assert said(action) == (f"orders.acme.orders.v1.Orders/{method}", access, tier, True)
    assert action.resource == "orders.acme.test/acme.orders.v1.Orders"


def test_a_method_whose_name_says_nothing_is_unknown():
    assert said(one(ORDERS + "Frobnicate", headers=GRPC))[1:] == ("unknown", "T2", True)


@pytest.mark.parametrize(
    "kind",
    [
        *("application/grpc+proto", "application/grpc-web", "application/grpc-web-text", "application/grpc-web+json"),
        *("application/connect+proto", "application/connect+json", "Application/GRPC; charset=utf-8"),
    ],
)
def test_all_three_are_the_same_action(kind):
    assert one(ORDERS + "DeleteOrder", headers={"content-type": kind}).name == "orders.acme.orders.v1.Orders/DeleteOrder"


def test_connect_has_requests_of_one_message():
    assert one(ORDERS + "DeleteOrder", headers=CONNECT).access is Access.DELETE
    get = "GET https://orders.acme.test/acme.orders.v1.Orders/Lookup?encoding=json&message=%7B%7D&connect=v1"
    assert said(one(get))[1:] == ("read", "T0", True)
    delete = "GET https://orders.acme.test/acme.orders.v1.Orders/DeleteOrder?encoding=json&message=%7B%7D&connect=v1"
    assert one(delete).access is Access.DELETE


def test_what_is_no_call_is_nothing():
    assert grpc.identify(asked(ORDERS + "GetOrder", json={}), service()) == ()
    assert grpc.identify(asked("GET https://orders.acme.test/a?connect=v1"), None) == ()


@pytest.mark.parametrize(
    "line",
    [
        *("POST https://x.test/", "POST https://x.test/a.B", "POST https://x.test/a.B/C/D", "POST https://x.test/a.B/C%44"),
        *("POST https://x.test//a.B/C", "GET https://x.test/a.B/C", "PUT https://x.test/a.B/C", "POST https://x.test/a..B/C"),
        "POST https://x.test/a.B/" + "C" * 300,
    ],
)
def test_a_call_that_names_no_method_is_unreadable(line):
    assert said(one(line, headers=GRPC)) == ("orders.unreadable", "unknown", "T2", False)


def test_health_and_reflection_are_the_same_everywhere():
    assert said(one("POST https://x.test/grpc.health.v1.Health/Check", headers=GRPC))[1:] == ("read", "T0", True)
    reflection = "POST https://x.test/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    assert said(one(reflection, headers=GRPC))[1:] == ("list", "T0", True)


def test_what_the_file_of_the_service_says_counts_more():
    known = service(overrides={"acme.orders.v1.Orders/GetOrder": Override(access=Access.PAY, tier=Tier.T3, why="it ships")})
    action = one(ORDERS + "GetOrder", of=known, headers=GRPC)
    assert (action.access, action.tier, action.why, action.mapped) == (Access.PAY, Tier.T3, "it ships", True)


def test_at_a_host_that_nobody_declared_it_is_a_guess_and_no_read():
    assert said(guessed(ORDERS + "GetOrder", headers=GRPC)) == ("grpc.acme.orders.v1.Orders/GetOrder", "unknown", "T2", False)
    assert said(guessed(ORDERS + "DeleteOrder", headers=GRPC))[1:] == ("delete", "T2", False)
    assert said(guessed("POST https://x.test/grpc.health.v1.Health/Check", headers=GRPC))[1:] == ("unknown", "T2", False)


PUBSUB = [
    ["pubsub.projects.topics.publish", "", "", [], []],
    ["pubsub.projects.topics.list", "r", "", [], []],
    ["pubsub.projects.topics.delete", "", "", [], []],
    ["pubsub.projects.policies.get", "r", "", [], []],
    ["pubsub.projects.a.seek", "", "", [], []],
    ["pubsub.projects.b.seek", "", "", [], []],
]


def google():
    import gzip
    import json

    content = {"outgate": "mined/v1", "service": "google", "part": "", "operations": PUBSUB, "paths": {}, "meta": {}}
    part = Part("google", "", gzip.compress(json.dumps(content).encode(), mtime=0))
    return replace(service("google"), mined=Mined(parts=(part,)))


@pytest.mark.parametrize(
    ("method", "name", "access"),
    [
        ("Publish", "google.pubsub.projects.topics.publish", "publish"),
        ("ListTopics", "google.pubsub.projects.topics.list", "read"),
        ("DeleteTopic", "google.pubsub.projects.topics.delete", "delete"),
        ("GetPolicy", "google.pubsub.projects.policies.get", "read"),
        ("Seek", "google.grpc.google.pubsub.v1.Publisher/Seek", "unknown"),
        ("Unheard", "google.grpc.google.pubsub.v1.Publisher/Unheard", "unknown"),
    ],
)
def test_a_call_of_googles_is_the_rest_method_that_it_is(method, name, access):
    action = one(f"POST https://pubsub.googleapis.com/google.pubsub.v1.Publisher/{method}", of=google(), headers=GRPC)
    assert action.name == name
    assert access in {action.access.value, "publish"}


def test_of_googles_a_path_is_enough():
    call = asked("POST https://pubsub.googleapis.com/google.pubsub.v1.Publisher/DeleteTopic", json={})
    assert grpc.is_googles(call, google())
    assert grpc.identify(call, google())[0].name == "google.pubsub.projects.topics.delete"
    assert not grpc.is_googles(call, service("stripe"))
    assert not grpc.is_googles(asked("POST https://pubsub.googleapis.com/v1/projects/a/topics/b:publish"), google())


def test_every_name_that_it_gives_is_among_its_operations():
    names = {operation.operation for operation in grpc.operations("orders")}
    assert {"*", "unreadable", "grpc.health.v1.Health/Check"} <= names
