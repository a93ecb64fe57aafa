"""Work with S3, EC2, SQS and STS with boto3 as anybody would. Prints what came of it as one JSON object."""

import hashlib
import io
import json
import urllib.request

import boto3
import boto3.s3.transfer
import botocore.config
import botocore.exceptions

REGION, BUCKET = "eu-central-1", "acme-things"
LARGE = bytes(range(256)) * 4096 * 12
SESSION = boto3.Session("not-a-key", "not-a-secret", region_name=REGION)
ONCE = botocore.config.Config(retries={"max_attempts": 0}, request_checksum_calculation="when_supported")
S3, EC2, SQS, STS = (SESSION.client(service, config=ONCE) for service in ("s3", "ec2", "sqs", "sts"))


def digest(key):
    return hashlib.sha256(S3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).hexdigest()


def tried(call, **said):
    try:
        call(**said)
    except botocore.exceptions.ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]
    return []


S3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
S3.put_object(Bucket=BUCKET, Key="small", Body=b"hello", Metadata={"who": "ann"})
S3.put_object(Bucket=BUCKET, Key="streamed", Body=io.BytesIO(LARGE[: 2 << 20]), ChecksumAlgorithm="SHA256")
parts = boto3.s3.transfer.TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=3)
S3.upload_fileobj(io.BytesIO(LARGE), BUCKET, "large", Config=parts)
whole = io.BytesIO()
S3.download_fileobj(BUCKET, "large", whole, Config=parts)
(instance,) = EC2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
SMALL = S3.get_object(Bucket=BUCKET, Key="small")
S3.copy_object(Bucket=BUCKET, Key="copies//of small", CopySource={"Bucket": BUCKET, "Key": "small"})
SIGNED = S3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "copies//of small"})
with urllib.request.urlopen(SIGNED) as answer:
    COPY = answer.read().decode()
S3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "never there"}, {"Key": "copies//of small"}]})
QUEUE = SQS.create_queue(QueueName="jobs")["QueueUrl"]
SQS.send_message_batch(QueueUrl=QUEUE, Entries=[{"Id": name, "MessageBody": name} for name in ("a", "b", "c")])
WHO = STS.get_caller_identity()["Account"]
print(
    json.dumps(
        {
            "copy": COPY,
            "who": WHO,
            "small": [SMALL["Metadata"], SMALL["Body"].read().decode()],
            "streamed": digest("streamed") == hashlib.sha256(LARGE[: 2 << 20]).hexdigest(),
            "large": whole.getvalue() == LARGE,
            "keys": sorted(one["Key"] for one in S3.list_objects_v2(Bucket=BUCKET)["Contents"]),
            "deleted": tried(S3.delete_object, Bucket=BUCKET, Key="small"),
            "missing": tried(S3.get_object, Bucket=BUCKET, Key="nothing"),
            "terminated": tried(EC2.terminate_instances, InstanceIds=[instance["InstanceId"]]),
            "state": EC2.describe_instances()["Reservations"][0]["Instances"][0]["State"]["Name"],
        }
    )
)
