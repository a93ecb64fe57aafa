"""What was mined of AWS: as much as there is, with the levels that IAM gives, and not a word of prose."""

import json
import re
from collections import Counter

import pytest
from aws_requests import catalog

FACT = re.compile(r"[A-Za-z0-9_.:/?=@$+-]*")


@pytest.fixture(scope="module")
def parts():
    return [part for part in catalog().service("aws").mined.parts if part.name]


def test_every_service_and_operation_is_there(parts):
    assert len(parts) >= 439
    assert sum(len(part.facts) for part in parts) >= 19_700


def test_iam_says_the_level_of_nearly_all(parts):
    levels = Counter(fact.level for part in parts for fact in part.facts)
    assert levels[""] / levels.total() < 0.03, levels
    assert min(levels[level] for level in "rlwtp") > 250, levels


def test_all_parts_together_are_small(parts):
    assert sum(len(part.packed) for part in parts) < 600_000


def test_names_and_places_are_all_that_is_kept(parts):
    for part in parts:
        for fact in part.facts:
            assert FACT.fullmatch(fact.name), fact
            assert all(len(param.split(" ")) == 3 for param in fact.params), fact
        said = json.dumps(dict(part.meta))
        assert not re.search(r"[a-z] [a-z]", said), part


def test_what_is_known_to_be_dangerous_is_marked():
    aws = catalog().service("aws").mined
    marks = {name: aws.fact(name).marks for name in ("ec2.TerminateInstances", "cloudtrail.StopLogging", "s3.PutBucketPolicy")}
    assert marks == {"ec2.TerminateInstances": "i", "cloudtrail.StopLogging": "u", "s3.PutBucketPolicy": "p"}
    assert "s" in aws.fact("secretsmanager.GetSecretValue").marks
    assert "m" in aws.fact("ec2.PurchaseHostReservation").marks
    assert "b" in aws.fact("dynamodb.BatchWriteItem").marks


def test_every_name_that_people_list_is_an_operation():
    import miners.aws_levels as levels

    aws = catalog().service("aws").mined
    listed = {*levels._SENSITIVE, *levels._STOPS, *levels._HANDS_OUT, *levels._PAID, *levels._KEPT}
    assert sorted(name for name in listed if aws.fact(name) is None) == []
