"""The certificate authority of one gate, good for one level of leaves: `run` makes one in memory, `keep` keeps one on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from datetime import datetime

CA_LIFE = timedelta(days=30)
"""Longer than any run, shorter than anybody's patience with a key that leaked."""
BACKDATED = timedelta(hours=1)
"""A client whose clock runs behind ours still accepts what we just made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A server certificate for exactly one name, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """Key and certificate, as `ssl.SSLContext.load_cert_chain` wants them."""
        return _key_pem(self.key) + _pem(self.certificate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A CA: certificate and private key. Only `pem` is meant to be handed on."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """The certificate alone: what clients are told to trust."""
        return _pem(self.certificate)

    @property
    def private_pem(self) -> bytes:
        """Certificate and key. For `keep` alone: whoever has these is believed by every agent."""
        return self.pem + _key_pem(self.key)

    @classmethod
    def from_pem(cls, pem: bytes) -> Authority:
        """Read what `private_pem` gave. Raises ValueError where it is not a CA and the key of that very CA."""
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise ValueError("holds no certificate with its key") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("holds a certificate and another one's key")
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except x509.ExtensionNotFound:
            constraints = x509.BasicConstraints(ca=False, path_length=None)
        if not constraints.ca:
            raise ValueError("holds a certificate that is no CA's")
        return cls(certificate=certificate, key=key)

    def leaf(self, name: str, now: datetime) -> Leaf:
        """Mint a server certificate for one DNS name or IP address, good until the CA ends."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _begun(self.certificate.subject, now, self.certificate.not_valid_after_utc)
            .subject_name(x509.Name([]))  # a name of more than 64 characters doesn't fit there; the SAN is what counts
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([_general_name(name)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(self._issuer_id(), critical=False)
        )
        return Leaf(certificate=builder.sign(self.key, hashes.SHA256()), key=key)

    def _issuer_id(self) -> x509.AuthorityKeyIdentifier:
        ours = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ours)


def fingerprint(certificate: x509.Certificate) -> str:
    """The SHA-256 of a certificate, in hexadecimal, as openssl and browsers show it."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def make_authority(now: datetime, life: timedelta = CA_LIFE) -> Authority:
    """Make a new CA: EC P-256, and what VERIFY_X509_STRICT (Python 3.13's default) asks of an issuer.

    Critical basicConstraints with path length 0 (RFC 5280, 4.2.1.9: it issues leaves, never another CA), critical
    keyUsage (4.2.1.3), subjectKeyIdentifier (4.2.1.2). The name carries the key's id: two gates are never mixed up.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Outgate"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Outgate CA {identifier.digest.hex()[:12]}"),
        ]
    )
    builder = (
        _begun(name, now, now + life)
        .subject_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    return Authority(certificate=builder.sign(key, hashes.SHA256()), key=key)


def _begun(issuer: x509.Name, now: datetime, end: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(end)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
