"""S3: buckets and keys as they are sent, and everything that comes along with a request."""

import pytest
from aws_requests import action, actions, names, presigned

S3, ACME = "https://s3.eu-west-1.amazonaws.com", "https://acme.s3.eu-west-1.amazonaws.com"
XML = '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</Delete>'
TWO = XML.format("<Object><Key>a</Key></Object><Object><Key>b&amp;c</Key><VersionId>v</VersionId></Object><Quiet>true</Quiet>")


@pytest.mark.parametrize(
    ("line", "name", "resource"),
    [
        (f"GET {ACME}/a/b", "GetObject", "acme/a/b"),
        (f"GET {S3}/acme/a/b", "GetObject", "acme/a/b"),
        (f"GET {S3}/acme", "ListObjects", "acme"),
        (f"GET {S3}/acme/", "ListObjects", "acme"),
        (f"GET {ACME}/?list-type=2&prefix=a", "ListObjectsV2", "acme"),
        (f"GET {S3}/", "ListBuckets", ""),
        (f"PUT {ACME}/", "CreateBucket", "acme"),
        (f"PUT {ACME}/?acl", "PutBucketAcl", "acme"),
        (f"PUT {ACME}/k?acl=", "PutObjectAcl", "acme/k"),
        (f"PUT {ACME}/k?partNumber=1&uploadId=u", "UploadPart", "acme/k"),
        (f"POST {ACME}/k?uploads", "CreateMultipartUpload", "acme/k"),
        (f"POST {ACME}/k?uploadId=u", "CompleteMultipartUpload", "acme/k"),
        (f"GET {ACME}/k?uploadId=u", "ListParts", "acme/k"),
        (f"GET {ACME}/k?partNumber=1", "GetObject", "acme/k"),
        (f"DELETE {ACME}/k?versionId=v", "DeleteObject", "acme/k"),
        (f"DELETE {ACME}/k?uploadId=u", "AbortMultipartUpload", "acme/k"),
        (f"DELETE {ACME}/?%70olicy", "DeleteBucketPolicy", "acme"),
        (f"HEAD {ACME}/k", "HeadObject", "acme/k"),
    ],
)
def test_method_bucket_key_and_query_say_what_is_done(line, name, resource):
    done = action(line, sign="s3")
    assert (done.name, done.resource) == (f"aws.s3.{name}", resource)


@pytest.mark.parametrize(
    ("sent", "key"), [("a//b", "a//b"), ("/a", "/a"), ("a/", "a/"), ("%61;b", "a;b"), ("a%2Fb", "a/b"), ("%ff", "%ff")]
)
def test_a_key_is_what_is_sent_with_escapes_undone_once(sent, key):
    assert action(f"DELETE {ACME}/{sent}").params["key"] == key


def test_a_bucket_is_whose_it_is():
    assert action(f"PUT {ACME}/k", sign="s3").instance == "bucket:acme"


@pytest.mark.parametrize(
    "line",
    [
        f"GET {ACME}/?acl&policy",
        f"GET {ACME}/k?acl&ACL",
        f"GET {ACME}/k?acl&acl",
        f"GET {ACME}/?list-type=1",
        f"GET {ACME}/k?delete",
        f"PUT {ACME}/k?uploadId=u",
        f"PUT {ACME}/k?x-amz-copy-source=other%2Fk",
        f"GET {S3}/%00me/k".replace("%00", "%01"),
        f"GET {S3}//k",
        f"GET {S3}//",
        f"POST {ACME}/k",
        f"POST {ACME}/",
        f"PATCH {ACME}/k",
    ],
)
def test_what_two_operations_are_told_by_is_unreadable(line):
    assert names(line) == ["aws.unreadable"]


def test_a_copy_reads_elsewhere():
    copied, read = actions(f"PUT {ACME}/k", sign="s3", headers={"x-amz-copy-source": "/other/a%2Fb%20c?versionId=v"})
    assert (copied.name, copied.resource) == ("aws.s3.CopyObject", "acme/k")
    assert (read.name, read.resource, read.instance) == ("aws.s3.GetObject", "other/a/b c", "bucket:other")


@pytest.mark.parametrize("source", ["other", "other/", "/", "a%2525/k", ""])
def test_a_copy_from_nowhere_is_unreadable_too(source):
    assert names(f"PUT {ACME}/k", headers={"x-amz-copy-source": source}) == ["aws.s3.CopyObject", "aws.unreadable"]


def test_what_is_deleted_at_once_counts():
    gone = action(f"POST {ACME}/?delete", sign="s3", text=TWO)
    assert (gone.name, gone.count, gone.params["ids"]) == ("aws.s3.DeleteObjects", 2, ("a", "b&c"))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<Delete/>",
        XML.format("<Object/>"),
        XML.format("<Object><Key>a</Key><Key>b</Key></Object>"),
        XML.format("<Object><Key>a<b/></Key></Object>"),
        XML.format("<Objects><Object><Key>a</Key></Object></Objects>"),
        '<!DOCTYPE Delete [<!ENTITY a "b">]>' + XML.format("<Object><Key>&a;</Key></Object>"),
        '<?xml version="1.0" encoding="UTF-16"?>' + TWO,
        TWO + TWO,
        TWO[:-1],
        "<Remove><Object><Key>a</Key></Object></Remove>",
    ],
)
def test_xml_with_two_readings_leaves_the_count_open(xml):
    assert names(f"POST {ACME}/?delete", text=xml) == ["aws.s3.DeleteObjects", "aws.unreadable"]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-acl": "public-read"},
        {"x-amz-acl": "authenticated-read"},
        {"x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'},
    ],
)
def test_what_everybody_may_read_is_worse(headers):
    put = action(f"PUT {ACME}/k", headers=headers)
    assert (put.tier.name, put.params["public"]) == ("T2", True)
    assert action(f"PUT {ACME}/k").tier.name == "T1"


def test_a_signed_url_may_say_in_its_query_what_headers_say():
    assert action(f"PUT {ACME}/k?{presigned('s3')}&x-amz-acl=public-read").params["public"] is True


def test_a_signed_url_is_what_its_path_says_and_that_it_is_one_is_told():
    got = action(f"GET {ACME}/k?{presigned('s3')}")
    assert (got.name, got.evidence[-1]) == ("aws.s3.GetObject", "presigned")


def test_directory_buckets_and_the_control_plane_share_a_host():
    host = "https://s3express-control.us-east-1.amazonaws.com"
    assert names(f"GET {host}/", sign="s3express", region="us-east-1") == ["aws.s3.ListDirectoryBuckets"]
    assert names("GET https://123456789012.s3-control.us-east-1.amazonaws.com/v20180820/accesspoint") == [
        "aws.s3control.ListAccessPoints"
    ]
