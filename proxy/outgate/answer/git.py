"""Git over HTTP: what git itself shows to whoever runs it.

Git prints a text/plain body as `remote: …` where a GET is refused. It prints nothing of a refused POST, and ends a refused
push with "Everything up-to-date"; so there the refusal is said inside git's own protocol, on a 200 (tried with git 2.39).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.protocols.pkt_line import FLUSH, band, line, texts
from outgate.answer.ask import content, header, media
from outgate.answer.problem import plain
from outgate.answer.reply import Reply

if TYPE_CHECKING:
    from outgate.answer.reply import Refusal
    from outgate.intake.request import Request

_UPDATE = re.compile(rb"[0-9a-f]{40,64} [0-9a-f]{40,64} (refs/[!-~\x80-\xff]{1,1000})")
_REFS = 32
_COMMANDS = 65_536


def render(refusal: Refusal, request: Request) -> Reply | None:
    """None where it is not git that asks."""
    asked = media(request)
    if asked == "application/x-git-receive-pack-request":
        return _said("receive-pack", _refused_push(refusal, content(request)[:_COMMANDS]))
    if asked == "application/x-git-upload-pack-request":
        return _said("upload-pack", line(b"ERR " + refusal.tell.encode()))
    discovers = request.path.endswith("/info/refs") and (request.query or "").startswith("service=git-")
    return plain(refusal) if discovers or header(request, "user-agent").startswith("git/") else None


def _said(service: str, body: bytes) -> Reply:
    return Reply(status=200, headers=(("Content-Type", f"application/x-git-{service}-result"),), body=body)


def _refused_push(refusal: Refusal, body: bytes) -> bytes:
    """Say of each ref that the remote rejected it, as a hook would; where refs or capabilities are not clear, just say it.

    Body and capabilities: gitprotocol-pack(5), "Report Status" and "Reference Update Request".
    """
    tell = refusal.tell.encode()
    first, *rest = list(texts(body)) or [b""]
    command, _, capabilities = first.partition(b"\0")
    updates = [_UPDATE.fullmatch(text) for text in (command, *rest) if not text.startswith(b"shallow ")]
    refs = [update[1] for update in updates if update]
    banded = b"side-band-64k" in capabilities or not capabilities
    if b"report-status" in capabilities and refs and len(refs) == len(updates) <= _REFS:
        report = line(b"unpack ok\n") + b"".join(line(b"ng %s %s\n" % (ref, tell)) for ref in refs) + FLUSH
        return band(1, report) + FLUSH if banded else report
    return band(3, tell + b"\n") if banded else line(b"ERR " + tell)
