"""Whatever is sent to a host of AWS's, it is read without an exception; and a deed is never read as a read."""

from dataclasses import replace

from aws_requests import catalog, scope, signed
from hypothesis import given
from hypothesis import strategies as st

from outgate.actions.identify import identify, wants_body
from outgate.intake.request import NoBody, Request, SpooledBody, UnreadBody, WholeBody

_NAMES = [
    "s3",
    "a.b.s3",
    "s3-control",
    "s3express-control",
    "x.s3-object-lambda",
    "ec2",
    "sqs",
    "dynamodb",
    "lambda",
    "rds",
    "email",
    "iam",
]
_LABELS = st.sampled_from(
    [*_NAMES, "monitoring", "cloudfront", "data.iot", "a1.execute-api", "vpce-1.ec2", "a.bucket.vpce-1.s3", "nobody"]
)
_ENDS = st.sampled_from(
    [".eu-west-1.amazonaws.com", ".amazonaws.com", ".eu-west-1.api.aws", ".eu-west-1.vpce.amazonaws.com", ".on.aws"]
)
_FIELDS = st.sampled_from(
    [
        *(
            "Action=DescribeInstances",
            "Action=TerminateInstances",
            "action=x",
            "Version=2016-11-15",
            "InstanceId.1=i",
            "acl",
            "delete",
        ),
        *(
            "uploads",
            "uploadId=u",
            "list-type=2",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "x-amz-acl=public-read",
            "Operation=Tag",
            "%ff=a",
        ),
        f"X-Amz-Credential={scope('s3')}",
    ]
)
_HEADERS = st.sampled_from(
    [
        ("x-amz-target", "DynamoDB_20120810.DeleteTable"),
        ("x-amz-target", "DynamoDB_20120810.Scan"),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("authorization", signed("ec2")),
        ("authorization", signed("s3")),
        ("authorization", "AWS4-HMAC-SHA256 "),
        ("x-amz-copy-source", "a/b"),
        ("x-amz-copy-source", "%"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "application/cbor"),
        ("content-encoding", "aws-chunked"),
    ]
)
_PATHS = st.one_of(
    st.sampled_from(["/", "//", "/a", "/a/", "//a", "/a//b", "/v20180820/bucket/a", "/2015-03-31/functions/a/invocations", "/*"]),
    st.sampled_from(
        ["/service/GraniteServiceVersion20100801/operation/DeleteAlarms", "/prod/@connections/a", "/WriteGetObjectResponse"]
    ),
    st.text("ab/%25;.", max_size=12).map(lambda text: f"/{text}"),
)
_BODIES = st.one_of(
    st.just(NoBody()),
    st.just(UnreadBody(length=9)),
    st.just(SpooledBody("", 1, "")),
    st.binary(max_size=40).map(WholeBody),
    st.sampled_from(
        [b"Action=TerminateInstances", b'{"TableName":"a"}', b"<Delete><Object><Key>a</Key></Object></Delete>", b"\xa0"]
    ).map(WholeBody),
)


def requests():
    return st.builds(
        lambda name, end, method, path, fields, headers, body: Request(
            method=method,
            scheme="https",
            host=name + end,
            port=443,
            path=path,
            query="&".join(fields) or None,
            headers=tuple(headers),
            body=body,
        ),
        _LABELS,
        _ENDS,
        st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        _PATHS,
        st.lists(_FIELDS, max_size=4),
        st.lists(_HEADERS, max_size=4),
        _BODIES,
    )


@given(requests())
def test_whatever_is_sent_it_is_read(request):
    assert identify(request, catalog())
    wants_body(request, catalog())


@given(requests())
def test_a_request_that_names_a_deed_is_no_read(request):
    """`TerminateInstances` and `DeleteTable` where their services read them: in the query, the form, the header."""
    query = f"Action=TerminateInstances&{request.query or ''}"
    for made in (
        replace(request, host="ec2.eu-west-1.amazonaws.com", query=query),
        replace(
            request, host="ec2.eu-west-1.amazonaws.com", method="POST", path="/", body=WholeBody(b"Action=TerminateInstances")
        ),
        replace(
            request,
            host="dynamodb.eu-west-1.amazonaws.com",
            method="POST",
            path="/",
            headers=(*request.headers, ("x-amz-target", "DynamoDB_20120810.DeleteTable")),
        ),
    ):
        assert not all(action.access.only_reads for action in identify(made, catalog()))
