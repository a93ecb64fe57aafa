"""A leaf of our CA is accepted by clients that check everything."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from mitmproxy import certs

from outgate.ca.authority import Authority, make_authority

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority(NOW)


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str | None:
    """Both ends in memory. Gives the version agreed, or raises what the client found wrong."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    done = set()
    while len(done) < 2:
        for end in (here, there):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
    return here.version()


def strict(pem: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pem.decode())
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    return context


def server(tmp_path: Path, pem: bytes) -> ssl.SSLContext:
    file = tmp_path / "leaf.pem"
    file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_leaf_that_mitmproxy_mints_is_accepted_by_a_strict_client(authority, tmp_path):
    leaf = certs.dummy_cert(authority.key, authority.certificate, "api.example.test", [x509.DNSName("api.example.test")])
    key = authority.leaf("unused.test", NOW).pem  # for its PEM form only
    assert b"PRIVATE KEY" in key
    from cryptography.hazmat.primitives import serialization

    pem = leaf.to_pem() + authority.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert shake(server(tmp_path, pem), strict(authority.pem), "api.example.test") == "TLSv1.3"


def test_a_leaf_of_our_own_is_accepted_by_a_strict_client(authority, tmp_path):
    context = server(tmp_path, authority.leaf("api.example.test", NOW).pem)
    assert shake(context, strict(authority.pem), "api.example.test") == "TLSv1.3"


def test_a_leaf_for_an_address_is_accepted_for_that_address(authority, tmp_path):
    context = server(tmp_path, authority.leaf("192.0.2.7", NOW).pem)
    assert shake(context, strict(authority.pem), "192.0.2.7") == "TLSv1.3"


def test_a_leaf_for_another_name_is_refused(authority, tmp_path):
    context = server(tmp_path, authority.leaf("api.example.test", NOW).pem)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake(context, strict(authority.pem), "other.example.test")


def test_a_leaf_of_another_gates_ca_is_refused(authority, tmp_path):
    context = server(tmp_path, make_authority(NOW).leaf("api.example.test", NOW).pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(context, strict(authority.pem), "api.example.test")


def test_the_ca_may_issue_leaves_and_no_other_ca(authority):
    basic = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)


def test_the_cas_key_may_sign_certificates_and_revocations_alone(authority):
    usage = authority.certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (True, True, False)


def test_a_leaf_names_its_issuer_by_the_cas_key_id(authority):
    leaf = authority.leaf("a.test", NOW).certificate
    ours = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    said = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert said == ours


def test_a_ca_lives_as_long_as_it_is_told_to():
    certificate = make_authority(NOW, life=timedelta(days=2)).certificate
    assert certificate.not_valid_after_utc == NOW.replace(microsecond=0) + timedelta(days=2)


def test_two_gates_have_cas_of_different_names():
    assert make_authority(NOW).certificate.subject != make_authority(NOW).certificate.subject


def test_what_is_handed_on_and_what_is_printed_never_hold_the_key(authority):
    assert b"PRIVATE" not in authority.pem
    assert "key" not in repr(authority)
    assert "key" not in repr(authority.leaf("a.test", NOW))
