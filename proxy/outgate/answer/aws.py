"""AWS: an error in the protocol of the service that was called (Smithy: AWS JSON, query, EC2 query, REST XML, REST JSON)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from outgate.answer.ask import header, is_under, media
from outgate.answer.problem import encode
from outgate.answer.reply import Reply

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal
    from outgate.intake.request import Request

_SIGNED = re.compile(r"AWS4-[A-Z0-9-]+ Credential=[^/,]{1,200}(?:/[a-z0-9-]{1,64})*?/([a-z0-9-]{1,64})/aws4_request")
_S3_HOST = re.compile(r"(?:.*\.)?s3[.-].*")


def render(refusal: Refusal, request: Request) -> Reply | None:
    """None where it is not AWS that is called."""
    signed = _SIGNED.match(header(request, "authorization"))
    if not signed and not is_under(request.host, "amazonaws.com", "amazonaws.com.cn", "api.aws"):
        return None
    code = "Throttling" if refusal.answer == "throttle" else "AccessDenied"
    kind, body = _form(refusal, request, signed[1] if signed else "", code)
    headers = (("Content-Type", kind), ("x-amzn-ErrorType", f"{code}Exception"), ("x-amzn-RequestId", refusal.receipt or "none"))
    return Reply(status=refusal.status, headers=headers, body=body)


def _form(refusal: Refusal, request: Request, service: str, code: str) -> tuple[str, bytes]:
    tell, receipt = escape(refusal.tell), escape(refusal.receipt)
    error = f"<Code>{code}</Code><Message>{tell}</Message>"
    asked = media(request)
    if asked.startswith("application/x-amz-json"):
        kind = "application/x-amz-json-1.1" if asked.endswith("1.1") else "application/x-amz-json-1.0"
        return kind, encode({"__type": f"{code}Exception", "message": refusal.tell, "Message": refusal.tell})
    if service == "s3" or (not service and _S3_HOST.fullmatch(request.host)):
        return _xml(f"<Error>{error}<RequestId>{receipt}</RequestId></Error>")
    if service == "ec2" or request.host.startswith("ec2."):
        return _xml(f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{receipt}</RequestID></Response>")
    if asked == "application/x-www-form-urlencoded" or service in {"route53", "cloudfront"}:
        type_ = "<Type>Sender</Type>"
        return _xml(f"<ErrorResponse><Error>{type_}{error}</Error><RequestId>{receipt}</RequestId></ErrorResponse>")
    return "application/json", encode({"message": refusal.tell, "Message": refusal.tell, "code": f"{code}Exception"})


def _xml(root: str) -> tuple[str, bytes]:
    return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{root}'.encode()
