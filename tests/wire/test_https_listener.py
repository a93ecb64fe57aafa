"""A listener that speaks TLS: what it shows of itself, and who is known by a client certificate."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from wire.clients import Wire
from wire.gateway import AGENT

from outgate.ca.authority import make_authority
from outgate.errors import ConfigError
from outgate.intake.agents import Agent
from outgate.intake.certificates import shown_of
from outgate.intake.credentials import Agents, Enrolled, new_token, token_digest
from outgate.intake.listening import Secured
from outgate.mitm import doors

NAMES = ("localhost", "127.0.0.1", "::1")
TOKENS = {name: new_token(name.encode().ljust(32, b"\x03")) for name in ("mailer", "payer")}


@dataclass
class Issued:
    """A client's certificate and key, in one file."""

    file: str
    certificate: x509.Certificate

    @property
    def mark(self) -> str:
        return next(mark for mark in shown_of(self.certificate).marks if mark.startswith("sha256:"))


class Issuer:
    """Whose certificates agents have: an operator's CA, made for a test."""

    def __init__(self, folder, name="agents"):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(name, self.key.public_key(), ca=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(self, name, *, ends=timedelta(days=1), uri="", dns="", for_servers=False, key=None):
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key.public_key(), ends=ends, uri=uri, dns=dns, for_servers=for_servers)
        file = self.folder / f"{self.name}-{os.urandom(8).hex()}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
        return Issued(str(file), certificate)

    def _signed(self, name, key, *, ca=False, ends=timedelta(days=1), uri="", dns="", for_servers=False):
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if ca else self.certificate.subject
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=2))
        builder = builder.not_valid_after(now + ends).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        names = [*([x509.UniformResourceIdentifier(uri)] if uri else []), *([x509.DNSName(dns)] if dns else [])]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if for_servers:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture
def issuer(tmp_path):
    return Issuer(tmp_path)


@pytest.fixture
async def fleet(gateway, issuer, monkeypatch):
    """A gate of two agents, one known by certificate and token, one by its certificate's name."""
    monkeypatch.setattr(doors.Slowing, "failed", lambda *_: 0.0)
    gateway.mailer = issuer.issue("mailer")
    gateway.payer = issuer.issue("payer", uri="spiffe://acme.example/payer")
    by_name = {
        "mailer": enrolled("mailer", gateway.mailer.mark),
        "payer": enrolled("payer", "uri:spiffe://acme.example/payer"),
    }
    gateway.engine.adopt(Agents(by_name=by_name))
    await listen(gateway, None, client_ca=str(issuer.file))
    return gateway


def enrolled(name, *marks):
    return Enrolled(agent=Agent(id=name), token=token_digest(TOKENS[name]), certificates=frozenset(marks))


async def listen(gateway, door, names=NAMES, **said):
    gateway.port = await gateway.engine.listen("127.0.0.1", 0, door, "https", Secured(names=names, **said))


async def come_in(gateway, issued=None, *, name="localhost", authority=None, alpn=("http/1.1",)):
    context = gateway.context(*alpn) if authority is None else ssl.create_default_context(cadata=authority.decode())
    if issued is not None:
        context.load_cert_chain(issued.file)
    wire = await Wire.to(gateway.port)
    await wire.tls(context, name)
    return wire


async def refused(gateway, issued=None):
    """Whether a client gets nothing but the end. In TLS 1.3 it may learn that only when it reads."""
    try:
        wire = await come_in(gateway, issued)
    except (ssl.SSLError, ConnectionError):
        return True
    try:
        await wire.send(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
    except ConnectionError:
        return True
    return await wire.rest() == b""


def proxy_authorization(name, token=None):
    shown = base64.b64encode(f"{name}:{token or TOKENS[name]}".encode()).decode()
    return f"Proxy-Authorization: Basic {shown}\r\n"


async def connect(wire, extra=""):
    await wire.send(f"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n{extra}\r\n")
    return await wire.answer(head=True) if extra == "HEAD" else await wire.head()


async def strangers(gateway):
    await gateway.engine.stop(timedelta())
    return [event["why"] for event in gateway.events("stranger")]


# what it shows of itself


@pytest.mark.parametrize("name", NAMES)
async def test_without_a_certificate_of_the_operators_it_shows_one_of_our_ca_for_each_of_its_names(gateway, name):
    await gateway.upstream()
    await listen(gateway, AGENT, names=(name,))
    wire = await come_in(gateway, name=name)
    (shown,) = wire.certificate["subjectAltName"]
    same = shown[1] if shown[0] == "DNS" else str(ipaddress.ip_address(shown[1]))
    assert same == name
    assert (await wire.tunnel("api.test", 443)).status == 200
    await wire.tls(gateway.context("http/1.1"), "api.test")
    await wire.request("GET", "/a", "api.test")
    assert (await wire.answer()).status == 200


async def test_a_name_that_is_not_its_own_is_not_shown(gateway):
    await listen(gateway, AGENT)
    with pytest.raises(ssl.SSLCertVerificationError):
        await come_in(gateway, name="bank.example")


async def test_another_ca_of_ours_signs_what_is_shown_from_then_on(gateway):
    await listen(gateway, AGENT)
    other = make_authority(datetime.now(UTC))
    gateway.engine.renew(other)
    await come_in(gateway, authority=other.pem)


async def test_the_operators_certificate_is_shown_and_read_again_when_it_was_renewed(gateway, tmp_path):
    ca, file = make_authority(datetime.now(UTC)), tmp_path / "gate.pem"
    file.write_bytes(ca.leaf("gate.example", datetime.now(UTC)).pem)
    await listen(gateway, AGENT, names=(), cert=str(file))
    await come_in(gateway, name="gate.example", authority=ca.pem)
    renewed = make_authority(datetime.now(UTC))
    file.write_bytes(renewed.leaf("gate.example", datetime.now(UTC)).pem)
    await come_in(gateway, name="gate.example", authority=renewed.pem)


async def test_a_renewed_certificate_that_is_none_changes_nothing_and_says_so(make, tmp_path):
    gateway = await make(expects_alarms=True)
    ca, file = make_authority(datetime.now(UTC)), tmp_path / "gate.pem"
    file.write_bytes(ca.leaf("gate.example", datetime.now(UTC)).pem)
    await listen(gateway, AGENT, names=(), cert=str(file))
    file.write_bytes(b"half a certi")
    await come_in(gateway, name="gate.example", authority=ca.pem)
    await come_in(gateway, name="gate.example", authority=ca.pem)
    assert [doing for _, doing in gateway.alarm.told] == ["reading a listener's certificate again"]


@pytest.mark.parametrize(
    "said", [{"cert": "missing.pem"}, {"client_ca": "missing.pem"}, {"cert": "empty.pem"}, {"client_ca": "empty.pem"}]
)
async def test_a_file_that_can_not_be_used_is_named_and_nothing_listens(gateway, tmp_path, said):
    (tmp_path / "empty.pem").write_bytes(b"")
    ((key, name),) = said.items()
    with pytest.raises(ConfigError, match=name):
        await listen(gateway, AGENT, **{key: str(tmp_path / name)})


async def test_a_key_that_is_not_the_certificates_is_refused(gateway, tmp_path):
    ca = make_authority(datetime.now(UTC))
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    one.write_bytes(ca.leaf("gate.example", datetime.now(UTC)).pem)
    other.write_bytes(make_authority(datetime.now(UTC)).leaf("gate.example", datetime.now(UTC)).pem)
    with pytest.raises(ConfigError):
        await listen(gateway, AGENT, cert=str(one), key=str(other))


async def test_http2_is_never_agreed_on_outside_of_tunnels(gateway):
    await gateway.upstream()
    await listen(gateway, AGENT)
    wire = await come_in(gateway, alpn=("h2", "http/1.1"))
    assert wire.alpn == "http/1.1"
    only = await come_in(gateway, alpn=("h2",))
    assert only.alpn is None
    await only.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert (await only.head()).status == 400


@pytest.mark.parametrize("data", [b"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n", b"\x05\x01\x00", b"SSH-2.0-x\r\n"])
async def test_what_is_not_tls_is_cut_off(gateway, data):
    upstream = await gateway.upstream("api.test", tls=False)
    await listen(gateway, None)
    wire = await Wire.to(gateway.port)
    await wire.send(data)
    assert b"HTTP/1" not in await wire.rest()
    assert len(await strangers(gateway)) == 1
    assert upstream.accepted == 0


async def test_who_only_looks_whether_somebody_listens_is_nothing_to_note(gateway):
    await listen(gateway, None)
    wire = await Wire.to(gateway.port)
    wire.writer.close()
    assert await strangers(gateway) == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_tls_is_not_spoken(gateway, version):
    await listen(gateway, AGENT)
    context = gateway.context()
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    context.set_ciphers("ALL:@SECLEVEL=0")
    wire = await Wire.to(gateway.port)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await wire.tls(context, "localhost")


async def test_who_never_finishes_its_handshake_is_dropped(make):
    from outgate.mitm.link import Limits

    gateway = await make(limits=Limits(stranger=timedelta(milliseconds=80)))
    await listen(gateway, AGENT)
    wire = await Wire.to(gateway.port)
    await wire.send(b"\x16\x03\x01\x02\x00\x01")
    assert await wire.rest() == b""


# who is known by a certificate


async def test_a_certificate_is_an_agent_by_its_key(fleet):
    upstream = await fleet.upstream()
    wire = await come_in(fleet, fleet.mailer)
    assert (await connect(wire)).status == 200
    await wire.tls(fleet.context("http/1.1"), "api.test")
    await wire.request("GET", "/a", "api.test")
    assert (await wire.answer()).status == 200
    assert [decision["agent"]["id"] for decision in fleet.decisions()] == ["mailer"]
    assert len(upstream.seen) == 1


async def test_a_certificate_is_an_agent_by_a_name_in_it(fleet):
    await fleet.upstream("api.test", tls=False)
    wire = await come_in(fleet, fleet.payer)
    for _ in range(2):
        await wire.request("GET", "http://api.test/a", "api.test")
        assert (await wire.answer()).status == 200
    assert {decision["agent"]["id"] for decision in fleet.decisions()} == {"payer"}


async def test_a_renewed_certificate_with_the_same_key_is_the_same_agent(fleet, issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    first = issuer.issue("x", key=key)
    fleet.engine.adopt(Agents(by_name={"mailer": enrolled("mailer", first.mark)}))
    assert (await connect(await come_in(fleet, issuer.issue("y", key=key)))).status == 200


async def test_without_a_certificate_nobody_comes_in_where_one_is_required(fleet):
    assert await refused(fleet)
    (why,) = await strangers(fleet)
    assert "certificate" in why


async def test_one_of_another_ca_is_refused(fleet, tmp_path):
    other = Issuer(tmp_path, "others")
    assert await refused(fleet, other.issue("mailer", uri="spiffe://acme.example/payer"))
    (why,) = await strangers(fleet)
    assert why.startswith("client certificate: ")


async def test_one_that_has_ended_is_refused(fleet, issuer):
    assert await refused(fleet, issuer.issue("payer", uri="spiffe://acme.example/payer", ends=timedelta(days=-1)))
    assert await strangers(fleet) == ["client certificate: certificate has expired"]


async def test_one_that_is_for_servers_is_refused(fleet, issuer):
    assert await refused(fleet, issuer.issue("payer", uri="spiffe://acme.example/payer", for_servers=True))
    assert len(await strangers(fleet)) == 1


async def test_one_that_is_nobodys_is_turned_away_and_told(fleet, issuer):
    upstream = await fleet.upstream()
    wire = await come_in(fleet, issuer.issue("somebody"))
    answer = await connect(wire)
    assert answer.status == 403
    assert await strangers(fleet) == ["unknown-certificate"]
    assert upstream.accepted == 0


async def test_one_that_is_two_agents_is_nobodys(fleet, issuer):
    both = issuer.issue("both", uri="spiffe://acme.example/payer", dns="mailer.example")
    by_name = {"mailer": enrolled("mailer", "dns:mailer.example"), "payer": enrolled("payer", "uri:spiffe://acme.example/payer")}
    fleet.engine.adopt(Agents(by_name=by_name))
    assert (await connect(await come_in(fleet, both))).status == 403
    assert await strangers(fleet) == ["unknown-certificate"]


async def test_a_common_name_is_no_name(fleet, issuer):
    assert (await connect(await come_in(fleet, issuer.issue("spiffe://acme.example/payer")))).status == 403
    assert await strangers(fleet) == ["unknown-certificate"]


async def test_a_name_and_a_token_that_are_shown_too_must_be_the_same_agents(fleet):
    await fleet.upstream()
    assert (await connect(await come_in(fleet, fleet.mailer), proxy_authorization("mailer"))).status == 200
    assert (await connect(await come_in(fleet, fleet.mailer), proxy_authorization("payer"))).status == 407
    assert (await connect(await come_in(fleet, fleet.mailer), proxy_authorization("mailer", TOKENS["payer"]))).status == 407
    assert await strangers(fleet) == ["another-identity", "wrong-token"]


async def test_where_it_is_not_required_a_token_does_too_and_neither_does_not(fleet, issuer):
    await listen(fleet, None, client_ca=str(issuer.file), require_client_cert=False)
    assert (await connect(await come_in(fleet), proxy_authorization("payer"))).status == 200
    assert (await connect(await come_in(fleet))).status == 407
    assert (await connect(await come_in(fleet, fleet.mailer))).status == 200
    assert (await connect(await come_in(fleet, issuer.issue("somebody")), proxy_authorization("payer"))).status == 403
    assert sorted(await strangers(fleet)) == ["no-credentials", "unknown-certificate"]


@pytest.mark.parametrize("door", ["mailer", Agent(id="mailer")])
async def test_a_listener_of_ones_own_takes_its_own_certificate_and_no_others(fleet, issuer, door):
    await listen(fleet, door, client_ca=str(issuer.file))
    assert (await connect(await come_in(fleet, fleet.mailer))).status == 200
    assert (await connect(await come_in(fleet, fleet.payer))).status == 407
    assert await strangers(fleet) == ["another-identity"]


async def test_a_revoked_agents_connection_ends_and_its_certificate_is_no_longer_enough(fleet):
    wire = await come_in(fleet, fleet.mailer)
    assert (await connect(wire)).status == 200
    fleet.engine.adopt(
        Agents(by_name={"mailer": Enrolled(agent=Agent(id="mailer"), certificates=frozenset({fleet.mailer.mark}), revoked=True)})
    )
    assert await wire.rest() == b""
    assert (await connect(await come_in(fleet, fleet.mailer))).status == 403
    assert await strangers(fleet) == ["revoked"]


async def test_who_has_another_certificate_now_is_dropped(fleet):
    wire = await come_in(fleet, fleet.mailer)
    assert (await connect(wire)).status == 200
    fleet.engine.adopt(Agents(by_name={"mailer": enrolled("mailer", "dns:other.example")}))
    assert await wire.rest() == b""


# sessions


def _openssl(gateway, issued, session=None, *, version):
    """One connection by OpenSSL itself, which may take up a session: whether it did, what CONNECT is answered, and the session."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if issued is not None:
        context.use_certificate_chain_file(issued.file)
        context.use_privatekey_file(issued.file)
    sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    sock.setblocking(True)
    tls = SSL.Connection(context, sock)
    if session is not None:
        tls.set_session(session)
    tls.set_connect_state()
    try:
        tls.do_handshake()
        tls.sendall(b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n")
        said = tls.recv(4096)
        session = tls.get_session()
        tls.shutdown()  # else OpenSSL thinks ill of the session
        return bool(SSL._lib.SSL_session_reused(tls._ssl)), int(said.split(b" ")[1]), session
    except SSL.Error:
        return False, 0, None
    finally:
        sock.close()


VERSIONS = [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_session_is_taken_up_as_the_agent_that_began_it(fleet, version):
    def twice():
        _, first, session = _openssl(fleet, fleet.mailer, version=version)
        assert first == 200
        return _openssl(fleet, None, session, version=version)

    resumed, status, _ = await asyncio.to_thread(twice)
    assert (resumed, status) == (True, 200)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_session_of_one_agent_is_never_another_whatever_certificate_comes_with_it(fleet, version):
    _, _, session = await asyncio.to_thread(_openssl, fleet, fleet.mailer, version=version)
    by_name = {"payer": enrolled("payer", "uri:spiffe://acme.example/payer")}
    fleet.engine.adopt(Agents(by_name=by_name))
    resumed, status, _ = await asyncio.to_thread(_openssl, fleet, fleet.payer, session, version=version)
    assert (resumed, status) == (True, 403)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_session_of_another_listener_is_not_taken_up(fleet, issuer, tmp_path, version):
    others = Issuer(tmp_path, "others")
    inside = others.issue("payer", uri="spiffe://acme.example/payer")
    first_port = fleet.port
    await listen(fleet, None, client_ca=str(others.file))
    _, status, session = await asyncio.to_thread(_openssl, fleet, inside, version=version)
    assert status == 200
    fleet.port = first_port
    resumed, status, _ = await asyncio.to_thread(_openssl, fleet, None, session, version=version)
    assert (resumed, status) == (False, 0)
    assert issuer.file.exists()


async def test_a_session_ends_with_the_ca_that_it_was_proven_to(fleet, issuer, tmp_path):
    _, status, session = await asyncio.to_thread(_openssl, fleet, fleet.mailer, version=SSL.TLS1_3_VERSION)
    assert status == 200
    issuer.file.write_bytes(Issuer(tmp_path, "others").file.read_bytes())
    resumed, status, _ = await asyncio.to_thread(_openssl, fleet, None, session, version=SSL.TLS1_3_VERSION)
    assert (resumed, status) == (False, 0)


async def test_a_certificate_that_ended_meanwhile_is_nobodys_in_a_session_that_goes_on(fleet, monkeypatch):
    _, status, session = await asyncio.to_thread(_openssl, fleet, fleet.mailer, version=SSL.TLS1_3_VERSION)
    assert status == 200
    later = datetime.now(UTC) + timedelta(days=2)
    monkeypatch.setattr(fleet.addon, "_outside", replace(fleet.addon._outside, now=lambda: later))
    resumed, status, _ = await asyncio.to_thread(_openssl, fleet, None, session, version=SSL.TLS1_3_VERSION)
    assert (resumed, status) == (True, 403)
