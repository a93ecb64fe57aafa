"""All look-alikes together, under the names that real programs call."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from clients import indexes, vendors
from clients.git_host import GitHost
from clients.lookalikes import ACKS, Acks, Answer, LookAlikes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clients.lookalikes import Ask

NAMES = (
    "api.github.com", "github.com", "slack.com", "api.openai.com", "api.anthropic.com", "api.stripe.com", "pypi.org",
    "files.pythonhosted.org", "registry.npmjs.org", "download.test", "plain.test", "other.test", ACKS,
)  # fmt: skip
BLOCK = bytes(range(256)) * 256
"""64 KiB that a download repeats."""


class Downloads:
    """https://download.test: `/bytes/<blocks>` and `/events`, both waiting for `?stream=` where it is given."""

    def __init__(self, acks: Acks) -> None:
        self._acks = acks

    def service(self, ask: Ask) -> Answer:
        stream = parse_qs(ask.query).get("stream", [""])[0]
        if ask.path == "/events":
            events = (b"id: %d\ndata: event %d\n\n" % (n, n) for n in range(1, 6))
            return Answer(kind=vendors.SSE, body=self._acks.each(stream, events) if stream else events)
        if ask.path.startswith("/bytes/"):
            return Answer(kind="application/octet-stream", body=self._bytes(int(ask.path.removeprefix("/bytes/")), stream))
        return Answer()

    def _bytes(self, blocks: int, stream: str) -> Iterator[bytes]:
        for number in range(blocks):
            if stream and number == 1:
                self._acks.wait(stream)
            yield BLOCK


def look_alikes(folder: Path) -> tuple[LookAlikes, GitHost]:
    """Build them all, not yet started."""
    acks, git_host = Acks(), GitHost(folder)
    models = vendors.Models(acks)
    services = {
        ACKS: acks.service,
        "api.github.com": vendors.github,
        "github.com": git_host.service,
        "api.openai.com": models.openai,
        "api.anthropic.com": models.anthropic,
        "pypi.org": indexes.pypi,
        "files.pythonhosted.org": indexes.pythonhosted,
        "registry.npmjs.org": indexes.npm,
        "download.test": Downloads(acks).service,
    }
    return LookAlikes(folder, NAMES, services, acks), git_host
