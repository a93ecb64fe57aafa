"""Programs under `outgate run` that know of no proxy: what they connect to by themselves is decided all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clients.under_gate import PYTHON

if TYPE_CHECKING:
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate, Ran

URL = "https://api.github.com/repos/acme/site"
WITHOUT = ("env", *(f"-u{name}" for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")))
ASK = f"import urllib.request; print(urllib.request.urlopen({URL!r}, timeout=20).status)"


def say(gate: Gate, script: str, *options: object) -> Ran:
    return gate.run(*WITHOUT, PYTHON, "-c", script, options=options)


def test_a_program_without_proxy_variables_is_decided_and_recorded(gate: Gate, services: LookAlikes):
    ran = say(gate, ASK)
    assert ran.stdout == "200\n", ran.stderr
    (decision,) = gate.decisions()
    assert (decision.line, decision.answer, decision.result) == ("GET api.github.com/repos/acme/site", "allow", "executed")
    assert [seen.host for seen in services.seen] == ["api.github.com"]
    (start,) = gate.events("start")
    assert start["about"]["transparent"] == [80, 443]
    assert "go around" not in ran.summary


AIOHTTP = f"""
import aiohttp, asyncio
async def call():
    async with aiohttp.ClientSession() as session, session.get({URL!r}) as answer: print(answer.status)
asyncio.run(call())
"""
CLIENTS = {
    "curl": ("curl", "-sSo", "/dev/null", "-w", "%{http_code}", URL),
    "curl HTTP/2": ("curl", "--http2-prior-knowledge", "-sSo", "/dev/null", "-w", "%{http_code}", URL),
    "curl IPv6": ("curl", "-6", "-sSo", "/dev/null", "-w", "%{http_code}", URL),
    "curl to an address": ("curl", "--connect-to", "::203.0.113.66:", "-sSo", "/dev/null", "-w", "%{http_code}", URL),
    "urllib3": (
        PYTHON,
        "-c",
        f"import urllib3; print(urllib3.PoolManager(retries=False, timeout=20).request('GET', {URL!r}).status)",
    ),
    "aiohttp": (PYTHON, "-c", AIOHTTP),
    "Node https": (
        "node",
        "-e",
        f"require('https').get({URL!r}, answer => {{ console.log(answer.statusCode); answer.resume() }})",
    ),
    "Node fetch": ("node", "-e", f"fetch({URL!r}).then(answer => console.log(answer.status))"),
    "Node resolver": (
        *("node", "-e"),
        "require('dns').resolve4('api.github.com', (error, found) => console.log(error ? error.code : found.length * 200))",
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_that_know_no_proxy_come_through(gate: Gate, client: str):
    ran = gate.run(*WITHOUT, *CLIENTS[client], env={"NODE_USE_ENV_PROXY": "0"})
    assert ran.stdout.strip() == "200", ran.stderr
    assert [one.answer for one in gate.decisions()] == ([] if client == "Node resolver" else ["allow"])


FORBIDDEN = f"""
import json, urllib.error, urllib.request
try: urllib.request.urlopen({URL!r}, timeout=20)
except urllib.error.HTTPError as error: print(json.dumps([error.code, json.load(error)["detail"]]))
"""


def test_a_rule_holds_for_them(gate: Gate, services: LookAlikes):
    policy = gate.policy("{id: no-github, match: {service: github}, effect: block, tell: Not today.}")
    ran = say(gate, FORBIDDEN, "--policy", policy)
    assert ran.lines == [[403, "Not today."]], ran.stderr
    assert services.connections == 0


def test_http_in_the_clear_goes_where_host_says(gate: Gate, services: LookAlikes):
    ran = gate.run(*WITHOUT, "curl", "-sSo", "/dev/null", "-w", "%{http_code}", "http://plain.test/")
    assert ran.stdout == "200", ran.stderr
    assert [one.line for one in gate.decisions()] == ["GET plain.test/"]


RAW = """
import json, socket
def ask(address, port, sent):
    with socket.create_connection((address, port), timeout=20) as s:
        s.sendall(sent)
        try: return len(s.recv(100))
        except ConnectionResetError: return 0
def refused(address, port):
    try: socket.create_connection((address, port), timeout=20)
    except ConnectionRefusedError: return "refused"
"""


def test_what_is_neither_tls_nor_http_is_refused_with_a_note(gate: Gate, services: LookAlikes):
    ran = say(gate, RAW + "print(ask('203.0.113.66', 443, b'SSH-2.0-OpenSSH_9.2\\r\\n'))")
    assert ran.lines == [0], ran.stderr
    (refused,) = gate.events("tunnel-refused")
    assert refused["about"] == {"count": 1, "detail": "ssh", "host": "203.0.113.66", "port": 443}
    assert "203.0.113.66:443" in ran.summary
    assert services.connections == 0


def test_every_other_port_is_refused_and_told_with_the_name_that_was_asked_for(gate: Gate):
    ran = say(gate, RAW + "print(json.dumps([refused('192.0.2.7', 22), refused('db.internal', 5432)]))")
    assert ran.lines == [["refused", "refused"]], ran.stderr
    tried = {(one["about"]["address"], one["about"]["port"], one["about"]["name"]) for one in gate.events("around")}
    assert {("192.0.2.7", 22, ""), ("198.18.1.0", 5432, "db.internal")} <= tried
    assert "192.0.2.7:22   fence: refused" in ran.summary
    assert "198.18.1.0:5432 for db.internal   fence: refused" in ran.summary


LOOKED_UP = """
import json, socket
print(json.dumps(sorted({found[4][0] for found in socket.getaddrinfo("s3cr3t.evil.test", 443)})))
"""


def test_a_question_for_a_name_never_leaves(gate: Gate):
    """The settings send this name nowhere: asked of the machine's nameservers, it would be a secret that got out."""
    ran = say(gate, LOOKED_UP)
    assert ran.lines == [["198.18.1.0", "fd6f:7574:6761:7466::100"]], ran.stderr
    assert gate.decisions() == []
    assert gate.events("around") == []


ELSEWHERE = r"""
import socket
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.settimeout(20)
    s.connect(("8.8.8.8", 53))
    s.send(b"\0\7\1\0\0\1\0\0\0\0\0\0\6secret\4test\0\0\1\0\1")
    try: s.recv(100)
    except ConnectionRefusedError: print(0)
"""


def test_another_nameserver_than_ours_is_not_reached(gate: Gate):
    ran = say(gate, ELSEWHERE)
    assert ran.lines == [0], ran.stderr
    assert [(one["about"]["address"], one["about"]["name"]) for one in gate.events("around")] == [("8.8.8.8", "secret.test")]


OWN = """
import http.server, socket, threading, urllib.request
for address in ("127.0.0.1", "127.0.0.2", "0.0.0.0"):
    server = http.server.ThreadingHTTPServer((address, 0 if address != "127.0.0.1" else 8443), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = "localhost" if address == "0.0.0.0" else address
    print(urllib.request.urlopen(f"http://{host}:{server.server_address[1]}/", timeout=20).status)
print(int(socket.socket().connect_ex(("127.0.0.1", 443)) == 111))
"""


def test_its_own_loopback_stays_its_own_also_on_ports_that_are_turned(gate: Gate):
    gate.settings["transparent_ports"] = [80, 443, 8443]
    ran = say(gate, OWN)
    assert ran.lines == [200, 200, 200, 1], ran.stderr
    assert gate.decisions() == []


def test_another_port_is_taken_where_the_settings_say_so(gate: Gate):
    gate.settings["transparent_ports"] = 8443
    script = "got = ask('203.0.113.66', 8443, b'GET / HTTP/1.1\\r\\nHost: nobody.test:8443\\r\\n\\r\\n')\n"
    ran = say(gate, RAW + script + "print(json.dumps([got > 0, refused('203.0.113.66', 443)]))")
    assert ran.lines == [[True, "refused"]], ran.stderr
    assert [one.fields["request"]["port"] for one in gate.decisions()] == [8443]


NAMELESS = """
import json, socket
try: socket.getaddrinfo("api.github.com", 443)
except OSError: print(0)
"""


@pytest.mark.parametrize("off", ["--no-transparent", "settings"])
def test_it_can_be_turned_off(gate: Gate, off: str):
    if off == "settings":
        gate.settings["transparent"] = False
    script = NAMELESS + RAW + "print(json.dumps(refused('192.0.2.7', 443)))"
    ran = say(gate, script, *([off] if off.startswith("--") else []))
    assert ran.lines == [0, "refused"], ran.stderr


DISTRUSTS = f"""
import json, urllib.request
try: urllib.request.urlopen({URL!r}, timeout=20)
except OSError as error: print(json.dumps(type(error.reason).__name__))
"""


def test_a_program_that_does_not_trust_us_gets_nothing_and_that_is_told(gate: Gate, services: LookAlikes):
    ran = gate.run(*WITHOUT, "-uSSL_CERT_FILE", "-uSSL_CERT_DIR", PYTHON, "-c", DISTRUSTS)
    assert ran.lines == ["SSLCertVerificationError"], ran.stderr
    assert "did not trust our certificate: api.github.com" in ran.summary
    assert services.connections == 0
