"""Git over HTTP in the sandbox: a push is accepted and goes nowhere; there is nothing to fetch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.mock.exchange import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.mock.exchange import Asked

NOTHING = "This is a sandbox: what is pushed here is accepted and kept nowhere, and there is nothing to fetch."
_PUSH, _FETCH = "git-receive-pack", "git-upload-pack"
_UPDATE = re.compile(rb"[0-9a-f]{40,64} [0-9a-f]{40,64} (refs/[!-~\x80-\xff]{1,1000})")
_COMMANDS = 65_536
_CHUNK = 60_000


def answer(asked: Asked) -> Answer | None:
    """None where it is not git that asks."""
    if asked.method == "GET" and asked.path.endswith("/info/refs") and asked.asked_for.get("service") in {_PUSH, _FETCH}:
        return _refs(str(asked.asked_for["service"]))
    if asked.method == "POST" and asked.path.endswith(f"/{_PUSH}"):
        return _said(f"{_PUSH}-result", _accepted(asked.content[:_COMMANDS]))
    if asked.method == "POST" and asked.path.endswith(f"/{_FETCH}"):
        return _said(f"{_FETCH}-result", _line(b"ERR " + NOTHING.encode()))
    return None


def _refs(service: str) -> Answer:
    """A repository without refs, as it says so itself (gitprotocol-pack, "Reference Discovery")."""
    able = b"report-status delete-refs side-band-64k ofs-delta agent=outgate-sandbox" if service == _PUSH else b"side-band-64k"
    refs = _line(b"0" * 40 + b" capabilities^{}\0" + able + b"\n")
    return _said(f"{service}-advertisement", _line(f"# service={service}\n".encode()) + b"0000" + refs + b"0000")


def _said(kind: str, body: bytes) -> Answer:
    return Answer(
        status=200,
        headers=(("content-type", f"application/x-{kind}"), ("cache-control", "no-cache")),
        pieces=(body,),
    )


def _accepted(body: bytes) -> bytes:
    first, *rest = list(_commands(body)) or [b""]
    command, _, able = first.partition(b"\0")
    refs = [update[1] for line in (command, *rest) if (update := _UPDATE.fullmatch(line)) is not None]
    report = _line(b"unpack ok\n") + b"".join(_line(b"ok %s\n" % ref) for ref in refs) + b"0000"
    if b"report-status" not in able:
        return b"0000"
    if b"side-band-64k" not in able:
        return report
    bands = (report[at : at + _CHUNK] for at in range(0, len(report), _CHUNK))
    told = _line(b"\x02" + NOTHING.encode() + b"\n")
    return told + b"".join(_line(b"\x01" + band) for band in bands) + b"0000"


def _commands(body: bytes) -> Iterator[bytes]:
    """The pkt-lines up to the first flush; stops at what is none."""
    while re.match(rb"[0-9a-f]{4}", body) and (length := int(body[:4], 16)) > 4 and length <= len(body):
        yield body[4:length].rstrip(b"\n")
        body = body[length:]


def _line(data: bytes) -> bytes:
    return b"%04x%s" % (len(data) + 4, data)
