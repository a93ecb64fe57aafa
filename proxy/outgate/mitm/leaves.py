"""Leaves: a certificate for exactly one name, minted when somebody asks for that name."""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_LIFE: Final = timedelta(days=30)
_SLACK: Final = timedelta(days=1)


class Authority(Protocol):
    """Our CA, in memory: what the agent trusts is signed with it."""

    @property
    def key(self) -> ec.EllipticCurvePrivateKey: ...
    @property
    def certificate(self) -> x509.Certificate: ...


def leaf_name(sni: str | None, host: str) -> str | None:
    """Give the one name for a leaf: what the client asks for in TLS, else where its tunnel leads. None: neither is one."""
    for text in (sni, host.strip("[]")):
        name = (text or "").lower().removesuffix(".")
        if address_of(name) or _NAME.fullmatch(name):
            return name
    return None


class Leaves:
    """Certificates, minted when a name is first asked for. Asks nobody, and knows none but its own authority."""

    def __init__(self, authority: Authority, *, cap: int = 5000) -> None:
        self._authority = authority
        self._cap = cap
        self._minted: OrderedDict[str, x509.Certificate] = OrderedDict()
        self.key = ec.generate_private_key(ec.SECP256R1())

    def get(self, name: str) -> x509.Certificate:
        """Give a certificate that is good for some time yet."""
        now = datetime.now(UTC)
        found = self._minted.get(name)
        if found is None or found.not_valid_after_utc < now + _LIFE / 2:
            found = self._minted[name] = self._mint(name, now)
            if len(self._minted) > self._cap:
                self._minted.popitem(last=False)
        self._minted.move_to_end(name)
        return found

    def _mint(self, name: str, now: datetime) -> x509.Certificate:
        ca = self._authority.certificate
        address = address_of(name)
        common = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if len(name) <= 64 else []
        identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(common))
            .issuer_name(ca.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - _SLACK, ca.not_valid_before_utc))
            .not_valid_after(min(now + _LIFE, ca.not_valid_after_utc))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(address) if address else x509.DNSName(name)]), critical=not common
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_for_signatures(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        return builder.sign(self._authority.key, hashes.SHA256())


def address_of(name: str) -> IPv4Address | IPv6Address | None:
    """Give the address that a name is, if it is one."""
    try:
        return ip_address(name)
    except ValueError:
        return None


def _for_signatures() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
