"""Git over HTTP in the sandbox: a push is accepted and goes nowhere; there is nothing to fetch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.protocols.pkt_line import FLUSH, band, line, texts
from outgate.mock.exchange import Answer

if TYPE_CHECKING:
    from outgate.mock.exchange import Asked

NOTHING = "This is a sandbox: what is pushed here is accepted and kept nowhere, and there is nothing to fetch."
_PUSH, _FETCH = "git-receive-pack", "git-upload-pack"
_UPDATE = re.compile(rb"[0-9a-f]{40,64} [0-9a-f]{40,64} (refs/[!-~\x80-\xff]{1,1000})")
_COMMANDS = 65_536


def answer(asked: Asked) -> Answer | None:
    """None where it is not git that asks."""
    if asked.method == "GET" and asked.path.endswith("/info/refs") and asked.asked_for.get("service") in {_PUSH, _FETCH}:
        return _refs(str(asked.asked_for["service"]))
    if asked.method == "POST" and asked.path.endswith(f"/{_PUSH}"):
        return _said(f"{_PUSH}-result", _accepted(asked.content[:_COMMANDS]))
    if asked.method == "POST" and asked.path.endswith(f"/{_FETCH}"):
        return _said(f"{_FETCH}-result", line(b"ERR " + NOTHING.encode()))
    return None


def _refs(service: str) -> Answer:
    """A repository without refs, as it says so itself (gitprotocol-pack, "Reference Discovery")."""
    able = b"report-status delete-refs side-band-64k ofs-delta agent=outgate-sandbox" if service == _PUSH else b"side-band-64k"
    refs = line(b"0" * 40 + b" capabilities^{}\0" + able + b"\n")
    return _said(f"{service}-advertisement", line(f"# service={service}\n".encode()) + FLUSH + refs + FLUSH)


def _said(kind: str, body: bytes) -> Answer:
    return Answer(
        status=200,
        headers=(("content-type", f"application/x-{kind}"), ("cache-control", "no-cache")),
        pieces=(body,),
    )


def _accepted(body: bytes) -> bytes:
    first, *rest = list(texts(body)) or [b""]
    command, _, able = first.partition(b"\0")
    refs = [update[1] for text in (command, *rest) if (update := _UPDATE.fullmatch(text)) is not None]
    report = line(b"unpack ok\n") + b"".join(line(b"ok %s\n" % ref) for ref in refs) + FLUSH
    if b"report-status" not in able:
        return FLUSH
    if b"side-band-64k" not in able:
        return report
    return band(2, NOTHING.encode() + b"\n") + band(1, report) + FLUSH
