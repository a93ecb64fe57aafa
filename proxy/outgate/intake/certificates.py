"""Client certificates as identity: the marks by which an agent is known, and what one that was shown has of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from outgate.digest import sha256

if TYPE_CHECKING:
    from datetime import datetime

_MARK: Final = re.compile(r"sha256:[0-9a-f]{64}|uri:[!-~]{1,500}|dns:[a-z0-9_*.-]{1,253}")
_FORMS: Final = "sha256: and the digest of its public key, uri: or dns: and a name in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A certificate that was shown, and whose key is its client's. `marks` are all that somebody may be known by."""

    marks: frozenset[str]
    begins: datetime
    ends: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it is valid now. Its chain was judged when the session began, which may be hours ago."""
        return self.begins <= now <= self.ends


def mark_of(text: str) -> str:
    """Read a mark as an operator writes it. Raises ValueError with a sentence."""
    if not _MARK.fullmatch(text):
        raise ValueError(f"A client certificate is named by {_FORMS}.")
    return text


def shown_of(certificate: x509.Certificate) -> Shown:
    """Give what a certificate says of its owner.

    The digest is that of its SubjectPublicKeyInfo (as RFC 7469 pins it): it stays when the certificate is renewed with the same
    key. Names are those of its subjectAltName; a common name is not one.
    """
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    names = _names(certificate)
    return Shown(
        marks=frozenset({sha256(spki), *names}), begins=certificate.not_valid_before_utc, ends=certificate.not_valid_after_utc
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    uris = (f"uri:{one}" for one in said.get_values_for_type(x509.UniformResourceIdentifier))
    hosts = (f"dns:{one.lower()}" for one in said.get_values_for_type(x509.DNSName))
    return (*uris, *hosts)
