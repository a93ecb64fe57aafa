"""What a program connects to by itself, on the ports that are turned, comes to the gate; all else is as without."""

import json

import pytest

TURNED = (443, 8443)
SAY = """
import concurrent.futures, json, socket
def say(family, address, *, device=None):
    with socket.socket(family) as s:
        s.settimeout(20)
        if device: s.setsockopt(socket.SOL_SOCKET, 25, device)
        s.connect(address)
        s.settimeout(20)
        return s.makefile().readline().strip()
def refused(family, address, kind=socket.SOCK_STREAM, *, device=None, seconds=20):
    with socket.socket(family, kind) as s:
        s.settimeout(seconds)
        if device: s.setsockopt(socket.SOL_SOCKET, 25, device)
        try:
            s.connect(address)
            if kind == socket.SOCK_DGRAM: s.send(b"x"); s.recv(1)
        except OSError as error: return type(error).__name__
        return "out"
"""


def said(ground, expression: str, **more):
    done = ground.python(f"{SAY}\nprint(json.dumps({expression}))", turned=TURNED, **more)
    assert done["unturned"] == ""
    return json.loads(done["out"]), done


@pytest.mark.parametrize(
    ("family", "address", "where"),
    [
        ("AF_INET", ("192.0.2.1", 443), "192.0.2.1 443"),
        ("AF_INET", ("169.254.169.254", 8443), "169.254.169.254 8443"),
        ("AF_INET", ("10.0.0.1", 443), "10.0.0.1 443"),
        ("AF_INET", ("198.18.0.1", 443), "198.18.0.1 443"),
        ("AF_INET6", ("2001:db8::1", 443), "2001:db8::1 443"),
        ("AF_INET6", ("::ffff:192.0.2.1", 443), "192.0.2.1 443"),
    ],
)
def test_every_address_leads_to_the_gate_which_sees_where_it_was_going(ground, family, address, where):
    told, done = said(ground, f"say(socket.{family}, {address!r})")
    assert (told, done["attempts"]) == (where, [])


@pytest.mark.parametrize(
    ("family", "address", "kind"),
    [
        ("AF_INET", ("192.0.2.1", 443), "SOCK_DGRAM"),
        ("AF_INET", ("192.0.2.1", 80), "SOCK_STREAM"),
        ("AF_INET", ("192.0.2.1", 22), "SOCK_STREAM"),
        ("AF_INET6", ("2001:db8::1", 443), "SOCK_DGRAM"),
        ("AF_INET6", ("2001:db8::1", 22), "SOCK_STREAM"),
        ("AF_INET", ("8.8.8.8", 53), "SOCK_DGRAM"),
    ],
)
def test_all_else_is_refused_and_seen_as_before(ground, family, address, kind):
    told, done = said(ground, f"refused(socket.{family}, {address!r}, socket.{kind})")
    assert told == "ConnectionRefusedError"
    (attempt,) = done["attempts"]
    assert (attempt["address"], attempt["port"]) == address


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_the_wire_leads_to_the_gates_listeners_and_nowhere_else(ground, kind):
    """A program may name the device: there is nobody behind it but the gate."""
    addresses = [(address, port) for address in ("192.0.2.1", "198.18.0.1", "192.0.0.8") for port in (22, 3128)]
    asked = f"lambda a: refused(socket.AF_INET, a, socket.{kind}, device=b'gate0', seconds=5)"
    told, _ = said(ground, f"list(concurrent.futures.ThreadPoolExecutor().map({asked}, {addresses!r}))")
    assert len(told) == len(addresses)
    assert "out" not in told


def test_loopback_is_the_programs_own_also_on_ports_that_are_turned(ground):
    script = """
servers = [socket.create_server((a, 8443)) for a in ("127.0.0.1", "127.0.0.2")] + [socket.create_server(("::1", 8443), family=socket.AF_INET6)]
import threading
def serve(one):
    while True:
        client, _ = one.accept(); client.sendall(b"own\\n"); client.close()
[threading.Thread(target=serve, args=(one,), daemon=True).start() for one in servers]
"""
    asked = "[say(socket.AF_INET, ('127.0.0.1', 8443)), say(socket.AF_INET, ('127.0.0.2', 8443)), say(socket.AF_INET6, ('::1', 8443)), refused(socket.AF_INET, ('127.0.0.1', 443)), say(socket.AF_INET, ('192.0.2.1', 8443))]"
    done = ground.python(f"{SAY}{script}\nprint(json.dumps({asked}))", turned=TURNED)
    assert json.loads(done["out"]) == ["own", "own", "own", "ConnectionRefusedError", "192.0.2.1 8443"]


def test_a_server_of_its_own_on_every_address_is_reached_by_its_own_and_no_other(ground):
    """What is turned goes to the gate, whoever listens in here."""
    script = """
server = socket.create_server(("0.0.0.0", 8443))
import threading
def serve():
    while True:
        client, _ = server.accept(); client.sendall(b"own\\n"); client.close()
threading.Thread(target=serve, daemon=True).start()
"""
    asked = "[say(socket.AF_INET, ('127.0.0.1', 8443)), say(socket.AF_INET, ('192.0.2.1', 8443))]"
    done = ground.python(f"{SAY}{script}\nprint(json.dumps({asked}))", turned=TURNED)
    assert json.loads(done["out"]) == ["own", "192.0.2.1 8443"]


QUESTION = b"\0\7\1\0\0\1\0\0\0\0\0\0\6secret\4test\0\0\1\0\1"
ASKED = f"""
import socket
question = {QUESTION!r}
server = open("/etc/resolv.conf").read().split()[1]
with socket.socket(type=socket.SOCK_DGRAM) as s:
    s.settimeout(20); s.connect((server, 53)); s.send(b"noise"); s.send(question)
    print(socket.inet_ntoa(s.recv(512)[-4:]))
with socket.create_connection((server, 53), 20) as s:
    s.sendall(len(question).to_bytes(2) + question)
    print(socket.inet_ntoa(s.makefile("rb").read(2 + len(question) + 16)[-4:]))
print(socket.gethostbyname("secret.test"))
try: open("/etc/resolv.conf", "a")
except OSError as error: print(type(error).__name__)
"""


def test_names_are_asked_for_in_there_by_datagram_and_by_stream(ground):
    done = ground.python(ASKED, turned=TURNED)
    assert done["out"].split()[:3] == ["198.18.1.0"] * 3, done
    assert done["out"].split()[3] in {"OSError", "PermissionError"}
    assert done["attempts"] == []


def test_where_nothing_is_turned_names_are_asked_for_as_before(own):
    done = own.python("print(open('/etc/resolv.conf').read(), end='')")
    assert "198.18.0.1" not in done["out"]


def test_as_many_ports_as_a_fence_has_are_handed_over(own):
    ports = list(range(9000, 9100))
    done = own.python(f"{SAY}\nprint([say(socket.AF_INET, ('192.0.2.1', p)) for p in (9000, 9099)])", turned=ports)
    assert done["out"] == "['192.0.2.1 9000', '192.0.2.1 9099']\n", done
    assert "too many ports" in own.python("", turned=ports, direct=[80])["refused"]
