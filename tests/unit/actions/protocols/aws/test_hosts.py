"""Names of AWS's hosts: services, regions, buckets, accounts, and what customers run there."""

import pytest
from aws_requests import catalog

from outgate.actions.protocols.aws.atlas import atlas_of
from outgate.actions.protocols.aws.hosts import Endpoint, endpoint


def read(host) -> Endpoint:
    return endpoint(host, atlas_of(catalog().service("aws")))


@pytest.mark.parametrize(
    ("host", "part", "region"),
    [
        ("ec2.eu-west-1.amazonaws.com", "ec2", "eu-west-1"),
        ("ec2-fips.us-east-1.amazonaws.com", "ec2", "us-east-1"),
        ("ec2.us-gov-west-1.amazonaws.com", "ec2", "us-gov-west-1"),
        ("ec2.cn-north-1.amazonaws.com.cn", "ec2", "cn-north-1"),
        ("ec2.us-east-1.api.aws", "ec2", "us-east-1"),
        ("vpce-0fe5b17a0707d6abc-29p5708s.ec2.us-east-1.vpce.amazonaws.com", "ec2", "us-east-1"),
        ("sts.amazonaws.com", "sts", ""),
        ("iam.us-gov.amazonaws.com", "iam", ""),
        ("cloudfront.global.api.aws", "cloudfront", ""),
        ("runtime.sagemaker.eu-west-1.amazonaws.com", "sagemaker-runtime", "eu-west-1"),
        ("runtime-fips.sagemaker.us-east-1.amazonaws.com", "sagemaker-runtime", "us-east-1"),
        ("fips.batch.us-east-1.amazonaws.com", "batch", "us-east-1"),
        ("a1b2c3-ats.iot.eu-west-1.amazonaws.com", "iot-data", "eu-west-1"),
        ("query-cell2.timestream.eu-west-1.amazonaws.com", "timestream-query", "eu-west-1"),
        ("eu-west-1.queue.amazonaws.com", "sqs", "eu-west-1"),
        ("s-12ab34cd.kinesisvideo.eu-west-1.amazonaws.com", "kinesisvideo", "eu-west-1"),
        ("routes.geo.us-gov-west-1.us-gov.amazonaws.com", "geo-routes", "us-gov-west-1"),
    ],
)
def test_an_api_is_found_at_every_name_that_it_has(host, part, region):
    found = read(host)
    assert (found.kind, part in found.parts, found.region) == ("api", True, region)


@pytest.mark.parametrize(
    ("host", "bucket", "region", "signing"),
    [
        ("s3.amazonaws.com", "", "", "s3"),
        ("s3.eu-west-1.amazonaws.com", "", "eu-west-1", "s3"),
        ("acme.s3.eu-west-1.amazonaws.com", "acme", "eu-west-1", "s3"),
        ("acme.logs.2026.s3.amazonaws.com", "acme.logs.2026", "", "s3"),
        ("acme.us-west-2.s3.amazonaws.com", "acme.us-west-2", "", "s3"),
        ("ec2.s3.eu-west-1.amazonaws.com", "ec2", "eu-west-1", "s3"),
        ("acme.s3.s3.eu-west-1.amazonaws.com", "acme.s3", "eu-west-1", "s3"),
        ("acme.s3-us-west-2.amazonaws.com", "acme", "us-west-2", "s3"),
        ("acme.s3.dualstack.eu-west-1.amazonaws.com", "acme", "eu-west-1", "s3"),
        ("acme.s3-fips.dualstack.us-east-1.amazonaws.com", "acme", "us-east-1", "s3"),
        ("acme.s3-accelerate.amazonaws.com", "acme", "", "s3"),
        ("acme.s3.cn-north-1.amazonaws.com.cn", "acme", "cn-north-1", "s3"),
        ("acme--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com", "acme--use1-az4--x-s3", "us-east-1", "s3express"),
        ("mine-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", "mine-123456789012", "eu-west-1", "s3"),
        ("mine-123456789012.s3-object-lambda.eu-west-1.amazonaws.com", "mine-123456789012", "eu-west-1", "s3-object-lambda"),
        ("a1b2.mrap.accesspoint.s3-global.amazonaws.com", "a1b2.mrap", "", "s3"),
        ("acme.bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com", "acme", "us-east-1", "s3"),
    ],
)
def test_a_bucket_is_all_that_stands_before_s3(host, bucket, region, signing):
    found = read(host)
    assert (found.kind, found.bucket, found.region, found.signing) == ("s3", bucket, region, {signing})


def test_accounts_stand_before_the_control_plane_before_tables_and_in_access_points():
    assert read("123456789012.s3-control.eu-west-1.amazonaws.com").account == "123456789012"
    assert read("123456789012.ddb.eu-west-1.amazonaws.com").account == "123456789012"
    assert read("mine-123456789012.s3-accesspoint.eu-west-1.amazonaws.com").account == "123456789012"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a1b2c3.execute-api.eu-west-1.amazonaws.com", "execute-api"),
        ("a1b2c3.lambda-url.eu-west-1.on.aws", "lambda-url"),
        ("a1b2c3.appsync-api.eu-west-1.amazonaws.com", "appsync-api"),
        ("front-123.eu-west-1.elb.amazonaws.com", "elb"),
        ("ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", "compute"),
        ("search-logs-a1.eu-west-1.es.amazonaws.com", "es"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr-registry"),
        ("acme.s3-website-eu-west-1.amazonaws.com", "s3-website"),
    ],
)
def test_what_customers_run_there_has_its_own_name(host, name):
    assert (read(host).kind, read(host).name) == ("hosted", name)


@pytest.mark.parametrize(
    "host", ["ip-ranges.amazonaws.com", "amazonaws.com.evil.test", "x.vpce-1.s3.us-east-1.vpce.amazonaws.com"]
)
def test_what_nobody_knows_is_other(host):
    assert read(host).kind == "other"


def test_many_names_do_not_fill_the_memory():
    atlas = atlas_of(catalog().service("aws"))
    for number in range(3000):
        endpoint(f"b{number}.s3.amazonaws.com", atlas)
    assert len(atlas.endpoints) <= 1024
