"""No capabilities, no sight of what is outside, nothing inherited that leads out."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PYTHON = next(p for p in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable) if os.access(p, os.X_OK))


def test_nothing_is_left_of_any_capability(ground):
    script = "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('Cap')])"
    assert set(ground.tries(script).split()) == {"0000000000000000"}


def test_nothing_is_left_to_the_first_process_either(ground):
    script = "print(*[line.split()[1] for line in open('/proc/1/status') if line.startswith('Cap')])"
    assert set(ground.tries(script).split()) == {"0000000000000000"}


def test_no_privilege_can_be_gained_by_what_is_run(ground):
    script = "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith(('NoNewPrivs', 'Seccomp:'))])"
    assert ground.tries(script) == "1 2"


def test_only_the_fences_own_processes_can_be_seen(ground):
    assert ground.tries("print(*[p for p in os.listdir('/proc') if p.isdecimal()])").split() == ["1", "2"]


def test_the_gate_can_t_be_signalled_whoever_is_signalled(ground):
    """By pid, by group, everybody: the process outside lives, and gives the exit code."""
    script = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tried(os.kill, {gate}, 9)
os.kill(0, signal.SIGTERM)
tried(os.kill, -1, signal.SIGTERM)
tried(os.kill, 1, 9)
print(os.getpgrp() == os.getpid())
"""
    said = ground.tries("import signal\n" + script.format(gate=os.getpid())).split()
    assert said == ["ESRCH", "ESRCH", "done", "True"]  # SIGKILL to its own first process is ignored by the kernel


@pytest.mark.parametrize("what", ["mem", "environ", "fd/0", "root/", "cwd/", "ns/net"])
def test_the_first_process_can_t_be_read(ground, what):
    script = f"tried(os.listdir if {what!r}.endswith('/') else open, '/proc/1/{what}')"
    assert ground.tries(script) in {"EACCES", "EPERM"}


def test_the_first_process_can_t_be_traced(ground):
    script = """
libc = ctypes.CDLL(None, use_errno=True)
print(libc.ptrace(16, 1, 0, 0), errno.errorcode[ctypes.get_errno()])
"""
    assert ground.tries(script) == "-1 EPERM"


NESTED = """
libc = ctypes.CDLL(None, use_errno=True)
libc.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]
def call(f, *args):
    print("done" if f(*args) == 0 else errno.errorcode[ctypes.get_errno()])
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET = 0x10000000, 0x20000, 0x40000000
assert libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0
"""
"""With every capability of a further user namespace."""


def test_a_further_user_namespace_uncovers_nothing(ground):
    script = f"""
call(libc.umount2, {os.fsencode(ground.state)!r}, 2)
call(libc.umount2, b"/tmp", 2)
call(libc.mount, {os.fsencode(ground.state.parent)!r}, b"/mnt", None, 4096, None)
call(libc.mount, {os.fsencode(ground.state.parent)!r}, b"/mnt", None, 4096 | 16384, None)
print(os.listdir("/mnt/outgate"))
"""
    assert ground.tries(NESTED + script).split() == ["EINVAL", "EINVAL", "EINVAL", "done", "[]"]


def test_a_further_user_namespace_makes_nothing_writable(ground):
    rules = ground.write(ground.home / ".bashrc", "mine")
    script = f"""
call(libc.mount, None, {os.fsencode(rules)!r}, None, 32 | 4096, None)
tried(open, {str(rules)!r}, "a")
"""
    assert ground.tries(NESTED + script).split() == ["EPERM", "EROFS"]


def test_a_further_user_namespace_has_no_say_over_the_network(ground):
    script = """
tried(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
tried(socket.socket, 17, socket.SOCK_RAW, 0x300)
"""
    assert ground.tries(NESTED + script).split() == ["EPERM", "EAFNOSUPPORT"]


def test_a_further_network_namespace_leads_nowhere(ground):
    script = """
print(libc.unshare(CLONE_NEWNET))
tried(connect, socket.AF_INET, ("192.0.2.1", 443))
"""
    assert ground.tries(NESTED + script).split() == ["0", "ENETUNREACH"]


@pytest.mark.parametrize(
    ("call", "refused"),
    [
        ("keyctl", "EPERM"),
        ("add_key", "EPERM"),
        ("bpf", "EPERM"),
        ("perf_event_open", "EPERM"),
        ("userfaultfd", "EPERM"),
        ("open_by_handle_at", "EPERM"),
        ("io_uring_setup", "ENOSYS"),
    ],
)
def test_system_calls_that_lead_out_are_refused(own, call, refused):
    from outgate.fence.kernel import machine

    script = f"libc = ctypes.CDLL(None, use_errno=True); libc.syscall({machine().numbers[call]}, 0, 0, 0, 0, 0); print(errno.errorcode[ctypes.get_errno()])"
    assert own.tries(script) == refused


def test_nothing_open_but_standard_input_output_and_error_goes_in(ground, tmp_path):
    inherited = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        driver = ground.start(["/bin/ls", "/proc/self/fd"], pass_fds=[inherited])
        out, err = driver.communicate(timeout=60)
    finally:
        os.close(inherited)
    assert json.loads(out)["out"].split() == ["0", "1", "2", "3"], err  # 3 is ls's own listing


def test_a_folder_as_standard_input_is_refused(own):
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        out, _ = own.start(["true"], standard=[folder, 1, 2], pass_fds=[folder]).communicate(timeout=60)
    finally:
        os.close(folder)
    assert "standard input is a folder or a disk, which leads out of the fence" in json.loads(out)["refused"]


@pytest.mark.parametrize("kind", ["connected TCP", "datagram Unix", "listening Unix"])
def test_a_socket_that_can_be_connected_elsewhere_is_refused_as_standard_input(own, kind):
    if kind == "connected TCP":
        with socket.create_server(("127.0.0.1", 0)) as server:
            given = socket.create_connection(server.getsockname())
    elif kind == "datagram Unix":
        given = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    else:
        given = socket.socket(socket.AF_UNIX)
        given.bind(f"\0outgate-listening-{os.getpid()}")
        given.listen()
    with given:
        out, _ = own.start(["true"], stdin=given.fileno()).communicate(timeout=60)
    assert "standard input is a network socket, which leads out of the fence" in json.loads(out)["refused"]


def test_one_end_of_a_socket_pair_is_a_fine_standard_input(own):
    """What programs that start other programs give them."""
    here, there = socket.socketpair()
    with here, there:
        driver = own.start(["cat"], stdin=there.fileno())
        there.close()
        here.sendall(b"hello")
        here.close()
        out, _ = driver.communicate(timeout=60)
    assert json.loads(out)["out"] == "hello"


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until(claim, seconds=30.0):
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)  # another process's end can't be awaited but by looking


@pytest.mark.parametrize("fence", ["fenced", "unfenced"])
def test_when_the_gate_is_killed_the_command_and_all_that_it_started_end(own, fence):
    script = "import subprocess, sys; subprocess.Popen(['sleep', '300']); print('up', file=sys.stderr, flush=True); subprocess.run(['sleep', '300'])"
    driver = own.start([sys.executable, "-c", script], announce=True, unfenced=fence == "unfenced")
    pid = json.loads(driver.stdout.readline())["pid"]
    assert driver.stderr.readline() == "up\n"
    wait_until(lambda: len(group_of(pid)) == 3)
    group = group_of(pid)
    driver.kill()
    driver.communicate()
    wait_until(lambda: all(map(gone, group)))


def group_of(leader: int) -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and in_group(int(p.name), leader)]


def in_group(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def test_what_the_command_leaves_behind_ends_with_it(own):
    script = "import subprocess; print(subprocess.Popen(['setsid', 'sleep', '300'], stdout=subprocess.DEVNULL).pid)"
    before = sleepers()
    done = own.run([sys.executable, "-c", script])
    assert done["code"] == 0
    assert sleepers() <= before


def sleepers() -> set[int]:
    return set(
        map(int, subprocess.run(["pgrep", "-f", "^sleep 300$"], capture_output=True, text=True, check=False).stdout.split())
    )


def test_orphans_are_buried(own):
    script = """
import subprocess, os, time
subprocess.run(['sh', '-c', 'sleep 0.01 & true'])
end = time.monotonic() + 20
while [p for p in os.listdir('/proc') if p.isdecimal()] != ['1', '2'] and time.monotonic() < end: time.sleep(0.01)
print(*[p for p in os.listdir('/proc') if p.isdecimal()])
"""
    assert own.tries(script) == "1 2"


def test_where_namespaces_are_denied_one_sentence_says_so_and_what_to_do(own):
    done = own.run(["true"], forbid=True)
    assert done["kind"] == "UnavailableError"
    assert done["refused"] == (
        "no fence: user namespaces are denied here: no space left on device; sysctl user.max_user_namespaces is 0, raise it"
    )


def test_the_gate_can_t_be_read_by_others_of_its_user(ordinary):
    driver = ordinary.start(["sleep", "300"], announce=True)
    driver.stdout.readline()
    looked = subprocess.run(
        [PYTHON, "-c", f"import os; os.listdir('/proc/{driver.pid}/fd')"],
        user=ordinary.uid if os.getuid() == 0 else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PermissionError" in looked.stderr
