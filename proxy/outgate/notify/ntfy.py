"""ntfy: a message to a topic of an ntfy server, which brings it to phones (docs.ntfy.sh/publish)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.errors import ConfigError
from outgate.notify.post import Post, checked

if TYPE_CHECKING:
    from outgate.notify.message import Message

KIND = "ntfy"
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[!-~]{1,512}")
_URGENT = {3: "urgent", 2: "high"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ntfy:
    """A topic. `click` is where a tap leads, with `{approval}` for its id. Raises ConfigError for what can't be one."""

    url: str
    topic: str
    token: str = field(default="", repr=False)
    click: str = ""

    def __post_init__(self) -> None:
        checked(self.url, secret=bool(self.token))
        if self.click:
            checked(self.click.replace("{approval}", "id"))
        if not _TOPIC.fullmatch(self.topic):
            raise ConfigError(f"'{self.topic}' is no topic, use 1 to 64 letters, digits, '_', '-'")
        if self.token and not _TOKEN.fullmatch(self.token):
            raise ConfigError(f"the token of ntfy topic '{self.topic}' is not one line of ASCII")

    @property
    def kind(self) -> str:
        return KIND

    def post(self, message: Message, now: int) -> Post:  # noqa: ARG002  # a webhook needs it
        """What to send."""
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Title": f"{_ascii(message.agent)} waits for approval (T{message.tier})",
            "Priority": _URGENT.get(message.tier, "default"),
            "Tags": "raised_hand",
            **({"Click": self.click.replace("{approval}", message.approval)} if self.click else {}),
            **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
        }
        return Post(url=f"{self.url.rstrip('/')}/{self.topic}", headers=headers, body=message.text.encode())


def _ascii(said: str) -> str:
    """A header's value: an agent's id is ASCII anyway."""
    return "".join(c if " " <= c <= "~" else "?" for c in said)
