"""All look-alikes together, under the names that real programs call."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from clients import aws_host, indexes, vendors, websocket
from clients.git_host import GitHost
from clients.grpc_host import GRPC
from clients.lookalikes import ACKS, PATIENCE, Acks, Answer, LookAlikes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clients.lookalikes import Ask

MODERN = "modern.test"
"""The one that speaks HTTP/2 as well."""

CORPORATE = "corp.test"
"""The one that the operator's table says nothing of: it is reached by a company's own proxy."""

EC2 = "ec2.eu-west-1.amazonaws.com"
"""Answers as any of the others that nobody wrote: boto3 reads an error in that, and counts it as one answer."""

NAMES = (
    "api.github.com", "github.com", "slack.com", "api.openai.com", "api.anthropic.com", "api.stripe.com", "pypi.org",
    "files.pythonhosted.org", "registry.npmjs.org", "download.test", "plain.test", "other.test", EC2, CORPORATE, "echo.test", MODERN, ACKS, GRPC,
    *aws_host.AWS_HOSTS,
)  # fmt: skip
BLOCK = bytes(range(256)) * 256
"""64 KiB that a download repeats."""


TOGETHER = 12
"""Requests that `/together` answers when all have come; more than a pool that is capped at a handful lets through."""


PAGE = b"""<!doctype html><title>A page</title><script>
const said = (async () => {
  const refused = await fetch("/x", { method: "DELETE" });
  const socket = new WebSocket("wss://echo.test/page");
  await new Promise((done, failed) => Object.assign(socket, { onopen: done, onerror: failed }));
  const heard = new Promise((done) => (socket.onmessage = (message) => done(message.data)));
  socket.send("hello");
  const source = new EventSource("/events"), events = [];
  await new Promise((done) => (source.onmessage = (event) => events.push(event.data) === 5 && done()));
  source.close();
  return {
    protocol: performance.getEntriesByType("navigation")[0].nextHopProtocol,
    fetched: (await (await fetch("/plain")).json()).ok,
    refused: [refused.status, (await refused.json()).message],
    heard: await heard,
    events,
  };
})();
const tell = async (all) => {
  await fetch("/said", { method: "POST", body: JSON.stringify(all) });
  await fetch("/ack/page");
};
said.catch(String).then(tell);
</script>"""
"""It says what came of it, and that it did."""


class Downloads:
    """https://download.test: `/bytes/<blocks>` and `/events`, both waiting for `?stream=` where it is given;
    `/ack/<stream>` for those who have one connection; `/together`; `/hang-up`; `/digest` of what is sent; `/page` for browsers; `/endless`, and
    `/freed` as soon as nobody reads that any more."""

    def __init__(self, acks: Acks) -> None:
        self._acks = acks
        self._together = threading.Barrier(TOGETHER)

    def service(self, ask: Ask) -> Answer:
        stream = parse_qs(ask.query).get("stream", [""])[0]
        if ask.path == "/events":
            events = (b"id: %d\ndata: event %d\n\n" % (n, n) for n in range(1, 6))
            return Answer(kind=vendors.SSE, body=self._acks.each(stream, events) if stream else events)
        if ask.path.startswith("/bytes/"):
            return Answer(kind="application/octet-stream", body=self._bytes(int(ask.path.removeprefix("/bytes/")), stream))
        if ask.path == "/page":
            return Answer(kind="text/html; charset=utf-8", body=PAGE)
        if ask.path == "/digest":
            return Answer(kind="text/plain", body=hashlib.sha256(ask.body).hexdigest().encode())
        if ask.path == "/endless":
            return Answer(kind=vendors.SSE, body=self._endless(stream))
        if ask.path == "/freed":
            self._acks.wait(stream)
        if ask.path == "/hang-up":
            return Answer(hangs_up=stream)
        if ask.path.startswith("/ack/"):
            return self._acks.service(replace(ask, path=ask.path.removeprefix("/ack")))
        if ask.path == "/together":
            self._together.wait(PATIENCE)
        return Answer()

    def _endless(self, stream: str) -> Iterator[bytes]:
        try:
            while True:
                yield b"data: still here\n\n" * 100
        finally:
            self._acks.said(stream)

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
        MODERN: Downloads(acks).service,
        "echo.test": websocket.service,
        **dict.fromkeys(aws_host.AWS_HOSTS, aws_host.service),
    }
    return LookAlikes(folder, NAMES, services, acks, modern=MODERN), git_host
