"""boto3 against moto: objects of every size arrive and come back, and what may not be done says why in boto3's own error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.aws_host import BUCKET, REGION
from clients.under_gate import AGENTS, PYTHON

if TYPE_CHECKING:
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "Objects are deleted by people. Ask ops@acme.example."
KEEP = f'{{id: keep-things, match: {{action: aws.DELETE}}, effect: block, tell: "{TELL}"}}'


def test_boto3_stores_and_lists_and_starts_and_ends_machines_and_may_not_delete(gate: Gate, services: LookAlikes):
    ran = gate.run(PYTHON, AGENTS / "aws.py", options=("--policy", gate.policy(KEEP)))
    assert ran.code == 0, ran.stderr
    (came,) = ran.lines
    refused, missing = came.pop("deleted"), came.pop("missing")
    assert (TELL in refused[1], missing[0]) == (True, "NoSuchKey"), refused
    assert came == {
        "small": [{"who": "ann"}, "hello"],
        "streamed": True,
        "large": True,
        "keys": ["large", "small", "streamed"],
        "terminated": [],
        "state": "terminated",
    }
    decisions = gate.decisions()
    assert [one.line for one in decisions if one.answer == "block"] == [f"DELETE {BUCKET}.s3.{REGION}.amazonaws.com/small"]
    assert [(one.line, one.outcome) for one in decisions if one.answer != "block" and one.result != "executed"] == []
    assert {action["name"] for one in decisions for action in one.fields["actions"]} == {
        "aws.GET", "aws.HEAD", "aws.PUT", "aws.POST", "aws.DELETE",
    }  # fmt: skip
    assert any("aws-chunked" in seen.header("content-encoding") for seen in services.seen)
    assert len([seen for seen in services.seen if "partNumber=" in seen.target and seen.method == "PUT"]) == 3
