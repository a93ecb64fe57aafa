"""Operations that are named: by X-Amz-Target, by the path of RPC v2, by Action."""

import pytest
from aws_requests import action, names

EC2, DYNAMO = "https://ec2.eu-west-1.amazonaws.com", "https://dynamodb.eu-west-1.amazonaws.com"
TARGET = "X-Amz-Target"
DELETE = {TARGET: "DynamoDB_20120810.DeleteTable"}
ENDS = "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-1&InstanceId.2=i-2&InstanceId.3=i-3"
SMITHY = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
CBOR = "https://monitoring.eu-west-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/DeleteAlarms"
ALARMS = bytes.fromhex("a16a416c61726d4e616d6573826161" + "6162").decode("latin-1")


def test_a_form_names_an_operation_and_what_it_is_done_to():
    ended = action(f"POST {EC2}/", sign="ec2", form=ENDS)
    assert (ended.name, ended.count, ended.params["ids"]) == ("aws.ec2.TerminateInstances", 3, ("i-1", "i-2", "i-3"))


def test_a_query_names_one_as_well_and_both_may_say_a_part_each():
    assert names(f"GET {EC2}/?{ENDS}", sign="ec2") == ["aws.ec2.TerminateInstances"]
    assert names(f"POST {EC2}/?Action=TerminateInstances", sign="ec2", form="InstanceId.1=i-1") == ["aws.ec2.TerminateInstances"]


def test_a_header_names_one():
    gone = action(f"POST {DYNAMO}/", sign="dynamodb", headers=DELETE, json={"TableName": "orders"})
    assert (gone.name, gone.resource, gone.params["table"]) == ("aws.dynamodb.DeleteTable", "orders", "orders")


def test_what_a_header_names_may_be_said_in_cbor():
    headers = {TARGET: "Kinesis_20131202.DeleteStream", "content-type": "application/x-amz-cbor-1.1"}
    body = bytes.fromhex("a16a53747265616d4e616d6563616263").decode("latin-1")
    gone = action("POST https://kinesis.eu-west-1.amazonaws.com/", sign="kinesis", headers=headers, text=body)
    assert (gone.name, gone.params["streamName"]) == ("aws.kinesis.DeleteStream", "abc")
    said = names("POST https://kinesis.eu-west-1.amazonaws.com/", headers=headers, text='{"StreamName":"a"}')
    assert said == ["aws.kinesis.DeleteStream", "aws.unreadable"]


def test_a_path_names_one():
    gone = action(f"POST {CBOR}", sign="monitoring", headers=SMITHY, text=ALARMS)
    assert (gone.name, gone.count, gone.params["names"]) == ("aws.cloudwatch.DeleteAlarms", 2, ("a", "b"))


def test_the_version_chooses_between_services_of_one_host():
    host = "https://elasticloadbalancing.eu-west-1.amazonaws.com/?Action=DescribeLoadBalancers"
    assert names(f"GET {host}&Version=2012-06-01") == ["aws.elb.DescribeLoadBalancers"]
    assert names(f"GET {host}&Version=2015-12-01") == ["aws.elbv2.DescribeLoadBalancers"]
    assert names(f"GET {host}&Version=1999-01-01") == ["aws.unreadable"]


def test_what_looks_like_the_operation_of_several_is_that_of_one_and_names_the_others():
    gone = action("GET https://rds.eu-west-1.amazonaws.com/?Action=DeleteDBInstance&DBInstanceIdentifier=a")
    assert gone.name == "aws.rds.DeleteDBInstance"
    assert {"also docdb.DeleteDBInstance", "also neptune.DeleteDBInstance"} <= set(gone.evidence)


def test_a_queue_is_asked_at_its_own_path():
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"
    assert names(f"POST {url}", form="Action=PurgeQueue&Version=2012-11-05") == ["aws.sqs.PurgeQueue"]
    purged = action(f"POST {url}", form="Action=PurgeQueue")
    assert (purged.params["queueUrl"], purged.instance) == (url, "account:123456789012")
    assert names(f"POST {url}", form="Action=PurgeQueue&QueueUrl=https://sqs.eu-west-1.amazonaws.com/1/other") == [
        "aws.unreadable"
    ]
    assert names("POST https://sqs.eu-west-1.amazonaws.com/a/b/c", form="Action=PurgeQueue") == ["aws.unreadable"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"GET {EC2}/?Action=DescribeInstances&Action=TerminateInstances", {}),
        (f"GET {EC2}/?Action=DescribeInstances&Action=DescribeInstances", {}),
        (f"GET {EC2}/?Action=DescribeInstances&action=TerminateInstances", {}),
        (f"GET {EC2}/?Action=DescribeInstances&Action%20=TerminateInstances", {}),
        (f"GET {EC2}/?Action=DescribeInstances&%41ction=TerminateInstances", {}),
        (f"POST {EC2}/?Action=DescribeInstances", {"form": ENDS}),
        (f"POST {EC2}/?Action=DescribeInstances", {"text": ENDS}),
        (f"POST {EC2}/?Action=DescribeInstances", {"json": {"Action": "TerminateInstances"}}),
        (f"POST {EC2}/", {"form": ENDS, "headers": DELETE}),
        (f"POST {EC2}/", {"headers": {TARGET: "AmazonEC2.TerminateInstances"}}),
        (f"PUT {EC2}/?Action=DescribeInstances", {}),
        (f"GET {EC2}/x?Action=DescribeInstances", {}),
        (f"GET {EC2}/", {}),
        (f"GET {EC2}/?Action=", {}),
        (f"GET {EC2}/?Action=NoSuchThing", {}),
        (f"GET {EC2}/?action=DescribeInstances", {}),
        (f"GET {DYNAMO}/", {"headers": DELETE}),
        (f"POST {DYNAMO}/x", {"headers": DELETE}),
        (f"POST {DYNAMO}/?Action=ListTables", {"headers": DELETE}),
        (f"POST {DYNAMO}/", {"headers": {TARGET: "DynamoDB_20120810.deletetable"}}),
        (f"POST {DYNAMO}/", {"headers": {TARGET: "DynamoDB.DeleteTable"}}),
        (f"POST {DYNAMO}/?X-Amz-Target=DynamoDB_20120810.DeleteTable", {"headers": {TARGET: "DynamoDB_20120810.ListTables"}}),
        (f"POST {DYNAMO}/", {}),
        (f"POST {CBOR}", {}),
        (f"GET {CBOR}", {"headers": SMITHY}),
        (f"POST {CBOR}", {"headers": SMITHY | {TARGET: "GraniteServiceVersion20100801.ListMetrics"}}),
        (f"POST {CBOR}?Action=ListMetrics", {"headers": SMITHY}),
        (f"POST {CBOR.replace('/service/', '/x/service/')}", {"headers": SMITHY}),
        (f"POST {CBOR}", {"headers": SMITHY | {"smithy-protocol": "rpc-v3"}}),
        ("POST https://s3.eu-west-1.amazonaws.com/?Action=ListQueues", {}),
        ("GET https://eks.eu-west-1.amazonaws.com/clusters", {"headers": {TARGET: "Eks.DeleteCluster"}}),
        ("GET https://eks.eu-west-1.amazonaws.com/clusters?Action=DeleteCluster", {}),
    ],
)
def test_what_names_an_operation_in_two_ways_or_in_none_is_unreadable(line, said):
    assert names(line, **said) == ["aws.unreadable"]


def test_a_body_that_nobody_read_may_name_another():
    from dataclasses import replace

    from asked import asked
    from aws_requests import catalog

    from outgate.actions.identify import identify
    from outgate.intake.request import UnreadBody

    request = asked(f"POST {EC2}/?Action=DescribeInstances", form=ENDS)
    assert [one.name for one in identify(replace(request, body=UnreadBody(length=9)), catalog())] == ["aws.unreadable"]
