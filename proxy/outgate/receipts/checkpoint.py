"""Checkpoint: a signature over the whole log so far (C2SP tlog-checkpoint in a C2SP signed-note)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgate.digest import canonical_ascii_keys
from outgate.errors import EvidenceError

if TYPE_CHECKING:
    from outgate.keys.ed25519 import SigningKey, VerifyKey

_START = b'{"checkpoint":'
_BODY = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How long a log is, and the root of its tree at that length."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """What is signed: origin, size, root, a line each."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(key: VerifyKey, writer: str) -> str:
    """Name one writer's log: a checkpoint of another can't stand in for its own."""
    return f"{key.name}/{writer}"


def sign(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Give the signed note."""
    body = checkpoint.body
    signature = base64.b64encode(key.public.id + key.sign(body.encode())).decode()
    return f"{body}\n— {key.public.name} {signature}\n"


def line_of(note: str) -> bytes:
    """Give the line that a log keeps it in."""
    return canonical_ascii_keys({"checkpoint": note})


def note_in(line: bytes) -> str | None:
    """Give the note in a log's line; None if the line is no checkpoint, as `line_of` writes it."""
    if not line.startswith(_START):
        return None
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    note = fields.get("checkpoint")
    return note if isinstance(note, str) and line_of(note) == line else None


def read(note: str) -> Checkpoint:
    """Read what a note claims, its signature unchecked. Raises EvidenceError."""
    body, _, _ = note.partition("\n\n")
    found = _BODY.fullmatch(body + "\n")
    if not found:
        raise EvidenceError("not a checkpoint")
    root = base64.b64decode(found[3])
    checkpoint = Checkpoint(origin=found[1], size=int(found[2]), root=root)
    if checkpoint.body != found[0]:
        raise EvidenceError("a checkpoint's root is not in canonical base64")
    return checkpoint


def check(note: str, key: VerifyKey) -> Checkpoint:
    """Give a note's checkpoint if `key` signed it.

    1. The text is a checkpoint, then an empty line, then signature lines and nothing else.
    2. One of them names the key, by name and id.
    3. That one is the key's over the exact text. Signatures of others are not ours to judge (C2SP signed-note).

    Raises EvidenceError.
    """
    checkpoint = read(note)
    _, _, lines = note.partition("\n\n")
    found = _SIGNATURE.findall(lines)
    if not found or "".join(f"— {name} {encoded}\n" for name, encoded in found) != lines:
        raise EvidenceError("the checkpoint's signature lines are malformed")
    signatures = [_decoded(encoded) for name, encoded in found if name == key.name]
    ours = [signature[4:] for signature in signatures if signature[:4] == key.id]
    if not ours:
        other = "another key that calls itself so" if signatures else found[0][0]
        raise EvidenceError(f"the checkpoint is signed by {other}, not by {key.name}")
    if len(ours) > 1 or not key.holds(ours[0], checkpoint.body.encode()):
        raise EvidenceError("the checkpoint's signature does not match it")
    return checkpoint


def _decoded(encoded: str) -> bytes:
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise EvidenceError("a signature is not base64") from error
    if base64.b64encode(data).decode() != encoded:
        raise EvidenceError("a signature is not in canonical base64")
    return data
