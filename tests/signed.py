"""People who can sign: real keys, and signatures as `ssh-keygen -Y sign` makes them, made here because that is faster."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from outgate.approvals.approval import Approval, Vote
from outgate.approvals.statement import to_sign
from outgate.keys.people import People, Person
from outgate.keys.ssh import fingerprint

if TYPE_CHECKING:
    from datetime import datetime

NAMESPACE = b"outgate"


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


@dataclass(frozen=True)
class Signer:
    """One person with one Ed25519 key. The same name is always the same key."""

    name: str

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(self.name.encode()).digest())

    @property
    def _blob(self) -> bytes:
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _string(b"ssh-ed25519") + _string(raw)

    @property
    def public(self) -> str:
        return "ssh-ed25519 " + base64.b64encode(self._blob).decode()

    def person(self, *groups: str) -> Person:
        return Person(name=self.name, groups=frozenset(groups), keys=(self.public,))

    def sign(self, message: bytes, namespace: bytes = NAMESPACE) -> str:
        """PROTOCOL.sshsig: what is signed, and the armor around it."""
        hashed = hashlib.sha512(message).digest()
        over = b"SSHSIG" + _string(namespace) + _string(b"") + _string(b"sha512") + _string(hashed)
        signature = _string(b"ssh-ed25519") + _string(self._key.sign(over))
        whole = b"SSHSIG" + struct.pack(">I", 1) + _string(self._blob) + _string(namespace) + _string(b"")
        text = base64.b64encode(whole + _string(b"sha512") + _string(signature)).decode()
        lines = [text[at : at + 70] for at in range(0, len(text), 70)]
        return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])

    def vote(self, approval: Approval, at: datetime, *, deny: bool = False, why: str = "") -> Vote:
        signature = self.sign(to_sign(approval, deny=deny))
        return Vote(person=self.name, deny=deny, why=why, key=fingerprint(self.public), signature=signature, at=at)


def people(*signers: Signer, group: str = "ops") -> People:
    return People(by_name={signer.name: signer.person(group) for signer in signers}, digest="sha256:" + "0" * 64)
