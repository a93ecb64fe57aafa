"""Where nothing can be made up honestly, the sandbox says so in the protocol's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.mock.exchange import Answer, in_json

if TYPE_CHECKING:
    from outgate.mock.exchange import Asked

TELL = "This is a sandbox, and it has no answer for this. Nothing was done."
_GRPC = ("application/grpc-web-text", "application/grpc-web", "application/grpc")
_UNIMPLEMENTED = "12"
_GRAPHQL = "application/graphql-response+json"


def answer(asked: Asked) -> Answer | None:
    """Give gRPC its UNIMPLEMENTED, GraphQL its error, AWS and WebSockets theirs; None for all else."""
    if asked.header("upgrade").lower() == "websocket":
        return in_json({"message": TELL}, 501)
    kind = asked.header("content-type").partition(";")[0].strip().lower()
    grpc = next((one for one in _GRPC if kind == one or kind.startswith(f"{one}+")), None)
    if grpc is not None:
        headers = (("content-type", grpc), ("grpc-status", _UNIMPLEMENTED), ("grpc-message", TELL))
        return Answer(status=200, headers=headers)
    if kind == "application/graphql" or asked.path.rstrip("/").endswith("/graphql"):
        return _graphql(asked)
    return _aws(asked, kind)


def _graphql(asked: Asked) -> Answer:
    """Which fields there are only the schema knows, so none are made up: a request error (GraphQL over HTTP, "Status Codes")."""
    kind = _GRAPHQL if _GRAPHQL in asked.header("accept") else "application/json"
    return in_json({"data": None, "errors": [{"message": TELL, "extensions": {"code": "SANDBOX"}}]}, 200, kind=kind)


def _aws(asked: Asked, kind: str) -> Answer | None:
    """AWS's JSON protocols and its query protocol; S3 has answers of its own."""
    target = asked.header("x-amz-target")
    if target and kind.startswith("application/x-amz-json"):
        return in_json(
            {"__type": "SandboxHasNoAnswer", "message": TELL}, 400, (("x-amzn-errortype", "SandboxHasNoAnswer"),), kind
        )
    if isinstance(asked.said, dict) and "Action" in asked.said and "Version" in asked.said:
        inner = f"<Type>Sender</Type><Code>SandboxHasNoAnswer</Code><Message>{TELL}</Message>"
        text = f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
        return Answer(status=400, headers=(("content-type", "text/xml"),), pieces=(text.encode(),))
    return None
