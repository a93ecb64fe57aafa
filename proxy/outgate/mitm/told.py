"""What an agent is told where the plane itself answers, and what a note says of what was no request."""

from __future__ import annotations

from typing import Final

from outgate.mitm.enforce import Failure

TOLD: Final = {
    Failure.UNREACHED: "The upstream could not be reached, so nothing was sent.",
    Failure.UNTRUSTED: "The upstream's certificate does not verify for this host, so nothing was sent.",
    Failure.HANDSHAKE: "No TLS connection could be made with the upstream, so nothing was sent.",
    Failure.PROXY: "The upstream proxy did not let this through, so nothing reached the upstream.",
    Failure.CLOSED: "The request was sent, and the upstream gave no whole answer: it may have acted on it.",
    Failure.MALFORMED: "The request was sent, and the upstream's answer is malformed: it may have acted on it.",
    Failure.SILENT: "The request was sent, and the upstream gave no whole answer in time: it may have acted on it.",
    Failure.STALLED: "The request's body stopped in the middle of being sent: the upstream may have acted on what came.",
    Failure.ENDLESS: "The request was sent, and its answer is longer than this gate passes on: the upstream has acted on it.",
    Failure.SWITCHED: "The request was sent, and the upstream switched to a protocol that nobody asked for.",
}
STATUS: Final = {Failure.SILENT: 504, Failure.STALLED: 408}
TOO_MANY: Final = (
    "So many of this agent's requests were refused lately that no more are recorded. Stop, and read what was refused."
)
AT_ONCE: Final = "This agent has too many requests under way. Wait until some are answered, then try again."
HALTED_LATE: Final = (
    "This was halted by the people who run it, in the middle: it had been sent, and may have been acted on. "
    "Stop; do not retry, and do not try another way."
)
NO_MOCK: Final = (
    "This may only be tried in a sandbox, and the sandbox gave no answer. The real service was not asked. "
    "Do not try another way to do it; tell the operator."
)


def kind_of(data: bytes) -> str:
    """Name what came, without a byte of it."""
    known = {
        b"SSH-": "ssh",
        b"\x16": "malformed tls",
        b"\x05": "socks5",
        b"\x04": "socks4",
        b"EHLO": "smtp",
        b"HELO": "smtp",
    }
    for start, kind in known.items():
        if data.startswith(start):
            return kind
    return "text" if data.isascii() and all(byte >= 32 or byte in b"\r\n\t" for byte in data) else "binary"
