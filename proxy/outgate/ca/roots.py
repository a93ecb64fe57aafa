"""Certificates that others vouch for: what is in a PEM file, and where this system keeps its own."""

from __future__ import annotations

import re
import ssl
import warnings
from functools import lru_cache
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, NixOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)


def certificates(pem: bytes) -> list[x509.Certificate]:
    """Every certificate in these PEM blocks, once each, in order. A block that holds no certificate is no root."""
    found: dict[bytes, x509.Certificate] = {}
    for block in dict.fromkeys(BLOCK.findall(pem)):
        certificate = _certificate(block)
        if certificate is not None:
            found.setdefault(certificate.public_bytes(Encoding.DER), certificate)
    return list(found.values())


def pem_blocks(pem: bytes) -> frozenset[bytes]:
    """The blocks as they stand: enough to see that one file has what another has."""
    return frozenset(b"".join(block.split()) for block in BLOCK.findall(pem))


@lru_cache(maxsize=1024)  # several variables name the same few files, and several parts of a start read them
def _certificate(block: bytes) -> x509.Certificate | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # old roots with odd serial numbers are still roots
        try:
            return x509.load_pem_x509_certificate(block)
        except ValueError:
            return None


def public_roots() -> tuple[bytes, ...]:
    """This system's bundle, if it has one, and certifi's: a file that this process may read, read now."""
    default = ssl.get_default_verify_paths().openssl_cafile
    bundle = next((path for path in map(Path, (*SYSTEM_BUNDLES, default)) if path.is_file()), None)
    return (*((bundle.read_bytes(),) if bundle else ()), Path(certifi.where()).read_bytes())


def read_pem(path: str) -> bytes:
    """A PEM file's bytes; of a folder, all its files'. Raises OSError."""
    place = Path(path)
    if not place.is_dir():
        return place.read_bytes()
    return b"\n".join(file.read_bytes() for file in sorted(place.iterdir()) if file.is_file())
