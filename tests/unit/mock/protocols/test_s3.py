import pytest
from sandboxed import shelf, to_mock

from outgate.mock.protocols.s3 import answer


@pytest.fixture
def ask():
    own = shelf()

    def asked(line, host="s3.eu-west-1.amazonaws.com", **given):
        return answer(to_mock(line, service="aws", origin=f"https://{host}", **given), own)

    return asked


def test_what_is_put_is_read_back_listed_and_deleted(ask):
    put = ask("PUT /bucket/a/b.txt", body=b"hello", headers={"content-type": "text/plain", "x-amz-meta-who": "ann"})
    got = ask("GET /bucket/a/b.txt")
    assert (got.body, got.kind) == (b"hello", "text/plain")
    assert dict(got.headers)["etag"] == dict(put.headers)["etag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert dict(got.headers)["x-amz-meta-who"] == "ann"
    assert ask("HEAD /bucket/a/b.txt").status == 200
    assert b"<Key>a/b.txt</Key>" in ask("GET /bucket?list-type=2").body
    assert ask("DELETE /bucket/a/b.txt").status == 204
    assert b"<Code>NoSuchKey</Code>" in ask("GET /bucket/a/b.txt").body
    assert ask("DELETE /bucket/a/b.txt").status == 204


def test_a_bucket_in_the_hosts_name_is_the_same_one(ask):
    ask("PUT /key", host="bucket.s3.amazonaws.com", body=b"x")
    assert ask("GET /bucket/key").body == b"x"


def test_a_list_goes_on_where_it_stopped(ask):
    for key in "abc":
        ask(f"PUT /bucket/{key}")
    first = ask("GET /bucket?list-type=2&max-keys=2").body
    assert b"<IsTruncated>true</IsTruncated><NextContinuationToken>b</NextContinuationToken>" in first
    rest = ask("GET /bucket?list-type=2&continuation-token=b").body
    assert b"<Key>c</Key>" in rest
    assert b"<Key>a</Key>" not in rest
    assert b"<KeyCount>1</KeyCount>" in ask("GET /bucket?prefix=b").body


def test_names_of_keys_stay_text(ask):
    ask("PUT /bucket/%3C%2FKey%3E%26")
    assert b"<Key>&lt;/Key&gt;&amp;</Key>" in ask("GET /bucket").body


def test_signed_pieces_are_put_together(ask):
    pieces = b"5;chunk-signature=0\r\nhello\r\n1\r\n!\r\n0;chunk-signature=0\r\nx-amz-checksum:1\r\n\r\n"
    ask("PUT /bucket/k", body=pieces, headers={"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})
    assert ask("GET /bucket/k").body == b"hello!"


def test_a_copy_is_the_same(ask):
    ask("PUT /bucket/a", body=b"x")
    assert b"<CopyObjectResult" in ask("PUT /bucket/b", headers={"x-amz-copy-source": "/bucket/a"}).body
    assert ask("GET /bucket/b").body == b"x"
    assert ask("PUT /bucket/c", headers={"x-amz-copy-source": "/bucket/no"}).status == 404


def test_buckets_come_and_go(ask):
    assert ask("PUT /mine").status == 200
    assert ask("HEAD /mine").status == 200
    assert b"<Name>mine</Name>" in ask("GET /").body
    ask("PUT /mine/k")
    assert ask("DELETE /mine").status == 409
    deleted = ask("POST /mine?delete", body=b"<Delete><Object><Key>k</Key></Object></Delete>")
    assert b"<Deleted><Key>k</Key></Deleted>" in deleted.body
    assert ask("DELETE /mine").status == 204
    assert b"mine" not in ask("GET /").body


@pytest.mark.parametrize("line", ["POST /b/k?uploads", "PUT /b/k?partNumber=1&uploadId=x"])
def test_an_upload_in_parts_is_not_had(ask, line):
    assert ask(line).status == 405


def test_what_is_too_large_is_told(ask):
    from outgate.mock.shelves import Shelf

    small = Shelf(most_bytes=1000)
    put = answer(to_mock("PUT /b/k", service="aws", origin="https://s3.amazonaws.com", body=b"x" * 1000), small)
    assert b"EntityTooLarge" in put.body


@pytest.mark.parametrize("host", ["api.example.test", "s3.amazonaws.com.evil.test", "sqs.eu-west-1.amazonaws.com"])
def test_another_host_is_somebody_elses(ask, host):
    assert ask("PUT /b/k", host=host) is None
