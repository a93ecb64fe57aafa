"""However a request that changes something at AWS is dressed up, it is never read as one that only reads."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from aws_requests import catalog
from catalog import aws_wire

from outgate.actions.identify import identify
from outgate.intake.request import Request, UnreadBody, WholeBody

_EVERY = 40


def _asked(field: str) -> Callable[[Request], Request]:
    return lambda request: replace(request, query=f"{request.query}&{field}" if request.query else field)


def _said(name: str, value: str) -> Callable[[Request], Request]:
    return lambda request: replace(request, headers=(*request.headers, (name, value)))


def _scope(old: str, new: str) -> Callable[[Request], Request]:
    def dressed(request: Request) -> Request:
        return replace(request, headers=tuple((name, value.replace(old, new)) for name, value in request.headers))

    return dressed


def _escaped(request: Request) -> Request:
    """The last letter of the path, escaped: to a server that undoes that first, the path is the same."""
    head, last = request.path[:-1], request.path[-1:]
    return replace(request, path=f"{head}%{ord(last):02x}" if last.isalnum() else request.path)


def _formed(request: Request) -> Request:
    body = request.body.content if isinstance(request.body, WholeBody) else b""
    return replace(request, body=WholeBody(body + b"&Action=DescribeInstances"))


DRESSED: dict[str, Callable[[Request], Request]] = {
    "an Action in the query": _asked("Action=DescribeInstances"),
    "an action in the query": _asked("action=DescribeInstances"),
    "an Action in the body": _formed,
    "a target that reads": _said("x-amz-target", "DynamoDB_20120810.ListTables"),
    "RPC v2": _said("smithy-protocol", "rpc-v2-cbor"),
    "what a list is told by": _asked("list-type=2"),
    "what a read is told by": _asked("acl"),
    "a part": _asked("uploadId=u"),
    "what is ignored": _asked("x-id=GetObject"),
    "a copy": _said("x-amz-copy-source", "/other/key"),
    "a copy in the query": _asked("x-amz-copy-source=%2Fother%2Fkey"),
    "an escape": _escaped,
    "a slash at its end": lambda request: replace(request, path=f"{request.path}/"),
    "two slashes": lambda request: replace(request, path=f"/{request.path}"),
    "a parameter of its path": lambda request: replace(request, path=f"{request.path};a=b"),
    "another charset": _said("content-type", "application/json; charset=utf-16"),
    "another region": _scope("/us-east-1/", "/eu-west-1/"),
    "another service": _scope("/aws4_request", "x/aws4_request"),
    "a second signature": _asked(f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={aws_wire.KEY}%2F1"),
    "a body that nobody read": lambda request: replace(request, body=UnreadBody(length=9)),
}


def changing() -> Iterator[aws_wire.Sent]:
    for sent in aws_wire.requests(every=_EVERY):
        if not all(action.access.only_reads for action in identify(sent.request, catalog())):
            yield sent


@pytest.fixture(scope="module")
def changes():
    return tuple(changing())


@pytest.mark.parametrize("dress", DRESSED)
def test_what_changes_something_is_never_read_as_a_read(changes, dress):
    assert len(changes) > 200
    misread = [
        sent.name
        for sent in changes
        if all(action.access.only_reads for action in identify(DRESSED[dress](sent.request), catalog()))
    ]
    assert misread == []
