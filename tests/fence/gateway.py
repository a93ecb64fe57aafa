"""A gateway and an agent's machine behind it, as two network namespaces: run inside `unshare -Urn`, prints what was seen as JSON.

python gateway.py FOLDER RULES: FOLDER is empty; RULES is a file of deploy/firewall.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from outgate.ca.authority import make_authority

FOLDER, RULES = Path(sys.argv[1]), Path(sys.argv[2])
ELSEWHERE = "203.0.113.66", "2001:db8::66"
"""Where the agent's programs believe that every name is."""
HERE, HERE6, AGENT, AGENT6 = "10.77.1.1", "fd77:1::1", "10.77.1.2", "fd77:1::2"
CURL = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", "--noproxy", "*"]
seen: list[str] = []


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # as it is called there
        seen.append(f"{self.headers['Host']}{self.path}")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """What was asked is kept, not printed."""


def service(context: ssl.SSLContext | None) -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def ip(*words: str, of: int = 0) -> None:
    inside = ["nsenter", "-t", str(of), "-n"] if of else []
    subprocess.run([*inside, "ip", *words], check=True, timeout=20)


def lay(machine: int) -> None:
    """One wire; all that the agent's machine sends goes over it, and would be sent on, as on a machine that does so for others."""
    for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        Path("/proc/sys/net", switch).write_text("1")
    ip("link", "set", "lo", "up")
    ip("link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", str(machine))
    for one, name, four, six in ((0, "lan0", HERE, HERE6), (machine, "eth0", AGENT, AGENT6)):
        ip("addr", "add", f"{four}/24", "dev", name, of=one)
        ip("addr", "add", f"{six}/64", "dev", name, "nodad", of=one)
        ip("link", "set", name, "up", of=one)
    ip("link", "set", "lo", "up", of=machine)
    ip("route", "add", "default", "via", HERE, of=machine)
    ip("-6", "route", "add", "default", "via", HERE6, of=machine)


def load(rules: Path) -> None:
    if rules.suffix == ".nft":
        for _ in range(2):  # loading it again changes nothing
            subprocess.run(["nft", "-f", rules], check=True, timeout=20)
        return
    for file in (rules, rules.with_suffix(".ip6tables")):
        text = file.read_text()
        subprocess.run([f"{file.suffix[1:]}-restore", "--noflush"], input=text, text=True, check=True, timeout=20)


def written(plain: int, secure: int) -> dict[str, str]:
    there = {"address": f"127.0.0.1:{secure}", "ca": str(FOLDER / "up.pem")}
    config = {
        "outgate": "settings/v1alpha",
        "listen": [
            {"address": "127.0.0.1:3128"},
            {"address": "transparent://0.0.0.0:3130", "plaintext": True},
            {"address": "transparent://[::]:3130", "plaintext": True},
        ],
        "policy": "./policy.yaml",
        "destinations": {"tls.test": there, "plain.test": {"address": f"127.0.0.1:{plain}"}},
    }
    agents = {"ann": {"from": [AGENT, AGENT6], "transparent": True}}
    (FOLDER / "config.yaml").write_text(json.dumps(config))
    (FOLDER / "agents.yaml").write_text(json.dumps({"outgate": "agents/v1alpha", "agents": agents}))
    (FOLDER / "policy.yaml").write_text(
        "outgate: policy/v1alpha\npolicy: gateway\nmode: enforce\notherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}\n"
    )
    return {**os.environ, "OUTGATE_STATE": str(FOLDER / "state"), "OUTGATE_CONFIG": str(FOLDER), "PYTHONUNBUFFERED": "1"}


def asked(machine: int, *words: str) -> str:
    """What a program on the agent's machine gets; of one that fails, curl's number for why."""
    done = subprocess.run(
        ["nsenter", "-t", str(machine), "-n", *CURL, *words], capture_output=True, text=True, check=False, timeout=40
    )
    return f"curl {done.returncode}" if done.returncode else done.stdout


def to(name: str, port: int, address: str) -> list[str]:
    return ["--resolve", f"{name}:{port}:{address}"]


def ask(machine: int, ours: str) -> dict[str, str]:
    four, six = ELSEWHERE
    secure = ["--cacert", ours]
    return {
        "https": asked(machine, *secure, *to("tls.test", 443, four), "https://tls.test/https"),
        "https, IPv6": asked(machine, *secure, *to("tls.test", 443, six), "https://tls.test/https6"),
        "http": asked(machine, *to("plain.test", 80, four), "http://plain.test/http"),
        "http, IPv6": asked(machine, *to("plain.test", 80, six), "http://plain.test/http6"),
        "an address": asked(machine, "-k", f"https://{four}/"),
        "another port": asked(machine, f"http://{four}:8080/"),
        "ssh": asked(machine, f"telnet://{four}:22"),
        "the port itself": asked(machine, f"http://{HERE}:3130/"),
        "another port of the gateway": asked(machine, f"http://{HERE}:22/"),
    }


def main() -> None:
    authority = make_authority(datetime.now(UTC))
    (FOLDER / "up.pem").write_bytes(authority.pem)
    (FOLDER / "leaf.pem").write_bytes(authority.leaf("tls.test", datetime.now(UTC)).pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "leaf.pem")
    machine = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo up; exec sleep 120"], stdout=subprocess.PIPE, text=True)
    assert machine.stdout
    machine.stdout.readline()
    lay(machine.pid)
    load(RULES)
    environ = written(service(None), service(context))
    gate = subprocess.Popen(
        [sys.executable, "-m", "outgate", "serve", "--config", FOLDER / "config.yaml"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    late = threading.Timer(90, gate.kill)
    late.start()
    said = ""
    try:
        assert gate.stdout
        while "transparent://[::]:3130" not in said:
            line = gate.stdout.readline()
            assert line, said
            said += line
        export = [sys.executable, "-m", "outgate", "ca", "export", "--out", FOLDER / "ours.pem"]
        subprocess.run(export, env=environ, check=True, timeout=40, stdout=subprocess.DEVNULL)
        got = ask(machine.pid, str(FOLDER / "ours.pem"))
    finally:
        gate.send_signal(signal.SIGTERM)
        gate.wait(40)
        late.cancel()
        machine.kill()
    print(json.dumps({"got": got, "seen": seen}))


main()
