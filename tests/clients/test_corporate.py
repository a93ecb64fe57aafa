"""A company's own proxy and certificates, found in the environment: everything goes that way, and is said."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from clients.everything import CORPORATE
from clients.relay import Relay

if TYPE_CHECKING:
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

ASK = ("curl", "-sS", f"https://{CORPORATE}/x")


def test_the_environments_proxy_and_roots_become_ours_and_are_said(gate: Gate, services: LookAlikes):
    with Relay(services.address) as relay:
        via = f"http://127.0.0.1:{relay.server_address[1]}"
        ran = gate.run(*ASK, env={"HTTPS_PROXY": via, "SSL_CERT_FILE": str(services.ca_file)})
    assert json.loads(ran.stdout) == {"ok": True}, ran.stderr
    assert via in ran.opening
    assert "SSL_CERT_FILE" in ran.opening
    (decided,) = gate.decisions()
    assert decided.fields["pin"]["via"] == via


def test_a_proxy_that_is_not_there_is_an_error_and_never_a_direct_connection(gate: Gate, services: LookAlikes):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ran = gate.run(*ASK, env={"HTTPS_PROXY": f"http://127.0.0.1:{port}", "SSL_CERT_FILE": str(services.ca_file)})
    assert json.loads(ran.stdout)["status"] == 502
    assert services.connections == 0


def test_a_proxy_that_cannot_be_used_is_refused_at_the_start(gate: Gate, services: LookAlikes):
    ran = gate.run(*ASK, env={"HTTPS_PROXY": "socks5://127.0.0.1:1080"})
    assert (ran.code, ran.stdout) == (2, "")
    assert "HTTPS_PROXY" in ran.stderr
    assert "socks5" in ran.stderr
    assert services.connections == 0
