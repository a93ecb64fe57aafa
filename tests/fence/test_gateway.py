"""`outgate serve` behind the rules of deploy/firewall: a machine that knows of no proxy, and whose every way leads through it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from outgate.stores.logs import all_receipts, log_folder

HERE = Path(__file__).parent
FIREWALL = HERE.parents[1] / "deploy" / "firewall"
PROGRAMS = {"gateway.nft": "nft", "gateway.iptables": "iptables-restore"}


@pytest.fixture(scope="module", params=PROGRAMS)
def gateway(request, tmp_path_factory):
    """What programs on the machine got, what the services behind the gateway saw, what is on record."""
    if shutil.which(PROGRAMS[request.param]) is None:
        pytest.skip(f"no {PROGRAMS[request.param]} here")
    folder = tmp_path_factory.mktemp("gateway")
    ran = subprocess.run(
        ["unshare", "-Urn", sys.executable, HERE / "gateway.py", folder, FIREWALL / request.param],
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1]), [receipt.fields for receipt in all_receipts(log_folder(folder / "state"))]


@pytest.mark.xdist_group("gateway")
def test_a_machine_behind_the_rules_gets_what_is_decided_and_nothing_else(gateway):
    told, receipts = gateway
    assert told["got"] == {
        **dict.fromkeys(("https", "https, IPv6", "http", "http, IPv6"), "200"),
        "an address": "curl 35",  # the handshake is refused: TLS names nobody
        **dict.fromkeys(("another port", "ssh", "the port itself", "another port of the gateway"), "curl 7"),
    }
    assert told["seen"] == ["tls.test/https", "tls.test/https6", "plain.test/http", "plain.test/http6"]
    decided = [(r["agent"]["id"], r["request"]["host"], r["answer"]) for r in receipts if r["type"] == "decision"]
    assert decided == [("ann", "tls.test", "allow")] * 2 + [("ann", "plain.test", "allow")] * 2
    (noted,) = [r["about"] for r in receipts if r["type"] == "tunnel-refused"]
    assert noted == {"count": 1, "detail": "no server name", "host": "203.0.113.66", "port": 443}
