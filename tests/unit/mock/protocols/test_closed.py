import pytest
from sandboxed import said, to_mock

from outgate.mock.protocols.closed import TELL, answer


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc-web-text"])
def test_grpc_is_told_that_it_is_unimplemented(kind):
    headers = dict(answer(to_mock("POST /a.B/C", headers={"content-type": kind})).headers)
    assert headers["grpc-status"] == "12"
    assert headers["grpc-message"] == TELL


def test_graphql_gets_an_error_and_no_made_up_fields():
    made = said(answer(to_mock("POST /graphql", json={"query": "mutation { pay }"})))
    assert made["data"] is None
    assert made["errors"][0] == {"message": TELL, "extensions": {"code": "SANDBOX"}}
    own = answer(to_mock("POST /graphql", headers={"accept": "application/graphql-response+json"}))
    assert own.kind == "application/graphql-response+json"


def test_aws_gets_its_own_shape():
    json = answer(
        to_mock(
            "POST /", json={}, headers={"x-amz-target": "DynamoDB_20120810.PutItem", "content-type": "application/x-amz-json-1.0"}
        )
    )
    assert (json.status, said(json)["__type"]) == (400, "SandboxHasNoAnswer")
    query = answer(to_mock("POST /", form="Action=TerminateInstances&Version=2016-11-15"))
    assert b"<Code>SandboxHasNoAnswer</Code>" in query.body


def test_a_websocket_is_not_had():
    assert answer(to_mock("GET /live", headers={"upgrade": "websocket"})).status == 501


def test_anything_else_is_somebody_elses():
    assert answer(to_mock("POST /things", json={"Action": "x"})) is None
