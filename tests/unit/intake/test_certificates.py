"""outgate.intake.certificates"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from outgate.digest import sha256
from outgate.intake.certificates import mark_of, shown_of

BEGINS = datetime(2030, 1, 1, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*names, key=KEY):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mailer")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(BEGINS).not_valid_after(ENDS)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256())


def test_its_key_and_its_alternative_names_are_what_it_is_known_by():
    spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    names = (
        x509.UniformResourceIdentifier("spiffe://acme.example/mailer"),
        x509.DNSName("Mailer.Example"),
        x509.RFC822Name("a@b.c"),
    )
    assert shown_of(certificate(*names)).marks == {sha256(spki), "uri:spiffe://acme.example/mailer", "dns:mailer.example"}
    assert shown_of(certificate()).marks == {sha256(spki)}


def test_renewed_with_the_same_key_it_is_known_by_the_same():
    assert shown_of(certificate()).marks == shown_of(certificate()).marks
    assert shown_of(certificate(key=ec.generate_private_key(ec.SECP256R1()))).marks.isdisjoint(shown_of(certificate()).marks)


@pytest.mark.parametrize(
    ("now", "holds"),
    [(BEGINS - timedelta(seconds=1), False), (BEGINS, True), (ENDS, True), (ENDS + timedelta(seconds=1), False)],
)
def test_it_holds_from_its_first_moment_to_its_last(now, holds):
    assert shown_of(certificate()).holds(now) is holds


@pytest.mark.parametrize("text", ["sha256:" + "0" * 64, "uri:spiffe://acme.example/x", "dns:a.example", "dns:*.example"])
def test_a_mark_is_read_as_it_is_written(text):
    assert mark_of(text) == text


@pytest.mark.parametrize("text", ["", "sha256:0", "cn:x", "uri:a b", "dns:A.example", "dns:a\n"])
def test_what_is_no_mark_says_what_one_is(text):
    with pytest.raises(ValueError, match="sha256:"):
        mark_of(text)
