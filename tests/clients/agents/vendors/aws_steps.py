"""boto3: two protocols of AWS, the query and REST with XML."""

import boto3
import botocore.config

ONCE = botocore.config.Config(retries={"max_attempts": 0})
SESSION = boto3.Session("not-a-key", "not-a-secret", region_name="eu-central-1")
S3, EC2, STS = (SESSION.client(service, config=ONCE) for service in ("s3", "ec2", "sts"))
PLACE = {"LocationConstraint": "eu-central-1"}


def reads():
    return STS.get_caller_identity()["Account"]


def creates():
    return S3.create_bucket(Bucket="acme-things", CreateBucketConfiguration=PLACE)["ResponseMetadata"]["HTTPStatusCode"]


def deletes():
    return S3.delete_object(Bucket="acme-things", Key="small")["ResponseMetadata"]["HTTPStatusCode"]


def ends():
    return EC2.terminate_instances(InstanceIds=["i-0123456789abcdef0"])["TerminatingInstances"]


STEPS = (reads, creates, deletes, ends)
