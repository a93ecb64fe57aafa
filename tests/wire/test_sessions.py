"""TLS sessions: resumed on both sides, and never for another name, agent or trust; early data and renegotiation are refused."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from wire.test_pool import OTHER, ask

from outgate.ca.authority import make_authority
from outgate.mitm.pool import Pool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def cold(make):
    """A gate whose upstream connections never rest: each is made anew, perhaps with a session."""
    gateway = await make()
    gateway.addon.pool = Pool(each=0)
    return gateway


async def test_an_upstreams_session_is_resumed(cold):
    upstream = await cold.upstream()
    assert [await ask(cold) for _ in range(3)] == [200, 200, 200]
    assert upstream.resumed == [False, True, True]
    assert len(upstream.client_names) == 3, "its name is said each time"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_it_is_in_both_versions(cold, version, monkeypatch):
    monkeypatch.setattr("wire.upstreams.LATEST", version)
    upstream = await cold.upstream()
    assert [await ask(cold) for _ in range(2)] == [200, 200]
    assert upstream.resumed == [False, True]


async def test_another_agents_is_not(cold):
    upstream = await cold.upstream()
    assert await ask(cold) == 200
    cold.port = await cold.listen(OTHER)
    assert [await ask(cold), await ask(cold)] == [200, 200]
    assert upstream.resumed == [False, False, True]


async def test_another_names_is_not(cold):
    upstream = await cold.upstream("one.api.test", certificate_for="*.api.test")
    cold.leads("two.api.test", upstream.port)
    assert [await ask(cold, host=f"{name}.api.test") for name in ("one", "two")] == [200, 200]
    assert upstream.resumed == [False, False]


async def test_another_ports_is_not(cold):
    upstream = await cold.upstream()
    assert await ask(cold) == 200
    async with await cold.https(port=8443) as client:
        await client.request("GET", "/b", "api.test:8443")
        assert (await client.answer()).status == 200
    assert upstream.resumed == [False, False]


async def test_what_is_trusted_now_is_asked_again(cold):
    upstream = await cold.upstream()
    assert await ask(cold) == 200
    cold.pki.ca_file.write_bytes(make_authority(datetime.now(UTC)).pem)
    assert await ask(cold, "/b") == 502
    await cold.stop()
    assert "certificate does not verify" in cold.outcomes()[-1]["error"]
    assert upstream.resumed == [False]


class Greeter:
    """A client's TLS by hand, over a tunnel: it may resume what it likes, wherever it likes."""

    def __init__(self, gateway, **said):
        self.context = gateway.context()
        self.context.maximum_version = said.get("version", ssl.TLSVersion.TLSv1_3)
        self.gateway = gateway

    async def greet(self, tunnel, name, session=None):
        """Connect, say a name, ask. Gives the answer's first line, the session, and whether it was resumed."""
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(into, out, server_hostname=name, session=session)
        async with await self.gateway.plain() as wire:
            assert (await wire.tunnel(tunnel, 443)).status == 200
            await self.step(wire, tls.do_handshake, into, out)
            tls.write(f"GET /a HTTP/1.1\r\nHost: {tunnel}\r\n\r\n".encode())
            answer = await self.step(wire, lambda: tls.read(65536), into, out)
            return answer.split(b"\r\n")[0], tls.session, tls.session_reused

    async def step(self, wire, do, into, out):
        while True:
            try:
                done = do()
            except ssl.SSLWantReadError:
                await wire.send(out.read())
                into.write(await asyncio.wait_for(wire.reader.read(65536), 20))
            else:
                await wire.send(out.read())
                return done


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_an_agent_resumes_what_it_began(gateway, version):
    await gateway.upstream()
    client = Greeter(gateway, version=version)
    said, session, resumed = await client.greet("api.test", "api.test")
    assert (said, resumed) == (b"HTTP/1.1 200 OK", False)
    said, _, resumed = await client.greet("api.test", "api.test", session)
    assert (said, resumed) == (b"HTTP/1.1 200 OK", True)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_good_in_tunnels_to_where_it_was_begun_alone(gateway, version):
    await gateway.upstream()
    await gateway.upstream("other.test")
    client = Greeter(gateway, version=version)
    _, session, _ = await client.greet("api.test", "api.test")
    said, _, resumed = await client.greet("other.test", "other.test", session)
    assert (said, resumed) == (b"HTTP/1.1 200 OK", False)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("tunnel", "name"), [("api.test", "evil.test"), ("evil.test", "api.test")])
async def test_who_resumes_with_another_name_is_judged_by_that_name(gateway, version, tunnel, name):
    upstream, evil = await gateway.upstream(), await gateway.upstream("evil.test")
    client = Greeter(gateway, version=version)
    _, session, _ = await client.greet("api.test", "api.test")
    said, _, _ = await client.greet(tunnel, name, session)
    assert said.startswith(b"HTTP/1.1 421")
    assert (len(upstream.seen), evil.accepted) == (1, 0)


async def test_another_agent_resumes_nothing_of_it(gateway):
    await gateway.upstream()
    client = Greeter(gateway)
    _, session, _ = await client.greet("api.test", "api.test")
    gateway.port = await gateway.listen(OTHER)
    said, _, resumed = await client.greet("api.test", "api.test", session)
    assert (said, resumed) == (b"HTTP/1.1 200 OK", False)


async def test_a_session_under_another_ca_is_not_resumed(gateway):
    await gateway.upstream()
    client = Greeter(gateway)
    _, session, _ = await client.greet("api.test", "api.test")
    gateway.engine.renew(gateway.authority)
    said, _, resumed = await client.greet("api.test", "api.test", session)
    assert (said, resumed) == (b"HTTP/1.1 200 OK", False)


async def openssl(gateway, *words: str, said: bytes = b"") -> str:
    """Run `openssl s_client` through the gate. It leaves when its answer ends, or what it is told runs out."""
    ca = gateway.folder / "ca.pem"
    ca.write_bytes(gateway.authority.pem)
    command = [
        "openssl",
        "s_client",
        "-proxy",
        f"127.0.0.1:{gateway.port}",
        "-connect",
        "api.test:443",
        "-servername",
        "api.test",
    ]
    run = await asyncio.create_subprocess_exec(
        *command,
        "-CAfile",
        str(ca),
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(run.communicate(said), 20)
    return out.decode("utf-8", "replace")


REQUEST = b"GET /a HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n"


async def test_early_data_is_not_taken_and_reaches_nobody(gateway):
    upstream = await gateway.upstream()
    kept, early = gateway.folder / "session.pem", gateway.folder / "early.http"
    await openssl(gateway, "-tls1_3", "-sess_out", str(kept), "-ign_eof", said=REQUEST)
    assert len(upstream.seen) == 1
    allow_early_data(kept)
    early.write_bytes(REQUEST.replace(b"/a", b"/early"))
    said = await openssl(gateway, "-tls1_3", "-sess_in", str(kept), "-early_data", str(early), "-ign_eof", said=REQUEST)
    assert "Early data was rejected" in said
    assert "Reused, TLSv1.3" in said
    assert [seen.target for seen in upstream.seen] == ["/a", "/a"]


async def test_renegotiation_is_refused_and_reaches_nobody(gateway):
    upstream = await gateway.upstream()
    said = await openssl(gateway, "-tls1_2", said=b"R\n")
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said
    assert upstream.accepted == 0


def allow_early_data(kept: Path) -> None:
    """Have a session in a file say that its server takes early data, which ours never says (RFC 8446, section 4.2.10)."""
    lines = kept.read_text().splitlines()
    der = ssl.PEM_cert_to_DER_cert("\n".join(["-----BEGIN CERTIFICATE-----", *lines[1:-1], "-----END CERTIFICATE-----"]))
    fields = list(elements(elements_of(der)))
    at = next((number for number, field in enumerate(fields) if field[0] > 0xAF), len(fields))
    assert not any(field[0] == 0xAF for field in fields), "it says so of itself"
    fields.insert(at, b"\xaf\x04\x02\x02\x40\x00")  # [15] EXPLICIT INTEGER 16384, as OpenSSL writes max_early_data
    content = b"".join(fields)
    text = ssl.DER_cert_to_PEM_cert(b"\x30\x82" + len(content).to_bytes(2) + content)
    kept.write_text(text.replace("CERTIFICATE", "SSL SESSION PARAMETERS"))


def elements_of(der: bytes) -> bytes:
    header, size = length(der)
    return der[header : header + size]


def elements(content: bytes):
    while content:
        header, size = length(content)
        yield content[: header + size]
        content = content[header + size :]


def length(der: bytes) -> tuple[int, int]:
    if der[1] < 0x80:
        return 2, der[1]
    count = der[1] & 0x7F
    return 2 + count, int.from_bytes(der[2 : 2 + count])
