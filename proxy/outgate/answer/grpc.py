"""gRPC: a trailers-only response (gRPC over HTTP/2, "Responses")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.answer.ask import media
from outgate.answer.reply import Reply
from outgate.answer.words import retry_soon, seconds

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal
    from outgate.intake.request import Request

_KINDS = ("application/grpc-web-text", "application/grpc-web", "application/grpc")
_STATUS = {400: 3, 407: 16, 408: 4, 411: 3, 413: 8, 415: 3, 421: 3, 429: 8, 431: 8, 501: 12, 502: 14, 503: 13, 504: 4}
_PERMISSION_DENIED = 7


def render(refusal: Refusal, request: Request) -> Reply | None:
    """None where it is not gRPC. HTTP says 200, as gRPC has it: the status that counts is `grpc-status`."""
    asked = media(request)
    kind = next((kind for kind in _KINDS if asked == kind or asked.startswith(f"{kind}+")), None)
    if kind is None:
        return None
    headers = [
        ("Content-Type", kind),
        ("grpc-status", str(_STATUS.get(refusal.status, _PERMISSION_DENIED))),
        ("grpc-message", percent(refusal.tell)),
    ]
    after = seconds(refusal) if retry_soon(refusal) else None
    headers.append(("grpc-retry-pushback-ms", "-1" if after is None else str(1000 * after)))  # gRFC A6: negative, do not retry
    return Reply(status=200, headers=tuple(headers))


def percent(text: str) -> str:
    """Printable ASCII but `%` as it is, every other byte of the UTF-8 as `%XX`."""
    return "".join(chr(b) if 0x20 <= b <= 0x7E and b != 0x25 else f"%{b:02X}" for b in text.encode())
