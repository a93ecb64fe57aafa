"""From inside, the gate can be reached and nothing else; who tries is seen."""

import os
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

# TEST-NET-1 and the documentation prefix: nobody is there, wherever this runs.
V4, V6 = "192.0.2.1", "2001:db8::1"


@contextmanager
def listening(family, address):
    """Somebody who answers "outside" to whoever connects."""
    server = socket.socket(family)
    server.bind(address)
    server.listen()
    if family == socket.AF_UNIX and isinstance(address, str) and not address.startswith("\0"):
        Path(address).chmod(0o777)
    came = []

    def serve():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            came.append(client.recv(100))
            client.sendall(b"outside")
            client.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname(), came
    finally:
        server.shutdown(socket.SHUT_RDWR) if family != socket.AF_UNIX else None
        server.close()


ASK = """
def ask(family, address):
    with socket.socket(family) as s:
        s.settimeout(20); s.connect(address); s.sendall(b"hello\\n")
        print(s.recv(100).decode().strip())
"""


def test_what_connects_to_the_gates_port_reaches_the_process_outside(ground):
    done = ground.python("import socket" + ASK + 'ask(socket.AF_INET, ("127.0.0.1", 3128))')
    assert (done["out"], done["seen"]) == ("gate\n", ["hello"])


@pytest.mark.parametrize(
    ("family", "address", "kind"),
    [
        ("AF_INET", (V4, 443), "SOCK_STREAM"),
        ("AF_INET", (V4, 25), "SOCK_STREAM"),
        ("AF_INET", ("169.254.169.254", 80), "SOCK_STREAM"),
        ("AF_INET", ("10.0.0.1", 22), "SOCK_STREAM"),
        ("AF_INET", (V4, 443), "SOCK_DGRAM"),
        ("AF_INET", (V4, 53), "SOCK_DGRAM"),
        ("AF_INET6", (V6, 443), "SOCK_STREAM"),
        ("AF_INET6", (V6, 53), "SOCK_DGRAM"),
        ("AF_INET6", ("::ffff:192.0.2.1", 443), "SOCK_STREAM"),
    ],
)
def test_every_address_refuses_at_once(own, family, address, kind):
    assert own.tries(f"tried(connect, socket.{family}, {address!r}, socket.{kind})") == "ECONNREFUSED"


def test_tcp_and_udp_are_refused_to_every_user(ground):
    script = f'for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM): tried(connect, socket.AF_INET, ("{V4}", 443), kind)'
    assert ground.tries(script).split() == ["ECONNREFUSED", "ECONNREFUSED"]


@pytest.mark.parametrize(
    ("made", "refused"),
    [
        ("socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP", "EPERM"),
        ("socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP", "EACCES"),
        ("socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW", "EPERM"),
        ("17, socket.SOCK_RAW, 0x300", "EAFNOSUPPORT"),
        ("40, socket.SOCK_STREAM, 0", "EAFNOSUPPORT"),
        ("38, socket.SOCK_SEQPACKET, 0", "EAFNOSUPPORT"),
    ],
    ids=["raw ICMP", "ping", "raw IPv6", "packet", "vsock", "alg"],
)
def test_sockets_that_know_no_address_are_refused(ground, made, refused):
    assert ground.tries(f"tried(socket.socket, {made})") == refused


def test_names_are_not_looked_up_and_the_attempt_says_which_name(own):
    done = own.python(
        'import socket\ntry: socket.getaddrinfo("secret.example.test", 443)\nexcept OSError as e: print(type(e).__name__)'
    )
    assert done["out"] == "gaierror\n"
    assert {a["name"] for a in done["attempts"] if a["port"] == 53} >= {"secret.example.test"}


def test_an_attempt_is_seen_with_its_process_protocol_address_and_port(ground):
    done = ground.python(
        f"import os, socket\nprint(os.path.basename(os.path.realpath('/proc/self/exe')))\n"
        f"try: socket.create_connection(('{V4}', 22), 20)\nexcept OSError: pass"
    )
    (attempt,) = done["attempts"]
    assert attempt.pop("pid") > 1
    assert attempt == {"process": done["out"].strip(), "protocol": "tcp", "address": V4, "port": 22, "name": ""}


def test_an_attempt_by_ipv6_is_seen(own):
    done = own.python(f"import socket\ntry: socket.create_connection(('{V6}', 22), 20)\nexcept OSError: pass")
    assert [(a["protocol"], a["address"], a["port"]) for a in done["attempts"]] == [("tcp", V6, 22)]


def test_the_same_attempt_is_told_once(own):
    done = own.python(
        f"import socket\nfor _ in range(5):\n  try: socket.create_connection(('{V4}', 22), 20)\n  except OSError: pass"
    )
    assert len(done["attempts"]) == 1


def test_what_goes_to_the_gate_is_no_attempt(own):
    done = own.python("import socket" + ASK + 'ask(socket.AF_INET, ("127.0.0.1", 3128))')
    assert done["attempts"] == []


def test_a_listener_on_the_hosts_loopback_is_out_of_reach(ground):
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as ((_, port), came):
        assert ground.tries(f'tried(connect, socket.AF_INET, ("127.0.0.1", {port}))') == "ECONNREFUSED"
        assert came == []


def test_a_port_that_was_asked_for_is_the_hosts(ground):
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as ((_, port), came):
        done = ground.python("import socket" + ASK + f'ask(socket.AF_INET, ("127.0.0.1", {port}))', direct=[port])
        assert done.get("out") == "outside\n", done
        assert came == [b"hello\n"]


def test_a_port_that_was_asked_for_can_be_reached_by_ipv6_loopback_too(own):
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as ((_, port), _):
        done = own.python("import socket" + ASK + f'ask(socket.AF_INET6, ("::1", {port}))', direct=[port])
        assert done.get("out") == "outside\n", done


def test_an_abstract_unix_socket_is_out_of_reach(ground):
    name = f"\0outgate-test-{os.getpid()}-{ground.uid}"
    with listening(socket.AF_UNIX, name) as (_, came):
        assert ground.tries(f"tried(connect, socket.AF_UNIX, {name!r})") == "ECONNREFUSED"
        assert came == []


@pytest.mark.parametrize("where", ["home", "cwd", "root"])
def test_a_unix_socket_in_reach_of_the_work_is_hidden(ground, where):
    path = str(getattr(ground, where) / "s.sock")
    with listening(socket.AF_UNIX, path) as (_, came):
        assert ground.tries(f"tried(connect, socket.AF_UNIX, {path!r})") in {"EACCES", "ENOENT", "ECONNREFUSED"}
        assert came == []


def test_a_unix_socket_anywhere_in_the_file_system_is_hidden(solid):
    path = str(solid.root / "s.sock")
    with listening(socket.AF_UNIX, path) as (_, came):
        assert solid.tries(f"tried(connect, socket.AF_UNIX, {path!r})") == "EACCES"
        assert came == []


def test_a_unix_socket_that_is_shared_can_be_reached(ground):
    path = str(ground.cwd / "s.sock")
    with listening(socket.AF_UNIX, path):
        done = ground.python("import socket" + ASK + f"ask(socket.AF_UNIX, {path!r})", share=[path])
        assert done.get("out") == "outside\n", done
