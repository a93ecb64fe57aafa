"""boto3 against moto: objects of every size arrive and come back, and what may not be done says why in boto3's own error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.aws_host import BUCKET, REGION
from clients.under_gate import AGENTS, PYTHON

if TYPE_CHECKING:
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "Objects are deleted by people. Ask ops@acme.example."
KEEP = f'{{id: keep-things, match: {{action: aws.s3.DeleteObject}}, effect: block, tell: "{TELL}"}}'

NAMES = {
    *(
        f"aws.s3.{name}"
        for name in ("CreateBucket", "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
    ),
    *(f"aws.s3.{name}" for name in ("HeadObject", "GetObject", "ListObjectsV2", "CopyObject", "DeleteObject", "DeleteObjects")),
    *(f"aws.ec2.{name}" for name in ("RunInstances", "TerminateInstances", "DescribeInstances")),
    *("aws.sqs.CreateQueue", "aws.sqs.SendMessageBatch", "aws.sts.GetCallerIdentity"),
}
"""The names that AWS's own log, CloudTrail, has for what the agent does."""


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
        "copy": "hello",
        "who": "123456789012",
        "keys": ["large", "small", "streamed"],
        "terminated": [],
        "state": "terminated",
    }
    decisions = gate.decisions()
    assert [one.line for one in decisions if one.answer == "block"] == [f"DELETE {BUCKET}.s3.{REGION}.amazonaws.com/small"]
    assert [(one.line, one.outcome) for one in decisions if one.answer != "block" and one.result != "executed"] == []
    done = [action for one in decisions for action in one.fields["actions"]]
    assert {action["name"] for action in done} == NAMES
    assert all(action["mapped"] for action in done)
    counted = {action["name"]: action["count"] for action in done if action["count"] > 1}
    assert counted == {"aws.s3.DeleteObjects": 2, "aws.sqs.SendMessageBatch": 3}
    (copied, read) = next(one.fields["actions"] for one in decisions if one.fields["actions"][0]["name"] == "aws.s3.CopyObject")
    assert (copied["resource"], read["resource"]) == (f"{BUCKET}/copies//of small", f"{BUCKET}/small")
    assert any("aws-chunked" in seen.header("content-encoding") for seen in services.seen)
    assert len([seen for seen in services.seen if "partNumber=" in seen.target and seen.method == "PUT"]) == 3
