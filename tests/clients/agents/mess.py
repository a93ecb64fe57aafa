"""Behave badly at the proxy: noise, halves of everything, early leavings. Then say so, and ask for something properly."""

import contextlib
import os
import socket
import ssl
import struct
import urllib.request
from urllib.parse import urlsplit

PROXY = urlsplit(os.environ["HTTPS_PROXY"])
CONNECT = b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n"


def opened(*sent):
    connection = socket.create_connection((PROXY.hostname, PROXY.port), timeout=10)
    for data in sent:
        connection.sendall(data)
    return connection


def tunnel():
    connection = opened(CONNECT)
    while b"\r\n\r\n" not in connection.recv(4096, socket.MSG_PEEK):
        pass
    connection.recv(4096)
    return connection


def leave_at_once(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_all(connection):
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
    connection.close()


for noise in (
    b"\x00" * 64,
    b"\x16\x03\x01\x00\x05hello",
    b"GET\r\n\r\n",
    b"\xff\xfe" * 500,
    b"SSH-2.0-x\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"A" * 100_000,
):
    with contextlib.suppress(OSError):
        read_all(opened(noise))
    leave_at_once(opened(noise[:2]))
opened(CONNECT[:20]).close()
leave_at_once(tunnel())
for noise in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00\x01\x02"):
    connection = tunnel()
    connection.sendall(noise)
    leave_at_once(connection)
trusting_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
try:
    trusting_nobody.wrap_socket(tunnel(), server_hostname="other.test")
except ssl.SSLError as error:
    print(error.reason)
secure = ssl.create_default_context().wrap_socket(tunnel(), server_hostname="other.test")
secure.sendall(b"POST /half HTTP/1.1\r\nHost: other.test\r\nContent-Length: 1000\r\n\r\nhalf")
leave_at_once(secure)
kept = [opened() for _ in range(50)]
print(urllib.request.urlopen("https://other.test/proper", timeout=30).read().decode())
