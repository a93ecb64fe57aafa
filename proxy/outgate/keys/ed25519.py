"""Ed25519 keys as C2SP signed-note has them: a name, four bytes of id, and `vkey` text to hand to others."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from outgate.errors import EvidenceError

_ALGORITHM = b"\x01"
"""C2SP signed-note, signature types: Ed25519."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyKey:
    """What checks signatures. `name` is signed along with nothing: two names of one key are two keys to a reader of notes."""

    name: str
    raw: bytes

    def __post_init__(self) -> None:
        if not self.name or any(c.isspace() or c == "+" for c in self.name):
            raise EvidenceError(f"key name {self.name!r}: must not be empty, nor hold spaces or '+'")
        if len(self.raw) != 32:
            raise EvidenceError(f"an Ed25519 public key has 32 bytes, not {len(self.raw)}")

    @property
    def id(self) -> bytes:
        """Four bytes that find the right key, and prove nothing (C2SP signed-note)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ALGORITHM + self.raw).digest()[:4]

    @property
    def vkey(self) -> str:
        """`<name>+<id, hex>+<base64>`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ALGORITHM + self.raw).decode()}"

    def pem(self) -> bytes:
        """SubjectPublicKeyInfo: what openssl reads."""
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made the signature over exactly these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """What signs. Never printed."""

    public: VerifyKey
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Make the key of 32 random bytes."""
        return cls._of(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """Read PKCS #8, unencrypted. Raises EvidenceError for anything else."""
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise EvidenceError("not an unencrypted private key in PEM") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise EvidenceError("not an Ed25519 key")
        return cls._of(private)

    def pem(self) -> bytes:
        """PKCS #8, unencrypted: for a file that its owner alone can read."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """64 bytes, the same for the same message (RFC 8032)."""
        return self._private.sign(message)

    @classmethod
    def _of(cls, private: Ed25519PrivateKey) -> SigningKey:
        raw = private.public_key().public_bytes_raw()
        name = "outgate/" + hashlib.sha256(raw).hexdigest()[:8]
        return cls(public=VerifyKey(name=name, raw=raw), _private=private)


def parse_vkey(text: str) -> VerifyKey:
    """Read `<name>+<id>+<base64>`. Raises EvidenceError where a part is wrong, the id included."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise EvidenceError("a verifier key reads <name>+<id>+<base64>")
    name, key_id, encoded = parts
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise EvidenceError("a verifier key ends in base64") from error
    if data[:1] != _ALGORITHM:
        raise EvidenceError("not an Ed25519 verifier key")
    key = VerifyKey(name=name, raw=data[1:])
    if key.vkey != text.strip() or key.id.hex() != key_id:
        raise EvidenceError(f"verifier key {name}: its id is not that of the key, one of them was changed")
    return key
