"""What a machine can't give is one clear sentence: nothing is let out, nothing is lost, and the agent does not run unwatched."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Self

import pytest
from faults.loaded import HOST, LOAD, Upstream, World

from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import all_receipts, check_logs, log_folder, writers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults.loaded import Ran

needs_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="mounting a disk needs root")
DENIED = "echo 0 > /proc/sys/user/max_user_namespaces && exec"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Upstream(tmp_path) as upstream:
        yield World(folder=tmp_path, upstream=upstream).prepare()


def refused(world: World, ran: Ran, code: int) -> str:
    """The agent did not run, nobody was asked, and one sentence says why."""
    assert ran.code == code, ran.stderr
    assert ran.stdout == "", "the agent would have said something"
    assert world.upstream.seen == []
    said = [line for line in ran.stderr.splitlines() if not line.startswith("outgate  ")]
    assert len(said) == 1, ran.stderr
    return said[0]


def events(world: World, what: str) -> list[dict]:
    return [receipt.fields["about"] for receipt in all_receipts(log_folder(world.state)) if receipt.type == what]


# the state folder


def test_a_state_folder_that_can_not_be_is_1(world: World) -> None:
    world.state.write_text("something else")
    said = refused(world, world.run(*world.load(1)), 1)
    assert said == f"outgate: no key can be kept in {world.state}/keys: Not a directory"


@needs_root
def test_a_state_folder_that_can_not_be_written_is_1(world: World) -> None:
    receipts_key(world.state)
    read_only = (
        'mount --bind "$OUTGATE_STATE" "$OUTGATE_STATE" && mount -o remount,ro,bind "$OUTGATE_STATE" || exit 77; exec "$@"'
    )
    ran = world.run(*world.load(1), before=["unshare", "-m", "sh", "-c", read_only, "sh"])
    if ran.code == 77:
        pytest.skip("this machine may not mount")
    assert "Read-only file system" in refused(world, ran, 1)


@needs_root
@pytest.mark.parametrize("size", ["4k", "16k", "100k", "300k"])
def test_a_disk_that_is_full_at_the_start_is_1_wherever_it_shows(world: World, size: str) -> None:
    world.state.mkdir()
    small = f'mount -t tmpfs -o size={size} outgate "$OUTGATE_STATE" || exit 77; exec "$@"'
    ran = world.run(*world.load(1), before=["unshare", "-m", "sh", "-c", small, "sh"])
    if ran.code == 77:
        pytest.skip("this machine may not mount")
    said = refused(world, ran, 1)
    assert "No space left on device" in said or "disk is full" in said


# metrics


def test_a_port_in_use_is_1(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(world, world.run(*world.load(1), options=("--metrics", f":{port}")), 1)
    assert said == f"outgate: can't serve metrics on 127.0.0.1:{port}: the port is in use, choose another"
    assert check_logs(writers(log_folder(world.state)), receipts_key(world.state).public).good


# the command


def test_a_program_that_the_kernel_will_not_start_is_2(world: World) -> None:
    program = world.work / "program"
    program.write_bytes(b"\x7fELF and nothing else")
    program.chmod(0o755)
    assert refused(world, world.run(program), 2) == f"outgate: the command '{program}' can't be started: exec format error"


@pytest.mark.parametrize("fence", ["fenced", "unfenced"])
def test_a_closed_stream_is_closed_for_the_command_and_nothing_of_the_gates_takes_its_place(world: World, fence: str) -> None:
    tell = "import os; print([(n, os.readlink(f'/proc/self/fd/{n}')) for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{n}')], os.readlink('/proc/self/fd/0'))"
    closed = ["sh", "-c", 'exec "$@" <&-', "sh"]
    ran = world.run(sys.executable, "-c", tell, before=closed, options=() if fence == "fenced" else ("--no-fence",))
    assert (ran.code, ran.stdout) == (0, "[] /dev/null\n"), ran.stderr


def test_where_standard_error_is_closed_the_commands_output_is_its_own(world: World) -> None:
    ran = world.run("echo", "mine", before=["sh", "-c", 'exec "$@" 2>&-', "sh"])
    assert (ran.code, ran.stdout, ran.stderr) == (0, "mine\n", "")


def test_a_folder_that_is_gone_is_2(world: World) -> None:
    (world.folder / "gone").mkdir()
    ran = world.run("true", before=["sh", "-c", f'cd "{world.folder}/gone" && rmdir "{world.folder}/gone" && exec "$@"', "sh"])
    said = refused(world, ran, 2)
    assert said == "outgate: the folder that this was started in is gone (no such file or directory), start elsewhere"


# the fence


def test_where_namespaces_are_denied_it_says_so_and_so_does_the_record(world: World) -> None:
    before = ["unshare", "-Ur", "sh", "-c", f'{DENIED} "$@"', "sh"]
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace here to deny them in")
    ran = world.run(*world.load(1), before=before)
    assert ran.code == 0, ran.stderr
    first, *rest = ran.stderr.splitlines()
    assert first.endswith("enforcing, not fenced. Live: outgate log -f")
    said = " ".join(line.strip() for line in rest)
    assert said.startswith("not fenced: same user, can go around (user namespaces are denied here: ")
    assert "sysctl user.max_user_namespaces is 0" in said
    assert set(ran.answered.values()) == {200}, "the gate does its work all the same"
    (start,) = events(world, "start")
    assert start["fenced"] is False
    assert "user namespaces are denied here" in start["unfenced"]


def test_where_nobody_wants_a_fence_the_record_says_so(world: World) -> None:
    ran = world.run("true", options=("--no-fence",))
    assert "\n         not fenced: same user, can go around\n" in ran.stderr
    assert [(start["fenced"], start["unfenced"]) for start in events(world, "start")] == [(False, "as asked")]


def test_fenced_the_record_says_so_and_what_was_given_back(world: World) -> None:
    world.run("true", options=("--direct", 5432, "--share", world.folder / "upstream-ca.pem"))
    (start,) = events(world, "start")
    assert (start["fenced"], start["unfenced"], start["direct"]) == (True, "", [5432])
    assert start["share"] == [str(LOAD), str(world.folder / "upstream-ca.pem")]


# an inherited proxy


class Proxy(ThreadingTCPServer):
    """A CONNECT proxy that leads everything to the upstream, or nowhere. Use as a context manager. `asked`: heads, as they came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, to: int, *, answer: bytes = b"200 Connection established") -> None:
        super().__init__(("127.0.0.1", 0), _Connect)
        self.to, self.answer = to, answer
        self.asked: list[list[str]] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connect(StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        self.server.asked.append([line.decode().rstrip("\r\n") for line in iter(self.rfile.readline, b"\r\n")])
        self.connection.sendall(b"HTTP/1.1 " + self.server.answer + b"\r\n\r\n")
        if not self.server.answer.startswith(b"200"):
            return
        with socket.create_connection(("127.0.0.1", self.server.to)) as upstream:
            back = threading.Thread(target=_copy, args=(upstream, self.connection), daemon=True)
            back.start()
            for data in iter(lambda: self.rfile.read1(65536), b""):
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    for data in iter(lambda: source.recv(65536), b""):
        target.sendall(data)


def behind(world: World, place: str) -> World:
    """An operator's environment with a proxy in it; nothing says where the host is, so only the proxy can know."""
    world.destinations({HOST: {"ca": str(world.upstream.ca_file)}})
    world.environ["HTTPS_PROXY"] = f"http://me:hunter2@{place}"
    return world


def test_an_inherited_proxy_becomes_the_way_and_is_said_at_the_start(world: World) -> None:
    with Proxy(world.upstream.port) as proxy:
        ran = behind(world, proxy.place).run(*world.load(2, threads=1))
    assert set(ran.answered.values()) == {200}
    assert world.upstream.seen == ["/0/0", "/0/1"]
    assert [head[0] for head in proxy.asked] == [f"CONNECT {HOST}:443 HTTP/1.1"]
    assert "proxy-authorization: Basic bWU6aHVudGVyMg==" in proxy.asked[0], "the proxy gets its credentials"
    assert f"         upstream proxy from the environment: http://{proxy.place}\n" in ran.stderr
    assert "hunter2" not in ran.stderr
    log = b"".join(path.read_bytes() for path in log_folder(world.state).rglob("*") if path.is_file())
    assert b"hunter2" not in log
    assert b"bWU6aHVudGVyMg" not in log


@pytest.mark.parametrize("answer", [b"407 Proxy Authentication Required", b"403 Forbidden"])
def test_a_proxy_that_refuses_is_no_reason_to_go_directly(world: World, answer: bytes) -> None:
    with Proxy(world.upstream.port, answer=answer) as proxy:
        ran = behind(world, proxy.place).run(*world.load(1, threads=1))
    assert list(ran.answered.values()) == [502]
    assert world.upstream.seen == []
    assert len(proxy.asked) == 1


def test_a_proxy_that_is_gone_is_no_reason_to_go_directly(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        place = f"127.0.0.1:{gone.getsockname()[1]}"
    ran = behind(world, place).run(*world.load(1, threads=1))
    assert list(ran.answered.values()) == [502]
    assert world.upstream.seen == []


def test_inherited_roots_are_trusted_and_said_at_the_start(world: World) -> None:
    world.destinations({HOST: {"address": f"127.0.0.1:{world.upstream.port}"}})
    world.environ["SSL_CERT_FILE"] = str(world.upstream.ca_file)
    ran = world.run(*world.load(1, threads=1))
    assert list(ran.answered.values()) == [200]
    assert f"         also trusting the certificates of SSL_CERT_FILE={world.upstream.ca_file}\n" in ran.stderr


def test_without_them_an_upstream_that_nobody_vouches_for_gets_nothing(world: World) -> None:
    world.destinations({HOST: {"address": f"127.0.0.1:{world.upstream.port}"}})
    ran = world.run(*world.load(1, threads=1))
    assert list(ran.answered.values()) == [502]
    assert world.upstream.seen == []
