"""Real clients by every way in: curl through SOCKS 5 and through a proxy that speaks TLS, with a token and with a certificate."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from wire.conftest import make
from wire.test_https_listener import TOKENS, Issuer

from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Enrolled, token_digest
from outgate.intake.listening import Secured

__all__ = ["make"]
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")


@pytest.fixture
async def gateway(make, tmp_path):
    """A gate that knows one agent, by token and by certificate; and what curl needs to trust."""
    gateway = await make()
    gateway.issuer = Issuer(tmp_path)
    gateway.mailer = gateway.issuer.issue("mailer")
    mailer = Enrolled(
        agent=Agent(id="mailer"), token=token_digest(TOKENS["mailer"]), certificates=frozenset({gateway.mailer.mark})
    )
    gateway.engine.adopt(Agents(by_name={"mailer": mailer}))
    gateway.trusted = tmp_path / "outgate-ca.pem"
    gateway.trusted.write_bytes(gateway.authority.pem)
    gateway.seen = await gateway.upstream()
    return gateway


async def listen(gateway, scheme, **said):
    secured = Secured(names=("localhost",), **said) if scheme == "https" else None
    gateway.port = await gateway.engine.listen("127.0.0.1", 0, None, scheme, secured)


async def curl(gateway, *said):
    """Its exit code, and the status that it was answered."""
    arguments = ("-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", "--cacert", str(gateway.trusted))
    command = ("curl", "-q", *arguments, *said, "https://api.test/a")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode, out.decode()


def by(gateway):
    return [decision["agent"]["id"] for decision in gateway.decisions()]


async def test_curl_by_socks(gateway):
    await listen(gateway, "socks5")
    login = ("--proxy-user", f"mailer:{TOKENS['mailer']}")
    assert await curl(gateway, "--socks5-hostname", f"127.0.0.1:{gateway.port}", *login) == (0, "200")
    assert await curl(gateway, "--proxy", f"socks5h://mailer:{TOKENS['mailer']}@127.0.0.1:{gateway.port}", "--http1.1") == (
        0,
        "200",
    )
    assert by(gateway) == ["mailer", "mailer"]


async def test_curl_by_socks_without_its_token(gateway):
    await listen(gateway, "socks5")
    assert (await curl(gateway, "--socks5-hostname", f"127.0.0.1:{gateway.port}"))[0] == 97
    assert (await curl(gateway, "--proxy", f"socks5h://mailer:wrong@127.0.0.1:{gateway.port}"))[0] == 97
    assert gateway.seen.accepted == 0


async def test_curl_by_tls(gateway):
    await listen(gateway, "https")
    trust = ("--proxy-cacert", str(gateway.trusted))
    proxy = f"https://mailer:{TOKENS['mailer']}@localhost:{gateway.port}"
    assert await curl(gateway, "--proxy", proxy, *trust) == (0, "200")
    assert await curl(gateway, "--proxy", proxy, *trust, "--http2") == (0, "200")
    assert by(gateway) == ["mailer", "mailer"]


async def test_curl_by_its_certificate(gateway):
    await listen(gateway, "https", client_ca=str(gateway.issuer.file))
    proxy = ("--proxy", f"https://localhost:{gateway.port}", "--proxy-cacert", str(gateway.trusted))
    own = ("--proxy-cert", gateway.mailer.file)
    assert await curl(gateway, *proxy, *own) == (0, "200")
    assert by(gateway) == ["mailer"]
    assert (await curl(gateway, *proxy))[0] != 0
    assert (await curl(gateway, *proxy, "--proxy-cert", gateway.issuer.issue("nobody").file))[0] == 56
    assert by(gateway) == ["mailer"]


async def test_curl_that_pins_its_server(gateway):
    await listen(gateway, "socks5")
    said = gateway.destinations["api.test"]
    gateway.destinations["api.test"] = type(said)(pattern="api.test", route=said.route, opaque=True)
    proxy = f"socks5h://mailer:{TOKENS['mailer']}@127.0.0.1:{gateway.port}"
    assert await curl(gateway, "--proxy", proxy, "--cacert", str(gateway.pki.ca_file)) == (0, "200")
    assert [decision["request"]["uninspected"] for decision in gateway.decisions()] == [True]
    gateway.seen.seen.clear()  # nobody here read it
