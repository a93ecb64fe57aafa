"""The actions of a request to AWS: what it is done to, how often, whose that is, and what can't be told."""

import pytest
from asked import asked
from aws_requests import OWNER, action, actions, catalog, names, signed

from outgate.actions.action import Access, Tier
from outgate.actions.identify import identify, wants_body
from outgate.intake.request import UnreadBody

SQS = "https://sqs.eu-west-1.amazonaws.com/"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"


def target(name):
    return {"X-Amz-Target": name}


def test_what_is_listed_counts():
    entries = [{"Id": "a", "ReceiptHandle": "x"}, {"Id": "b", "ReceiptHandle": "y"}]
    gone = action(f"POST {SQS}", headers=target("AmazonSQS.DeleteMessageBatch"), json={"QueueUrl": QUEUE, "Entries": entries})
    assert (gone.count, gone.params["ids"], gone.instance) == (2, ("a", "b"), "account:123456789012")


def test_the_account_is_that_of_the_key_where_nothing_else_says_one():
    assert action("GET https://ec2.eu-west-1.amazonaws.com/?Action=DescribeInstances", sign="ec2").instance == f"account:{OWNER}"


def test_two_accounts_are_nobodys():
    said = {"Source": "x", "ResourceArn": "arn:aws:rds:eu-west-1:111111111111:cluster:a", "SecretArn": "b"}
    arns = {
        "resourceArn": said["ResourceArn"],
        "secretArn": "arn:aws:secretsmanager:eu-west-1:222222222222:secret:b",
        "sql": "SELECT 1",
    }
    assert actions("POST https://rds-data.eu-west-1.amazonaws.com/Execute", json=arns)[0].instance == ""


def test_how_many_are_asked_for_is_a_number():
    got = action(
        "POST https://dynamodb.eu-west-1.amazonaws.com/",
        headers=target("DynamoDB_20120810.Scan"),
        json={"TableName": "t", "Limit": 9},
    )
    assert (got.params["limit"], got.params["table"], got.access) == (9, "t", Access.READ)


@pytest.mark.parametrize(
    "body",
    [
        '{"TableName":"a","TableName":"b"}',
        '{"TableName":"a","tablename":"b"}',
        '{"TableName":["a"]}',
        '{"TableName":',
        "\ufeff{}",
    ],
)
def test_a_body_with_two_readings_leaves_something_unreadable(body):
    found = actions(
        "POST https://dynamodb.eu-west-1.amazonaws.com/",
        headers=target("DynamoDB_20120810.DeleteTable"),
        text=body.encode().decode("latin-1"),
    )
    assert [one.name for one in found] == ["aws.dynamodb.DeleteTable", "aws.unreadable"]
    assert found[1].tier is Tier.T2


def test_text_in_another_charset_is_not_read():
    headers = target("DynamoDB_20120810.DeleteTable") | {"content-type": "application/x-amz-json-1.0; charset=utf-16"}
    assert names("POST https://dynamodb.eu-west-1.amazonaws.com/", headers=headers, text='{"TableName":"a"}')[1:] == [
        "aws.unreadable"
    ]


def test_what_nobody_counted_may_be_many():
    request = asked(f"POST {SQS}", headers=target("AmazonSQS.DeleteMessageBatch"), body=UnreadBody(length=9))
    assert [one.name for one in identify(request, catalog())] == ["aws.sqs.DeleteMessageBatch", "aws.unreadable"]


def test_statements_come_beside_the_operation_that_carries_them():
    found = names(
        "POST https://athena.eu-west-1.amazonaws.com/",
        headers=target("AmazonAthena.StartQueryExecution"),
        json={"QueryString": "SELECT * FROM a"},
    )
    assert found == ["aws.athena.StartQueryExecution", "aws.sql.select"]


def test_a_statement_that_can_not_be_read_leaves_the_operation():
    found = names(
        "POST https://athena.eu-west-1.amazonaws.com/",
        headers=target("AmazonAthena.StartQueryExecution"),
        json={"QueryString": "SELEC * FRO ("},
    )
    assert found == ["aws.athena.StartQueryExecution", "aws.unreadable"]


@pytest.mark.parametrize(
    ("line", "headers", "wanted"),
    [
        ("POST https://ec2.eu-west-1.amazonaws.com/", {}, True),
        ("POST https://dynamodb.eu-west-1.amazonaws.com/", target("DynamoDB_20120810.DeleteTable"), True),
        ("POST https://acme.s3.eu-west-1.amazonaws.com/?delete", {}, True),
        ("PUT https://acme.s3.eu-west-1.amazonaws.com/key", {}, False),
        ("POST https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/a/invocations", {}, False),
        ("POST https://a1.execute-api.eu-west-1.amazonaws.com/x", {}, False),
    ],
)
def test_a_body_is_wanted_only_where_it_says_what_is_done(line, headers, wanted):
    assert wants_body(asked(line, headers=headers, body=UnreadBody(length=9)), catalog()) is wanted


@pytest.mark.parametrize(("service", "region"), [("s3", "eu-west-1"), ("ec2", "us-east-1")])
def test_what_is_signed_for_elsewhere_is_unreadable(service, region):
    line = "GET https://ec2.eu-west-1.amazonaws.com/?Action=DescribeInstances"
    assert names(line, headers={"authorization": signed(service, region)}) == ["aws.unreadable"]


def test_a_model_that_is_sent_elsewhere_is_told_of():
    line = "POST https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.claude/invoke"
    body = {
        "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://evil.test/a"}}]}]
    }
    asked_for, sent = actions(line, json=body)
    assert (asked_for.name, asked_for.access, asked_for.params["model"]) == (
        "aws.bedrock-runtime.InvokeModel",
        Access.EXECUTE,
        "anthropic.claude",
    )
    assert (sent.name, sent.resource) == ("aws.egress:url", "evil.test/a")
    assert names(line, text="{") == ["aws.bedrock-runtime.InvokeModel", "aws.unreadable"]
