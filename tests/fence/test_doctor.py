"""`outgate doctor` on this machine, and that what it tries would be noticed if it worked."""

import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from outgate.fence import inside
from outgate.fence.check import TRIES, lay_ground

pytestmark = pytest.mark.xdist_group("doctor")  # one look at the machine serves all

OUTGATE = Path(sys.executable).with_name("outgate")


def doctor(own, *words, before=(), **environ):
    return subprocess.run(
        [*before, OUTGATE, "doctor", *map(str, words)],
        cwd=own.cwd,
        env={**os.environ, "HOME": str(own.home), "OUTGATE_STATE": str(own.state), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """One look at the whole machine, as programs read it, with the home that its programs were installed for."""
    work = tmp_path_factory.mktemp("work")
    ran = subprocess.run(
        [OUTGATE, "doctor", "--json"],
        cwd=work,
        env={**os.environ, "OUTGATE_STATE": str(work / "state")},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return ran.returncode, json.loads(ran.stdout)


def test_everything_that_is_tried_from_inside_is_refused(looked):
    code, told = looked
    assert [tried["what"] for tried in told["tries"] if not tried["held"]] == []
    assert [tried["what"] for tried in told["tries"]] == list(TRIES.values())
    assert (code, told["fenced"]) == (0, True)


def test_what_was_tried_was_seen(looked):
    seen = {(attempt["protocol"], attempt["address"], attempt["port"]) for attempt in looked[1]["attempts"]}
    assert {("tcp", "192.0.2.1", 22), ("udp", "192.0.2.1", 443), ("udp", "2001:db8::1", 443)} <= seen


@pytest.mark.parametrize("name", ["curl", "wget", "git", "Python urllib", "npm", "Java", "cargo", "Ruby", "Go", "Deno", "Bun"])
def test_a_program_that_is_here_comes_through_the_gate_and_trusts_it(looked, name):
    found = next((program for program in looked[1]["programs"] if program["name"] == name), None)
    if found is None or not works(name):
        pytest.skip(f"no {name} on this machine that runs")
    assert (found["way"], found["do"]) == ("through the gate", "")


def works(name: str) -> bool:
    """A program may be only a launcher of one that is not installed for this user, as rustup's cargo is."""
    program = shutil.which(name.lower())
    return program is None or subprocess.run([program, "--version"], capture_output=True, check=False, timeout=60).returncode in {
        0,
        2,
    }


def test_curl_and_python_were_found(looked):
    assert {"curl", "Python urllib"} <= {program["name"] for program in looked[1]["programs"]}


def test_who_ignores_the_proxy_is_told_what_to_do(looked):
    for program in looked[1]["programs"]:
        assert bool(program["do"]) == (program["way"] not in {"through the gate", "turned to the gate"})


def test_who_knows_no_proxy_is_turned_to_the_gate(looked):
    (urllib3,) = (program for program in looked[1]["programs"] if program["name"] == "Python urllib3")
    assert (urllib3["way"], urllib3["do"]) == ("turned to the gate", "")


def test_the_report_reads_well_at_eighty_columns(own):
    ran = doctor(own, "--", sys.executable, "-c", ASKS)
    assert max(map(len, ran.stdout.splitlines())) <= 80


ASKS = """
import socket, urllib.request
for url in ("https://api.service.test/a", "https://api.service.test/b", "http://plain.service.test/"):
    try: urllib.request.urlopen(url)
    except urllib.error.HTTPError as error: print(error.code, error.read().decode())
try: socket.create_connection(("192.0.2.7", 22), 20)
except OSError as error: print(error)
"""


def test_a_commands_requests_are_told_by_host_and_what_went_around_with_who_did(own):
    ran = doctor(own, "--json", "--", sys.executable, "-c", ASKS)
    told = json.loads(ran.stdout)
    assert told["hosts"]["api.service.test"]["requests"] == ["GET /a", "GET /b"]
    assert told["hosts"]["plain.service.test"]["requests"] == ["GET http://plain.service.test/"]
    assert [(a["address"], a["port"]) for a in told["attempts"]] == [("192.0.2.7", 22)]
    assert (ran.returncode, told["code"], told["good"]) == (1, 0, False)
    assert ran.stderr.count("503 outgate doctor answered this; nothing was sent") == 3


def test_a_command_that_comes_through_the_gate_alone_is_good(own):
    assert shutil.which("curl")
    assert doctor(own, "--", "curl", "-s", "https://api.service.test/").returncode == 0


UNPROXIED = (
    "env",
    *(f"-u{name}" for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")),
)


def test_what_is_turned_to_the_gate_is_told_and_good_where_it_names_somebody(own):
    for url, way in (("https://api.service.test/", "1 turned to the gate"), ("http://api.service.test/", "1 turned to the gate")):
        ran = doctor(own, "--", *UNPROXIED, "curl", "-s", url)
        assert (ran.returncode, way in ran.stdout) == (0, True), ran.stdout
    ran = doctor(own, "--", *UNPROXIED, "curl", "-sk", "https://192.0.2.1/")
    assert "named nobody: 192.0.2.1:443" in ran.stdout
    assert ran.returncode == 1
    ran = doctor(
        own, "--", *UNPROXIED, "-uSSL_CERT_FILE", "-uCURL_CA_BUNDLE", "-uSSL_CERT_DIR", "curl", "-s", "https://a.service.test/"
    )
    assert "a.service.test  fails on trust" in ran.stdout
    assert ran.returncode == 1


def test_a_command_that_does_not_trust_the_gate_is_told(own):
    script = (
        "import ssl, urllib.request\n"
        "try: urllib.request.urlopen('https://pinned.service.test', context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))\n"
        "except OSError as error: print(error)"
    )
    ran = doctor(own, "--", sys.executable, "-c", script)
    assert "pinned.service.test  fails on trust" in ran.stdout
    assert ran.returncode == 1


def test_where_there_can_be_no_fence_it_says_why_and_that_the_command_can_go_around(own):
    deny = (
        "import os, sys, pathlib; os.unshare(os.CLONE_NEWUSER);"
        "pathlib.Path('/proc/sys/user/max_user_namespaces').write_text('0'); os.execv(sys.argv[1], sys.argv[1:])"
    )
    ran = doctor(own, "--", "true", before=[sys.executable, "-c", deny])
    assert "sysctl user.max_user_namespaces is 0" in " ".join(ran.stdout.split())
    assert "not fenced: same user, can go around" in ran.stdout
    assert ran.returncode == 1


def test_a_command_that_does_not_exist_is_one_sentence(own):
    ran = doctor(own, "--", "no-such-program")
    assert (ran.returncode, ran.stderr) == (2, "outgate: there is no command 'no-such-program', check its spelling and PATH\n")


@pytest.fixture(scope="module")
def unfenced(tmp_path_factory):
    """The same script where nothing holds it; its addresses are loopback's, so that nothing leaves."""
    folder = tmp_path_factory.mktemp("unfenced")
    with ExitStack() as stack:
        ground = lay_ground(stack, Path(__file__).parent)
        gate = stack.enter_context(subprocess.Popen(["sleep", "300"]))
        stack.callback(gate.kill)
        asked = {"tries": {**ground.outside, "v4": "127.0.0.1", "v6": "::1", "gate": gate.pid}, "probes": []}
        (folder / "asked.json").write_text(json.dumps(asked))
        (folder / "inside.py").write_text(inspect.getsource(inside))
        ran = subprocess.run([sys.executable, folder / "inside.py"], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)["tries"]


@pytest.mark.parametrize("name", ["loopback", "abstract", "unix-tmp", "unix-work", "own-file", "own-state", "signal", "rename"])
def test_without_a_fence_unfenced_this_way_is_open_so_that_the_fence_is_what_closes_it(unfenced, name):
    assert unfenced[name] == "out"


def test_a_datagram_that_is_answered_counts_as_out(own):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        script = f"import sys; sys.path.insert(0, {str(Path(inside.__file__).parent)!r}); import inside, socket\n"
        script += f"print(inside.refused(lambda: inside.connect(socket.AF_INET, socket.SOCK_DGRAM, {server.getsockname()!r})))"
        asking = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        server.settimeout(60)
        _, whom = server.recvfrom(100)
        server.sendto(b"x", whom)
        assert asking.communicate(timeout=60)[0] == "out\n"
