"""Scope: what a request says that it is signed for, in its header or its URL (Signature Version 4 and 4A)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from outgate.intake.bodies import Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.actions.protocols.aws.hosts import Endpoint

type How = Literal["unsigned", "signed", "signed by 4A", "presigned", "presigned by 4A", "signed by 2", "bearer token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signed, for which service and region. Nobody has checked it: it is what the client says that AWS will check."""

    how: How
    service: str = ""
    region: str = ""
    account: str = ""
    """Whose key it is, as keys since 2019 say by themselves."""


UNSIGNED = Signature(how="unsigned")
ALGORITHM, ALGORITHM_A = "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"
_SCOPED = re.compile(r"([^/,=\s]{1,128})/[0-9]{8}/([a-z0-9-]{1,64})/([A-Za-z0-9.-]{1,64})/aws4_request")
_SCOPED_A = re.compile(r"([^/,=\s]{1,128})/[0-9]{8}/([A-Za-z0-9.-]{1,64})/aws4_request")
_FIELD = re.compile(r"[\t ]*([A-Za-z]+)=([^,\t ]*)[\t ]*")
_KEY = re.compile(r"A(?:KIA|SIA)[Q-Z2-7][A-Z2-7]{15}")
_MASK = 0x7FFFFFFFFF80
_USUAL = re.compile(rf"{ALGORITHM} Credential=([^,=\s]+), ?SignedHeaders=[^,=\s]+, ?Signature=[0-9a-f]+")
_SIGNED = ("Credential", "SignedHeaders", "Signature")

TWICE = Undecodable("The request says twice who signed it.")
MALFORMED = Undecodable("The signature of the request is not of Signature Version 4's form.")


def signature(headers: Iterable[tuple[str, str]], query: tuple[tuple[str, str], ...]) -> Signature | Undecodable:
    """Read who signed a request for what; Undecodable where it says so in two ways, or in none that is known."""
    said = [value for name, value in headers if name == "authorization"]
    if not query:
        return _of_header(said[0]) if len(said) == 1 else TWICE if said else UNSIGNED
    asked = [(name.lower(), value) for name, value in query if name[:6].lower() == "x-amz-"]
    credentials = [value for name, value in asked if name == "x-amz-credential"]
    algorithms = [value for name, value in asked if name == "x-amz-algorithm"]
    if len(said) + len(credentials) > 1 or len(algorithms) > 1 or (said and algorithms):
        return TWICE
    if credentials or algorithms:
        return _of(algorithms[0], credentials[0], presigned=True) if credentials and algorithms else MALFORMED
    return _of_header(said[0]) if said else UNSIGNED


def _of_header(value: str) -> Signature | Undecodable:
    usual = _USUAL.fullmatch(value)
    if usual is not None:
        return _of(ALGORITHM, usual[1], presigned=False)
    scheme, _, rest = value.partition(" ")
    if scheme not in {ALGORITHM, ALGORITHM_A}:
        return _another(scheme, rest)
    fields = [_FIELD.fullmatch(piece) for piece in rest.split(",")]
    named = {field[1]: field[2] for field in fields if field is not None}
    if len(fields) != len(_SIGNED) or sorted(named) != sorted(_SIGNED):
        return MALFORMED
    return _of(scheme, named["Credential"], presigned=False)


def _another(scheme: str, rest: str) -> Signature | Undecodable:
    if scheme.upper().startswith("AWS4"):
        return MALFORMED
    match scheme.lower():
        case "bearer":
            return Signature(how="bearer token")
        case "aws" if ":" in rest:
            return Signature(how="signed by 2")
        case _:
            return Undecodable("The request is not signed as AWS wants it.")


@lru_cache(maxsize=1024)
def _of(algorithm: str, credential: str, *, presigned: bool) -> Signature | Undecodable:
    match = (_SCOPED if algorithm == ALGORITHM else _SCOPED_A).fullmatch(credential)
    if match is None or algorithm not in {ALGORITHM, ALGORITHM_A}:
        return MALFORMED
    account = account_of(match[1])
    if algorithm == ALGORITHM:
        return Signature(how="presigned" if presigned else "signed", region=match[2], service=match[3], account=account)
    return Signature(how="presigned by 4A" if presigned else "signed by 4A", service=match[2], account=account)


def account_of(key: str) -> str:
    """Give the account whose key it is; empty for keys that do not say so."""
    if not _KEY.fullmatch(key):
        return ""
    number = int.from_bytes(base64.b32decode(key[4:])[:6])
    return f"{(number & _MASK) >> 7:012d}"


def disagreement(signed: Signature, endpoint: Endpoint) -> str:
    """Why a request is not for the host that it is sent to; empty where it is, or where it does not say."""
    if signed.service and signed.service not in endpoint.signing:
        return f"it is signed for '{signed.service}', which is not what this host serves"
    if signed.region and endpoint.region and signed.region != endpoint.region:
        return f"it is signed for '{signed.region}', and sent to '{endpoint.region}'"
    return ""
