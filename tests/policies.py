"""A small world for policy tests: two services, an agent, a moment; and policies written as an operator would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from textwrap import dedent

from outgate.actions.action import Access, Action, Confidence, Money, Tier
from outgate.actions.catalog import Catalog
from outgate.actions.operation import Operation
from outgate.actions.router import Router
from outgate.actions.service import Auth, Service
from outgate.intake.agents import Agent
from outgate.intake.request import Request
from outgate.policy.facts import Facts
from outgate.policy.load import load

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)
"""A Wednesday."""

OPERATIONS = (
    Operation(
        service="payments",
        operation="create_payment",
        access=Access.PAY,
        tier=Tier.T2,
        params={"amount": "money", "note": "string"},
    ),
    Operation(service="payments", operation="get_payment", access=Access.READ, tier=Tier.T0, params={"note": "string"}),
    Operation(
        service="crm",
        operation="update_contact",
        access=Access.WRITE,
        tier=Tier.T1,
        params={"id": "int", "tags": "list", "vip": "bool"},
    ),
    Operation(service="crm", operation="delete_all", access=Access.DELETE, tier=Tier.T3),
    Operation(service="tools", operation="call:*", access=Access.EXECUTE, tier=Tier.T1),
)


def service(name: str) -> Service:
    own = tuple(operation for operation in OPERATIONS if operation.service == name)
    return Service(
        name=name, speaks="rest", hosts=(f"api.{name}.test",), operations=own, auth=Auth(), routes=Router(), otherwise={}
    )


CATALOG = Catalog(*map(service, ("payments", "crm", "tools")))
OTHERWISE = "otherwise: {T0: allow, T1: allow, T2: escalate, T3: escalate, unmapped: {read: escalate, other: block}}"


def written(rules: str, *, mode: str = "enforce", otherwise: str = OTHERWISE, more: str = "") -> str:
    """A policy file with these rules, each a line of flow style or a block."""
    body = "".join(f"  {line}\n" for line in dedent(rules).strip().splitlines())
    head = f"outgate: policy/v1alpha\npolicy: tried\nmode: {mode}\n{otherwise}\n{dedent(more)}\n"
    return head + (f"rules:\n{body}" if body else "")


def policy(rules: str = "", **said):
    return load([("tried.yaml", written(rules, **said))], CATALOG)


def action(name: str = "crm.update_contact", **changes) -> Action:
    """A mapped action, as the catalog says; `http.POST` and the like are guesses."""
    service, _, operation = name.partition(".")
    known = next((o for o in OPERATIONS if o.name == name), None)
    said = {
        "service": service,
        "operation": operation,
        "access": known.access if known else Access.READ if operation in {"GET", "HEAD"} else Access.UNKNOWN,
        "tier": known.tier if known else Tier.T0 if operation in {"GET", "HEAD"} else Tier.T2,
        "confidence": Confidence.CATALOG if known else Confidence.HEURISTIC,
    }
    return Action(**{**said, **changes})


def pounds(amount: int) -> Money:
    return Money(minor=amount * 100, currency="GBP")


def facts(
    *,
    now: datetime = NOON,
    unread: bool = False,
    age: timedelta | None = timedelta(days=30),
    request: Request | None = None,
    **agent,
) -> Facts:
    who = Agent(**{"id": "coder", "since": None if age is None else now - age, **agent})
    return Facts(now=now, agent=who, request=request or GET, unread=unread)


GET = Request(method="GET", scheme="https", host="api.crm.test", port=443, path="/contacts/7", query=None, headers=())
