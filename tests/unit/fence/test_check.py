"""How a program came is judged by what the gate and the watch saw, not by what it says."""

import asyncio
import ssl
from datetime import UTC, datetime

import pytest

from outgate.ca.authority import make_authority
from outgate.fence.check import TRIES, Tried, Way, _judged
from outgate.fence.inside import tries
from outgate.fence.lookalike import Came, LookAlike
from outgate.fence.runtimes import RUNTIMES, Runtime, asked_of

PROBE = Runtime(name="Some tool", program="tool", argv=("tool", "{url}x"), ignores="do this", distrusts="do that")
WORKED, FAILED = {"code": 0, "said": "", "version": "1.2"}, {"code": 1, "said": "first\nno way\n", "version": ""}


@pytest.mark.parametrize(
    ("said", "came", "around", "way", "do"),
    [
        (WORKED, Came(tunnels=1, requests=["GET /"]), False, Way.THROUGH, ""),
        (FAILED, Came(tunnels=1, requests=["GET /"]), False, Way.THROUGH, ""),
        (WORKED, Came(turned=1, requests=["GET /"]), False, Way.TURNED, ""),
        (FAILED, Came(turned=1, distrusted=1), False, Way.DISTRUSTS, "do that"),
        (FAILED, Came(tunnels=1, distrusted=1), False, Way.DISTRUSTS, "do that"),
        (FAILED, None, True, Way.IGNORES, "do this"),
        (FAILED, None, False, Way.SILENT, "no way"),
        (WORKED, None, False, Way.SILENT, "exit 0"),
    ],
)
def test_a_program_is_judged_by_what_was_seen(said, came, around, way, do):
    program = _judged(PROBE, said, came, went_around=around)
    assert (program.way, program.do) == (way, do)


def test_each_runtime_asks_for_a_host_of_its_own():
    hosts = [runtime.host for runtime in RUNTIMES]
    assert len(set(hosts)) == len(hosts)
    assert all(host.endswith(".doctor.test") for host in hosts)


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_each_runtime_is_told_its_url(runtime):
    asked = asked_of(runtime, "/work")
    assert runtime.url in str(asked)
    assert "{url}" not in str(asked)


def test_everything_that_is_tried_has_words_for_people(tmp_path):
    asked = dict.fromkeys(("v4", "v6", "unix_tmp", "unix_work", "secret", "state", "hidden", "around"), str(tmp_path / "no"))
    tried = tries(asked | {"port": 0, "abstract": "no", "gate": 2**22 + 1})
    assert set(tried) == set(TRIES)


def test_out_is_the_only_thing_that_did_not_hold():
    assert not Tried(what="x", got="out").held
    assert Tried(what="x", got="EPERM").held


@pytest.fixture
def gate(tmp_path):
    authority = make_authority(datetime.now(UTC))

    def context_for(host):
        (tmp_path / host).write_bytes(authority.leaf(host, datetime.now(UTC)).pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / host)
        return context

    return LookAlike(context_for=context_for), authority


async def ask(gate, *, trusted: bytes | None, version=ssl.TLSVersion.TLSv1_3):
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    server = await gate.serve(listener)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"CONNECT a.test:443 HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    client = ssl.create_default_context(cadata=trusted.decode()) if trusted else ssl.create_default_context()
    client.maximum_version = version
    try:
        await writer.start_tls(client, server_hostname="a.test")
        writer.write(b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
        return await reader.read()
    finally:
        writer.close()
        server.close()
        while gate.came["a.test"].distrusted + len(gate.came["a.test"].requests) == 0:
            await asyncio.sleep(0)


async def test_a_client_that_trusts_the_gate_is_answered_and_known(gate):
    look, authority = gate
    answer = await ask(look, trusted=authority.pem)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert look.came["a.test"] == Came(tunnels=1, requests=["GET /x"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_that_does_not_trust_the_gate_is_known(gate, version):
    look, _ = gate
    with pytest.raises(ssl.SSLCertVerificationError):
        await ask(look, trusted=None, version=version)
    assert look.came["a.test"] == Came(tunnels=1, distrusted=1)
