"""The fence: a program that ignores the proxy variables gets nowhere, and that it tried is said."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clients.under_gate import AGENTS, ALLOW_ALL, OUTGATE, PYTHON

import outgate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Something of the host's own on loopback, such as a database."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def doors(tmp_path: Path, work: Path) -> Iterator[dict[str, str]]:
    """Unix sockets of the host: one without a path, one in the folder that the agent is given."""
    abstract = f"outgate-test-{os.getpid()}"
    path = str(tmp_path / "door")
    with socket.socket(socket.AF_UNIX) as nameless, socket.socket(socket.AF_UNIX) as named:
        nameless.bind("\0" + abstract)
        nameless.listen()
        named.bind(path)
        named.listen()
        yield {"abstract": abstract, "socket": path}


def test_no_way_around_is_open(gate: Gate, services: LookAlikes, listener: socket.socket, doors: dict[str, str]):
    there = doors | {"port": listener.getsockname()[1], "state": str(gate.state), "pid": os.getpid()}
    ran = gate.run(PYTHON, AGENTS / "around.py", json.dumps(there), options=["--no-transparent"])
    assert ran.code == 0, ran.stderr
    (said,) = ran.lines
    assert [name for name, what in said.items() if what == "open"] == []
    assert len(said) == 19
    assert services.connections == 0
    assert "tried to go around" in ran.summary
    assert "192.0.2.1:443" in ran.summary


TURNED = {"tcp", "tcp over IPv6", "metadata", "a name", "urllib3 without the proxy", "aiohttp without trust_env"}
"""Ways that lead to the gate, where programs need not know of it: a connection is there, and what is asked on it is decided."""


def test_what_is_turned_to_the_gate_is_the_only_way_and_none_around_it(
    gate: Gate, services: LookAlikes, listener: socket.socket, doors: dict[str, str]
):
    there = doors | {"port": listener.getsockname()[1], "state": str(gate.state), "pid": os.getpid()}
    ran = gate.run(PYTHON, AGENTS / "around.py", json.dumps(there))
    (said,) = ran.lines
    assert {name for name, what in said.items() if what == "open"} == TURNED, ran.stderr
    assert [one.line for one in gate.decisions()] == ["GET api.github.com/"] * 2
    assert [seen.host for seen in services.seen] == ["api.github.com"] * 2
    assert "192.0.2.1:443" in ran.summary


def test_the_gates_own_program_can_t_be_changed(gate: Gate):
    tried = "import os, sys; [print(int(os.access(path, os.W_OK))) for path in sys.argv[1:]]"
    environment = PYTHON.parent.parent
    own = (OUTGATE, Path(outgate.__file__), Path(sysconfig.get_path("purelib")), PYTHON.resolve(), Path(os.__file__), environment)
    ran = gate.run(PYTHON, "-c", tried, *own, env={"VIRTUAL_ENV": str(environment)})  # a fenced root may write what is named so
    assert ran.lines == [0] * len(own), ran.stderr


def test_the_keys_of_other_runs_are_hidden_too(gate: Gate, work: Path):
    usual = work / "home" / ".local" / "state" / "outgate"
    usual.mkdir(parents=True)
    (usual / "key").write_text("theirs")
    ran = gate.run(PYTHON, "-c", f"import os; print(len(os.listdir({str(usual)!r})))")
    assert ran.lines == [0], ran.stderr


def test_an_agent_can_t_write_settings_or_approvers_where_the_gate_would_read_them_while_it_runs(gate: Gate, work: Path):
    folder = work / "home" / ".config" / "outgate"
    tried = f"""
import os
for name in ("config.yaml", "people.yaml"):
    try:
        os.makedirs({str(folder)!r}, exist_ok=True)
        print(len(open(os.path.join({str(folder)!r}, name), "w").name))
    except OSError as error:
        print(error.errno)
"""
    ran = gate.run(PYTHON, "-c", tried, env={"OUTGATE_CONFIG": str(folder)})
    assert ran.lines == [errno.EROFS] * 2, ran.stderr
    assert list(folder.iterdir()) == []


def test_a_policy_by_a_link_can_t_become_another(gate: Gate, work: Path):
    (work / "policies").mkdir()
    (work / "policies" / "mine.yaml").write_text(ALLOW_ALL)
    (work / "outgate.yaml").symlink_to("policies/mine.yaml")
    planted = "import os; os.remove('outgate.yaml'); open('outgate.yaml', 'w').write('evil')"
    ran = gate.run(PYTHON, "-c", planted, options=["--policy", work / "outgate.yaml"])
    assert (work / "outgate.yaml").read_text() == ALLOW_ALL
    assert "would have run later, outside" in ran.summary


def test_a_port_that_the_operator_gives_is_the_only_one_open(gate: Gate, listener: socket.socket):
    port = listener.getsockname()[1]
    listener.settimeout(30)
    agent = f"import socket; s = socket.create_connection(('127.0.0.1', {port})); print(s.recv(9).decode())"
    started = subprocess.Popen(
        gate.command([PYTHON, "-c", agent], "--direct", port), env=gate.env(), cwd=gate.work, stdout=subprocess.PIPE, text=True
    )
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"from host")
    assert started.communicate(timeout=60)[0] == "from host\n"
    (start,) = gate.events("start")
    assert str(port) in json.dumps(start["about"])


OWN = """
python -m http.server --bind 127.0.0.1 8123 >/dev/null 2>&1 &
until curl -sSo /dev/null http://localhost:8123/ 2>/dev/null; do sleep 0.05; done
python -c "import requests; print(requests.get('http://127.0.0.1:8123/').status_code)"
node -e "fetch('http://localhost:8123/').then(answer => console.log(answer.status))"
"""


def test_the_agents_own_servers_on_loopback_are_its_own_business(gate: Gate):
    ran = gate.run("sh", "-c", OWN)
    assert ran.stdout.split() == ["200", "200"], ran.stderr
    assert gate.decisions() == []


def test_what_the_agent_left_running_ends_with_it(gate: Gate):
    mark = f"sleep 1000.{os.getpid()}"
    ran = gate.run("sh", "-c", f"setsid {mark} & (trap '' TERM HUP; exec {mark}) & exit 4")
    assert ran.code == 4
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert mark not in running.splitlines()


def test_when_the_gate_is_killed_the_agent_ends(gate: Gate, work: Path):
    agent = f"import time; open({str(work / 'up')!r}, 'w').close(); print('up', flush=True); time.sleep(600)"
    started = subprocess.Popen(
        gate.command([PYTHON, "-c", agent]),
        env=gate.env(),
        cwd=gate.work,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "up\n"
    started.send_signal(signal.SIGKILL)
    assert started.stdout.read() == ""  # the pipe's last writer, the agent, is gone
    started.communicate(timeout=30)


def test_the_agent_has_no_capabilities_and_cannot_get_them(gate: Gate):
    script = "grep -E '^(Cap(Eff|Prm|Bnd)|NoNewPrivs)' /proc/self/status; unshare -Urn ip link 2>/dev/null; unshare -Ur umount /tmp 2>/dev/null; ls /proc | grep -c '^[0-9]'"
    ran = gate.run("sh", "-c", script)
    said = dict(line.split(":\t") for line in ran.stdout.splitlines() if ":\t" in line)
    assert said["CapEff"] == said["CapPrm"] == said["CapBnd"] == "0" * 16
    assert said["NoNewPrivs"] == "1"
    assert int(ran.stdout.splitlines()[-1]) < 10


TAMPER = """
echo new > made && cat outgate.yaml > /dev/null || exit 1
echo x >> outgate.yaml; mv outgate.yaml old; rm -f outgate.yaml; mv "$PWD" ../elsewhere
mkdir -p ~/.config/outgate; echo 'fence: false' > ~/.config/outgate/config.yaml
true
"""


def test_an_agent_works_beside_its_policy_and_cannot_change_it_or_our_settings(gate: Gate, work: Path):
    policy = work / "outgate.yaml"
    policy.write_text(ALLOW_ALL)
    ran = gate.run("sh", "-c", TAMPER, options=("--policy", "outgate.yaml"))
    assert ran.code == 0, ran.stderr
    assert (work / "made").read_text() == "new\n"
    assert policy.read_text() == ALLOW_ALL
    assert list((work / "home" / ".config" / "outgate").iterdir()) == []  # made before the agent, so that it can be kept
    assert gate.events("planted") == []


def test_unfenced_is_said_and_recorded(gate: Gate):
    ran = gate.run("curl", "-sS", "https://api.github.com/repos/acme/site", options=("--no-fence",))
    assert ran.code == 0, ran.stderr
    assert "not fenced: same user, can go around" in ran.opening
    (start,) = gate.events("start")
    assert start["about"]["fenced"] is False


def test_doctor_says_that_nothing_goes_around(gate: Gate):
    done = subprocess.run(
        [str(OUTGATE), "doctor"], env=gate.env(), cwd=gate.work, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for tried in ("TCP to 192.0.2.1", "UDP to 192.0.2.1", "TCP to [2001:db8::1]", "ping", "loopback", "Unix socket"):
        assert tried in done.stdout, done.stdout
    through = {line.split()[0] for line in done.stdout.splitlines() if line.endswith("through the gate")}
    assert {"curl", "git", "Python", "pip", "Node", "npm"} <= through, done.stdout
    assert re.search(r"aiohttp .* turned to the gate", done.stdout), done.stdout


def test_doctor_says_of_a_client_that_ignores_the_variables_that_it_cannot_get_out(gate: Gate):
    agent = "import urllib3; urllib3.PoolManager(retries=False, timeout=5).request('GET', 'https://192.0.2.1/')"
    done = subprocess.run(
        [str(OUTGATE), "doctor", "--", str(PYTHON), "-c", agent],
        env=gate.env(), cwd=gate.work, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert "192.0.2.1:443" in done.stdout + done.stderr
