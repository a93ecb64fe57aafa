"""Canonical JSON (RFC 8785) and SHA-256."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import rfc8785

from outgate.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)

type Json = str | int | bool | Sequence[Json] | Mapping[str, Json] | None
"""The receipt profile: no floats, integers below 2**53, text without lone surrogates."""


def canonical(value: Json) -> bytes:
    """Give the RFC 8785 form. Raises EvidenceError for what has none."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"no canonical form: {error}") from error


def canonical_ascii_keys(value: Json) -> bytes:
    """The same bytes, six times faster, for values whose keys are ASCII and that hold no float.

    Ours are: receipts are built by this program. A law compares both on generated receipts.
    """
    try:
        return _ENCODER.encode(value).encode()
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"no canonical form: {error}") from error


def sha256(data: bytes) -> str:
    """Hex SHA-256, named: `sha256:…`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sent_digest(*, method: str, scheme: str, host: str, port: int, target: str) -> str:
    """Name what goes to an upstream, so that what an upstream saw can be matched with a decision.

    `target` is the origin-form path and query, byte for byte as it is sent.
    """
    return sha256("\n".join((method, scheme, host, str(port), target)).encode("latin-1"))
