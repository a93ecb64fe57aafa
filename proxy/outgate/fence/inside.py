"""Runs inside a fence, alone: tries what must not work, then runs programs.

Nothing of Outgate is imported: the file is handed into the fence. It reads `asked.json` beside it and prints JSON. An attempt
that is refused gives the refusal's name; one that gets through gives "out".
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

OUT = "out"
PATIENCE = 15
AT_ONCE = 3
NO_MODULE = 77
"""Exit code of a probe whose library is not installed."""
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
MNT_DETACH = 2


def refused(step: Callable[[], Any]) -> str:
    """Take a step; the name of what refused it, or OUT."""
    try:
        step()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    return OUT


def connect(family: int, kind: int, address: Any) -> None:
    """Reach somebody: a connection, or an answer to a datagram."""
    with socket.socket(family, kind) as one:
        one.settimeout(PATIENCE)
        one.connect(address)
        if kind == socket.SOCK_DGRAM:
            one.send(b"outgate doctor")
            one.recv(1)


def answered(family: int, address: Any) -> None:
    """The same where the gate itself takes connections: it closes one on which nothing is asked that it could decide."""
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(PATIENCE)
        one.connect(address)
        one.sendall(b"outgate doctor\n")
        try:
            if one.recv(1) == b"":
                raise ConnectionResetError(errno.ECONNRESET, "closed by the gate")
        except TimeoutError:
            return  # somebody listens there, and it is not the gate


def called(result: int) -> None:
    """Raise what a C function says through errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def in_child(step: Callable[[], None]) -> Callable[[], None]:
    """The same in a forked child, as it changes what the process is."""

    def run() -> None:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, refused(step).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        if said != OUT:
            raise OSError(getattr(errno, said, errno.EPERM), said)

    return run


def tries(asked: dict[str, Any]) -> dict[str, str]:
    """Every way out that we know of, by its id in check.py."""
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    v4, v6 = asked["v4"], asked["v6"]
    steps: dict[str, Callable[[], Any]] = {
        "tcp-https": lambda: answered(socket.AF_INET, (v4, 443)),
        "tcp-ssh": lambda: connect(socket.AF_INET, stream, (v4, 22)),
        "tcp-dns": lambda: connect(socket.AF_INET, stream, (v4, 53)),
        "tcp-v6": lambda: answered(socket.AF_INET6, (v6, 443)),
        "udp-dns": lambda: connect(socket.AF_INET, datagram, (v4, 53)),
        "udp-quic": lambda: connect(socket.AF_INET, datagram, (v4, 443)),
        "udp-v6": lambda: connect(socket.AF_INET6, datagram, (v6, 443)),
        "name": lambda: socket.getaddrinfo("name.doctor.invalid", 443),
        "ping": lambda: socket.socket(socket.AF_INET, datagram, socket.IPPROTO_ICMP).close(),
        "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
        "packet": lambda: socket.socket(17, socket.SOCK_RAW, 0).close(),
        "vsock": lambda: socket.socket(40, stream, 0).close(),
        "loopback": lambda: connect(socket.AF_INET, stream, ("127.0.0.1", asked["port"])),
        "abstract": lambda: connect(socket.AF_UNIX, stream, "\0" + asked["abstract"]),
        "unix-tmp": lambda: connect(socket.AF_UNIX, stream, asked["unix_tmp"]),
        "unix-work": lambda: connect(socket.AF_UNIX, stream, asked["unix_work"]),
        "own-file": lambda: Path(asked["secret"]).read_text(),
        "own-state": lambda: listed(asked["state"]),
        "signal": lambda: os.kill(asked["gate"], 0),
        "trace": lambda: traced(asked["gate"]),
        "read-init": lambda: Path("/proc/1/ns/net").readlink(),
        "uncover": lambda: uncovered(asked["hidden"]),
        "nested-uncover": in_child(lambda: nested(lambda: uncovered(asked["hidden"]))),
        "nested-raw": in_child(lambda: nested(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close())),
        "rename": lambda: Path(asked["around"]).rename(asked["around"] + "-moved"),
    }
    return {name: refused(step) for name, step in steps.items()}


def listed(folder: str) -> None:
    """Find something of the gate's own in its folder."""
    if not any(Path(folder).iterdir()):
        raise OSError(errno.ENOENT, "empty")


def traced(pid: int) -> None:
    """Attach to a process without stopping it (ptrace(2), PTRACE_SEIZE)."""
    called(ctypes.CDLL(None, use_errno=True).ptrace(0x4206, pid, 0, 0))


def uncovered(folder: str) -> None:
    """Take away what covers a folder."""
    called(ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(folder), MNT_DETACH))


def nested(step: Callable[[], None]) -> None:
    """Take a step with every capability of a further user namespace."""
    called(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNS))
    step()


def probe(asked: dict[str, Any]) -> dict[str, Any]:
    """Run one program; its exit code, the end of what it complained of, and its version."""
    folder = Path(asked["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in asked["files"].items():
        (folder / name).write_text(text)
    code, said = run(asked["argv"], folder, {**os.environ, **asked["environ"]})
    quiet = {name: value for name, value in os.environ.items() if name != "JAVA_TOOL_OPTIONS"}  # announced, with an address in it
    _, version = run(asked["version"], folder, quiet)
    number = re.search(r"\d+(?:\.\d+)+", version)
    return {"code": code, "said": said[-400:], "version": number.group() if number else ""}


def run(argv: list[str], folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Exit code and output; 124 for one that took too long, as timeout(1) has it."""
    try:
        done = subprocess.run(  # noqa: S603  # the table of runtimes.py, in a fence
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, "no answer in time"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode(errors="replace")


def main() -> None:
    """Try, then run, then say."""
    asked = json.loads(Path(__file__).with_name("asked.json").read_text())
    tried = tries(asked["tries"]) if asked["tries"] else {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        probed = {one["name"]: said for one, said in zip(asked["probes"], pool.map(probe, asked["probes"]), strict=True)}
    json.dump({"tries": tried, "probes": probed}, sys.stdout)


if __name__ == "__main__":
    main()
