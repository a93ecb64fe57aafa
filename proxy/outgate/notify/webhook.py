"""Webhook: a message as JSON, signed so that whoever gets it knows that it is ours, and new."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.errors import ConfigError
from outgate.notify.post import Post, checked

if TYPE_CHECKING:
    from outgate.notify.message import Message

KIND = "webhook"
SIGNATURE = "Outgate-Signature"
"""`t=<seconds since 1970>,v1=<hex>`: HMAC-SHA256 by the secret over the time, a dot, and the body."""
DELIVERY = "Outgate-Delivery"
"""The same each time that one message is tried."""
_SHORTEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A place that takes POSTs. Raises ConfigError for a URL that is none, and a secret of under 16 bytes."""

    url: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        checked(self.url)
        if len(self.secret) < _SHORTEST:
            raise ConfigError(f"the secret of webhook {self.url} has under {_SHORTEST} bytes, try: openssl rand -hex 32")

    @property
    def kind(self) -> str:
        return KIND

    def post(self, message: Message, now: int) -> Post:
        """What to send at a time, in seconds since 1970."""
        body = json.dumps(message.fields, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "outgate",
            SIGNATURE: f"t={now},v1={signature(self.secret, now, body)}",
            DELIVERY: message.approval,
        }
        return Post(url=self.url, headers=headers, body=body)


def signature(secret: bytes, now: int, body: bytes) -> str:
    """Whoever has the secret can make it, and nobody else."""
    return hmac.new(secret, b"%d." % now + body, hashlib.sha256).hexdigest()
