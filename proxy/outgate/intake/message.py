"""One message of a conversation that was let out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

type Over = Literal["websocket", "grpc", "sse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Whole, as it was said: of a WebSocket unmasked and put together, of gRPC without its prefix.

    `sent`: by the agent; else by the upstream. `plain` is False where the content is compressed or cut, and can't be read.
    """

    sent: bool
    over: Over
    text: bool = False
    content: bytes = field(repr=False)
    plain: bool = True
