"""SSH keys and their signatures over files (OpenSSH's PROTOCOL.sshsig, PROTOCOL.u2f): parsed strictly, verified; no I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from outgate.errors import EvidenceError

SMALLEST_RSA = 2048
LARGEST_RSA = 16384
MOST_CHARACTERS = 16 * 1024
"""Of a key or an armored signature."""

_MAGIC = b"SSHSIG"
_ARMOR = re.compile(r"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]{1,76}\n)+)-----END SSH SIGNATURE-----\n")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_HASHES = {"sha512": hashlib.sha512, "sha256": hashlib.sha256}
_CURVES: dict[str, tuple[ec.EllipticCurve, SHA256 | SHA384 | SHA512]] = {
    "nistp256": (ec.SECP256R1(), SHA256()),
    "nistp384": (ec.SECP384R1(), SHA384()),
    "nistp521": (ec.SECP521R1(), SHA512()),
}
_ED25519, _RSA, _ECDSA = "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-"
_SK_ED25519, _SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
_RSA_HASHES: dict[str, SHA256 | SHA512] = {"rsa-sha2-256": SHA256(), "rsa-sha2-512": SHA512()}
KINDS = (_ED25519, _SK_ED25519, _SK_ECDSA, *(_ECDSA + curve for curve in _CURVES), _RSA)
"""What a person's key may be."""
_TOUCHED, _VERIFIED = 1, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key as OpenSSH writes it. `kind` is one of KINDS, `blob` what follows it, decoded."""

    kind: str
    blob: bytes
    _key: Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey = field(repr=False, compare=False)
    _application: bytes = field(default=b"", repr=False)

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` says it: `SHA256:…`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def is_hardware(self) -> bool:
        """Whether it is in a device that somebody has to touch."""
        return self.kind in {_SK_ED25519, _SK_ECDSA}

    def __str__(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSignature:
    """What an armored signature holds. Nothing of it is proven yet."""

    public: PublicKey
    namespace: str
    hash: str
    algorithm: str
    signature: bytes = field(repr=False)
    flags: int = 0
    counter: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a signature that holds says besides. `verified`: the device also asked for a PIN or a finger."""

    hardware: bool
    verified: bool = False


def verify(public: str, signature: str, message: bytes, *, namespace: str = "outgate") -> Proof:
    """Check that the owner of `public` signed exactly this. Raises EvidenceError that says which thing is wrong.

    1. The armor and all in it are in their one form, with nothing after.
    2. The namespace is the one that is asked for.
    3. The key in it is `public`, of a kind and size that we accept.
    4. A hardware key was touched.
    5. The signature holds over the message.
    """
    signed = parse_signature(signature)
    check_namespace(signed, namespace)
    if signed.public != parse_public(public):
        raise EvidenceError(f"the signature is by another key: {signed.public.fingerprint}")
    return check(signed, message)


def fingerprint(public: str) -> str:
    """Give `SHA256:…`, as `ssh-keygen -l` says it. Raises EvidenceError for what is no key of KINDS."""
    return parse_public(public).fingerprint


def is_hardware(public: str) -> bool:
    """Whether a key is in a device that has to be touched. Raises EvidenceError as `fingerprint` does."""
    return parse_public(public).is_hardware


def parse_public(text: str) -> PublicKey:
    """Read a public key: its kind, base64, perhaps a comment. Raises EvidenceError for what is none of KINDS, or too weak."""
    kind, _, rest = text[:MOST_CHARACTERS].strip().partition(" ")
    encoded = rest.partition(" ")[0]
    if kind not in KINDS:
        raise EvidenceError(f"a key of kind {kind[:40]!r} is not accepted, use one of {', '.join(KINDS)}")
    public = _public(_base64(encoded, "a public key"))
    if public.kind != kind:
        raise EvidenceError(f"the key says {kind} and is {public.kind}")
    return public


def parse_signature(text: str) -> SshSignature:
    """Read an armored signature. Raises EvidenceError for anything but its one form: see PROTOCOL.sshsig, version 1."""
    armored = _ARMOR.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
    if armored is None:
        raise EvidenceError("not an armored SSH signature, make one with ssh-keygen -Y sign")
    wire = _Wire(_base64(armored[1].replace("\n", ""), "an SSH signature"))
    if wire.take(len(_MAGIC)) != _MAGIC or wire.number() != 1:
        raise EvidenceError("not an SSH signature of version 1")
    public, namespace, reserved, algorithm = _public(wire.string()), wire.text(), wire.string(), wire.text()
    inner = _Wire(wire.string())
    wire.end()
    if reserved or algorithm not in _HASHES:
        raise EvidenceError("an SSH signature hashes with sha256 or sha512, and has nothing in its reserved field")
    made, signature = inner.text(), inner.string()
    flags, counter = (inner.byte(), inner.number()) if public.is_hardware else (0, 0)
    inner.end()
    return SshSignature(
        public=public, namespace=namespace, hash=algorithm, algorithm=made, signature=signature, flags=flags, counter=counter
    )


def check_namespace(signed: SshSignature, namespace: str) -> None:
    """Raise EvidenceError where a signature was made for something else."""
    if signed.namespace != namespace:
        raise EvidenceError(f"the signature is for {signed.namespace[:64]!r}, not for {namespace!r}: sign with -n {namespace}")


def check(signed: SshSignature, message: bytes) -> Proof:
    """Check a signature over a message by the key that it names, whosever that is. Raises EvidenceError."""
    if signed.public.is_hardware and not signed.flags & _TOUCHED:
        raise EvidenceError("the hardware key signed without being touched")
    try:
        _check(signed, to_be_signed(signed.namespace, signed.hash, message))
    except (InvalidSignature, ValueError) as error:
        raise EvidenceError("the signature does not hold: it is over something else, or was changed") from error
    return Proof(hardware=signed.public.is_hardware, verified=bool(signed.flags & _VERIFIED))


def to_be_signed(namespace: str, algorithm: str, message: bytes) -> bytes:
    """What a key signs for a message (PROTOCOL.sshsig, section 3)."""
    digest = _HASHES[algorithm](message).digest()
    return _MAGIC + b"".join(map(packed, (namespace.encode(), b"", algorithm.encode(), digest)))


def armored(*, public: bytes, namespace: str, algorithm: str, signature: bytes) -> str:
    """Write a signature as ssh-keygen does. `public` and `signature` are blobs in SSH's own encoding."""
    parts = (public, namespace.encode(), b"", algorithm.encode(), signature)
    text = base64.b64encode(_MAGIC + (1).to_bytes(4) + b"".join(map(packed, parts))).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def packed(value: bytes) -> bytes:
    """A string as SSH writes it (RFC 4251, section 5)."""
    return len(value).to_bytes(4) + value


def _check(signed: SshSignature, message: bytes) -> None:
    """Raise InvalidSignature or ValueError."""
    public, key = signed.public, signed.public._key  # noqa: SLF001  # of this module
    if public.is_hardware:  # PROTOCOL.u2f, "SSH U2F Signatures"
        told = bytes([signed.flags]) + signed.counter.to_bytes(4)
        message = hashlib.sha256(public._application).digest() + told + hashlib.sha256(message).digest()  # noqa: SLF001
    match key:
        case Ed25519PublicKey():
            _same(signed.algorithm, public.kind)
            key.verify(signed.signature, message)
        case ec.EllipticCurvePublicKey():
            _same(signed.algorithm, public.kind)
            key.verify(_dss(signed.signature), message, ec.ECDSA(_hash_of(key)))
        case rsa.RSAPublicKey():
            if signed.algorithm not in _RSA_HASHES or len(signed.signature) != (key.key_size + 7) // 8:
                raise ValueError("RSA signs with SHA-2, and as long as its modulus")
            key.verify(signed.signature, message, padding.PKCS1v15(), _RSA_HASHES[signed.algorithm])


def _same(algorithm: str, kind: str) -> None:
    if algorithm != kind:
        raise ValueError("the signature is of another kind than its key")


def _hash_of(key: ec.EllipticCurvePublicKey) -> SHA256 | SHA384 | SHA512:
    return next(hashed for curve, hashed in _CURVES.values() if curve.name == key.curve.name)


def _dss(signature: bytes) -> bytes:
    """Two whole numbers (RFC 5656, section 3.1.2), as DER."""
    wire = _Wire(signature)
    r, s = wire.integer(), wire.integer()
    wire.end()
    return encode_dss_signature(r, s)


def _public(blob: bytes) -> PublicKey:
    """Read a key blob. Raises EvidenceError."""
    wire = _Wire(blob)
    kind = wire.text()
    try:
        key, application = _key(kind, wire)
    except ValueError as error:
        raise EvidenceError(f"not a key of kind {kind[:40]!r}") from error
    wire.end()
    return PublicKey(kind=kind, blob=blob, _key=key, _application=application)


def _key(kind: str, wire: _Wire) -> tuple[Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey, bytes]:
    """The key, and of one in a device the application that it was made for."""
    if kind == _ED25519:
        return Ed25519PublicKey.from_public_bytes(wire.string()), b""
    if kind == _SK_ED25519:
        return Ed25519PublicKey.from_public_bytes(wire.string()), wire.string()
    if kind == _SK_ECDSA:
        return _point("nistp256", wire), wire.string()
    if kind == _RSA:
        return _rsa(wire), b""
    if kind in KINDS:
        return _point(kind.removeprefix(_ECDSA), wire), b""
    raise EvidenceError(f"a key of kind {kind[:40]!r} is not accepted, use one of {', '.join(KINDS)}")


def _point(curve: str, wire: _Wire) -> ec.EllipticCurvePublicKey:
    named, point = wire.text(), wire.string()
    if named != curve or point[:1] != b"\x04":
        raise ValueError("a point of that curve, uncompressed (RFC 5656, section 3.1)")
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve][0], point)


def _rsa(wire: _Wire) -> rsa.RSAPublicKey:
    e, n = wire.integer(), wire.integer()
    if not SMALLEST_RSA <= n.bit_length() <= LARGEST_RSA:
        raise EvidenceError(f"an RSA key of {n.bit_length()} bits is not accepted: {SMALLEST_RSA} to {LARGEST_RSA}")
    return rsa.RSAPublicNumbers(e, n).public_key()


def _base64(text: str, what: str) -> bytes:
    """Decode base64 that has one form only: no other text gives the same bytes."""
    try:
        blob = base64.b64decode(text, validate=True) if _BASE64.fullmatch(text) else b""
    except binascii.Error:
        blob = b""
    if not blob or base64.b64encode(blob).decode() != text:
        raise EvidenceError(f"{what} is not whole: its base64 is wrong")
    return blob


class _Wire:
    """Reads SSH's encoding (RFC 4251, section 5). Raises EvidenceError where there is less than it says, or more."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, count: int) -> bytes:
        found = self._content[self._at : self._at + count]
        self._at += count
        if len(found) != count:
            raise EvidenceError("it ends before it is whole")
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(4))

    def string(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        found = self.string()
        if not (found.isascii() and found.decode("ascii").isprintable()):
            raise EvidenceError("a name in it is not printable")
        return found.decode("ascii")

    def integer(self) -> int:
        """Not negative, in its shortest form."""
        found = self.string()
        value = int.from_bytes(found)
        if not found or found[0] & 0x80 or value.bit_length() // 8 + 1 != len(found):
            raise EvidenceError("a number in it is not in its shortest form")
        return value

    def end(self) -> None:
        if self._at != len(self._content):
            raise EvidenceError("something follows where it ends")
