"""The digest by which a request is known again: what is asked by whom, without what differs between two attempts at it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from outgate.actions.protocols import git
from outgate.approvals.volatile import lasting
from outgate.digest import canonical_ascii_keys, sha256
from outgate.intake.multipart import parts_of
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody

if TYPE_CHECKING:
    from outgate.digest import Json
    from outgate.intake.message import Message
    from outgate.intake.request import Request

TYPE = "outgate/request/v1alpha"
MESSAGE_TYPE = "outgate/message/v1alpha"

_BOUNDARY = re.compile(r"""boundary=(?:([0-9A-Za-z'+_.-]{8,70})|"([0-9A-Za-z'()+_,./:=?-]{8,70})")(?=;|$)""", re.IGNORECASE)
_PUSH = "application/x-git-receive-pack-request"


def request_digest(agent: str, request: Request) -> str | None:
    """Name an exact request of one agent. None where its body was not read: then nobody can approve it.

    Two requests that any server could take for different ones have different digests. Credentials count, and can't be
    read from it.
    """
    body = _body(request)
    if body is None:
        return None
    kind, headers = body[0], list(lasting(request))
    if kind == "multipart":
        headers = [(name, _without_boundary(value) if name == "content-type" else value) for name, value in headers]
    asked: dict[str, Json] = {
        "type": TYPE,
        "agent": agent,
        "method": request.method,
        "scheme": request.scheme,
        "host": request.host,
        "port": request.port,
        "target": request.target,
        "websocket": request.websocket,
        "headers": headers,
        "body": body,
    }
    return sha256(canonical_ascii_keys(asked))


def message_digest(request: str, message: Message) -> str:
    """Name one exact message by the digest of its request, with it as the body.

    The same bytes said by the other side, as another kind of message, or as a whole request, are something else.
    """
    said: dict[str, Json] = {
        "type": MESSAGE_TYPE,
        "request": request,
        "over": message.over,
        "sent": message.sent,
        "text": message.text,
    }
    return sha256(canonical_ascii_keys(said))


def _body(request: Request) -> tuple[str, ...] | None:
    """What kind of body counts, and its digests."""
    if _pushes(request) and (said := git.before_pack(request)) is not None:
        return ("git", *(sha256(line) for line in _without_program(said)))
    match request.body:
        case NoBody() | WholeBody(b""):
            return ("none",)
        case WholeBody(content):
            parts = _parts(request, content)
            return ("bytes", sha256(content)) if parts is None else ("multipart", _joined(parts))
        case SpooledBody(digest=digest):
            return ("bytes", digest)
        case UnreadBody():
            return None


def _pushes(request: Request) -> bool:
    """A push, by everything that a git server goes by."""
    kinds = [value for name, value in request.headers if name == "content-type"]
    return kinds == [_PUSH] and git.speaks(request) and request.path.endswith("/git-receive-pack")


def _without_program(said: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Which program pushes, and the id that it gave this attempt (gitprotocol-v2, "agent", "session-id")."""
    if not said:
        return said
    command, zero, capabilities = said[0].partition(b"\0")
    kept = [one for one in capabilities.split() if not one.startswith((b"agent=", b"session-id="))]
    return (command + zero + b" ".join(kept), *said[1:])


def _parts(request: Request, content: bytes) -> list[bytes] | None:
    """The parts of a body that has exactly one reading as multipart; None for any other."""
    kinds = [value for name, value in request.headers if name in {"content-type", "content-encoding"}]
    if len(kinds) != 1 or not kinds[0].lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(kinds[0])
    if found is None or "boundary" in (kinds[0][: found.start()] + kinds[0][found.end() :]).lower():
        return None
    return parts_of(content, (found[1] or found[2]).encode())


def _without_boundary(value: str) -> str:
    return _BOUNDARY.sub("boundary", value, count=1)


def _joined(parts: list[bytes]) -> str:
    return sha256(b"".join(hashlib.sha256(part).digest() for part in parts))
