"""Keys and SSH signatures for tests, made in software: also those that only a device makes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from outgate.keys.ssh import PublicKey, armored, packed, parse_public, to_be_signed

SK = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"


def integer(value: int) -> bytes:
    return packed(value.to_bytes(value.bit_length() // 8 + 1))


@dataclass(frozen=True)
class Signer:
    """Signs as OpenSSH does. `seed` makes the key; `kind` one of ssh.KINDS."""

    seed: str
    kind: str = "ssh-ed25519"
    flags: int = 1
    application: bytes = b"ssh:"
    key: object = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _key(self.seed, self.kind))

    @property
    def blob(self) -> bytes:
        match self.kind:
            case "ssh-rsa":
                numbers = self.key.public_key().public_numbers()
                inner = integer(numbers.e) + integer(numbers.n)
            case "ssh-ed25519" | "sk-ssh-ed25519@openssh.com":
                inner = packed(self.key.public_key().public_bytes_raw())
            case _:
                curve = f"nistp{self.key.curve.key_size}".encode()
                point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
                inner = packed(curve) + packed(point)
        return packed(self.kind.encode()) + inner + (packed(self.application) if self.kind.startswith("sk-") else b"")

    @property
    def public(self) -> str:
        import base64

        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def parsed(self) -> PublicKey:
        return parse_public(self.public)

    @property
    def fingerprint(self) -> str:
        return self.parsed.fingerprint

    def sign(self, message: bytes, *, namespace: str = "outgate", algorithm: str = "sha512") -> str:
        told = to_be_signed(namespace, algorithm, message)
        if self.kind.startswith("sk-"):
            told = (
                hashlib.sha256(self.application).digest() + bytes([self.flags]) + (7).to_bytes(4) + hashlib.sha256(told).digest()
            )
        name, raw = self._raw(told)
        inner = (
            packed(name.encode()) + packed(raw) + (bytes([self.flags]) + (7).to_bytes(4) if self.kind.startswith("sk-") else b"")
        )
        return armored(public=self.blob, namespace=namespace, algorithm=algorithm, signature=inner)

    def _raw(self, told: bytes) -> tuple[str, bytes]:
        match self.key:
            case Ed25519PrivateKey():
                return self.kind, self.key.sign(told)
            case rsa.RSAPrivateKey():
                return "rsa-sha2-512", self.key.sign(told, padding.PKCS1v15(), SHA512())
            case ec.EllipticCurvePrivateKey():
                hashed = {256: SHA256, 384: SHA384, 521: SHA512}[self.key.curve.key_size]()
                r, s = decode_dss_signature(self.key.sign(told, ec.ECDSA(hashed)))
                return self.kind, integer(r) + integer(s)


@cache
def _key(seed: str, kind: str) -> object:
    number = hashlib.sha256(seed.encode()).digest()
    match kind:
        case "ssh-rsa":
            return rsa.generate_private_key(65537, int(seed) if seed.isdigit() else 2048)
        case "ssh-ed25519" | "sk-ssh-ed25519@openssh.com":
            return Ed25519PrivateKey.from_private_bytes(number)
        case "ecdsa-sha2-nistp384":
            return ec.derive_private_key(int.from_bytes(number), ec.SECP384R1())
        case "ecdsa-sha2-nistp521":
            return ec.derive_private_key(int.from_bytes(number), ec.SECP521R1())
        case _:
            return ec.derive_private_key(int.from_bytes(number) >> 1, ec.SECP256R1())
