"""gRPC, with grpcio at both ends and the gate between: calls of every kind, errors, deadlines, and refusals that gRPC reads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from clients.grpc_host import TOGETHER, GrpcHost
from clients.under_gate import AGENTS, PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "Talk is for people: 100 % sure. Ask ops@acme.example."
CALLS = AGENTS / "grpc_calls.py"


@pytest.fixture(autouse=True)
def grpc_host(services: LookAlikes) -> Iterator[GrpcHost]:
    with GrpcHost(services) as host:
        yield host


def said(gate: Gate, *wanted: str, rules: tuple[str, ...] = ()) -> dict:
    """What came of each call, by its name."""
    ran = gate.run(PYTHON, CALLS, "run", *wanted, options=("--policy", gate.policy(*rules)))
    assert ran.code == 0, ran.stderr
    return {name: came for line in ran.lines for name, came in line.items()}


def test_calls_of_every_kind_are_made_and_answered(gate: Gate, services: LookAlikes):
    came = said(gate, "say", "digest", "count", "large", "add", "chat", "enough", "fail", "unknown")
    assert came == {
        "say": ["heard hello", {"x-first": "before"}, {"x-last": "after", "x-mark": "one", "x-mark-bin": "00ff"}],
        "digest": True,
        "count": [f"event {number}" for number in range(5)],
        "large": [24, True],
        "add": sum(range(1000)),
        "chat": [20, "you said 19"],
        "enough": [["enough of this"], "OK"],
        "fail": {"code": "NOT_FOUND", "details": "there is no such thing: 100 % sure, naïve", "last": {"x-why": "because"}},
        "unknown": {"code": "UNIMPLEMENTED", "details": "Method not found!"},
    }
    assert Counter(one.line for one in gate.decisions()) == Counter(services.lines())
    assert {one.result for one in gate.decisions()} == {"executed"}


def test_many_are_open_at_once_and_who_gives_up_frees_the_service_alone(gate: Gate):
    """A call that ran out of time or was given up ends at the service too; the channel that it was made on goes on."""
    came = said(gate, "late", "cancel", "together")
    assert came == {"late": ["DEADLINE_EXCEEDED", "freed"], "cancel": [1000, "freed"], "together": TOGETHER}
    results = {one.line.rpartition("/")[2]: one.result for one in gate.decisions()}
    assert results == {"Hang": "unknown", "Forever": "unknown", "Freed": "executed", "Together": "executed"}


def test_a_refused_call_says_why_whatever_its_kind_and_its_channel_goes_on(gate: Gate, services: LookAlikes):
    refused = ("digest", "count", "chat", "upload")
    rule = f'{{id: no-talk, unless: request.path == "/acme.v1.Talk/Say", effect: block, tell: "{TELL}"}}'
    came = said(gate, *refused, "say", rules=(rule,))
    assert {name: (came[name]["code"], came[name]["details"]) for name in refused} == dict.fromkeys(
        refused, ("PERMISSION_DENIED", TELL)
    )
    assert came["say"][0] == "heard hello"
    assert [one.answer for one in gate.decisions()] == ["block"] * 4 + ["allow"]
    assert services.lines() == ["POST grpc.test/acme.v1.Talk/Say"]


def test_where_data_is_read_a_conversation_goes_on_message_by_message(gate: Gate):
    rule = "{id: no-secrets, match: {data: secret}, effect: block}"
    assert said(gate, "chat_soon", rules=(rule,)) == {"chat_soon": ["you said 0"]}
