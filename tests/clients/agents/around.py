"""Try to reach the world without the proxy, in the ways that real programs do. Prints what came of each as one JSON object.

argv: a JSON object of what there is on this machine: {port, abstract, socket, state, pid}.
"""

import asyncio
import errno
import json
import os
import socket
import sys
from pathlib import Path

import aiohttp
import urllib3

THERE = json.loads(sys.argv[1])


def tcp(address, port):
    socket.create_connection((address, port), timeout=5).close()


def udp(family, address, port):
    """Whether anybody answers. A name server's refusal is none."""
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.settimeout(2)
        out.connect((address, port))
        out.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04test\x00\x00\x01\x00\x01")
        if out.recv(512)[3] & 15 == 5:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "name server refused")


def ping():
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP) as out:
                out.settimeout(2)
                out.connect(("192.0.2.1", 0))
                out.send(b"\x08\x00\xf7\xff\x00\x00\x00\x00")
                out.recv(512)
                return
        except OSError as error:
            last = error
    raise last


def without_proxy():
    urllib3.PoolManager(retries=False, timeout=5).request("GET", "https://api.github.com/")


def by_address():
    urllib3.PoolManager(retries=False, timeout=5).request("GET", "https://192.0.2.1/")


def without_trust_env():
    async def call():
        async with aiohttp.ClientSession() as session, session.get("https://api.github.com/"):
            pass

    asyncio.run(call())


def unix(path):
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(path)


WAYS = {
    "tcp": lambda: tcp("192.0.2.1", 443),
    "tcp 22": lambda: tcp("192.0.2.1", 22),
    "tcp over IPv6": lambda: tcp("2001:db8::1", 443),
    "udp 53": lambda: udp(socket.AF_INET, "192.0.2.1", 53),
    "udp 443": lambda: udp(socket.AF_INET, "192.0.2.1", 443),
    "udp over IPv6": lambda: udp(socket.AF_INET6, "2001:db8::1", 53),
    "icmp": ping,
    "metadata": lambda: tcp("169.254.169.254", 80),
    "a name": lambda: socket.getaddrinfo("api.github.com", 443),
    "urllib3 without the proxy": without_proxy,
    "urllib3 to an address": by_address,
    "aiohttp without trust_env": without_trust_env,
    "the host's loopback": lambda: tcp("127.0.0.1", THERE["port"]),
    "the host's loopback, IPv6": lambda: tcp("::1", THERE["port"]),
    "an abstract socket": lambda: unix("\0" + THERE["abstract"]),
    "a socket in the file system": lambda: unix(THERE["socket"]),
    "the gate's folder": lambda: next(Path(THERE["state"]).iterdir()),
    "a signal to a process outside": lambda: os.kill(THERE["pid"], 0),
    "the memory of a process outside": lambda: Path(f"/proc/{THERE['pid']}/mem").read_bytes(),
}

said = {}
for name, way in WAYS.items():
    try:
        way()
        said[name] = "open"
    except Exception as error:
        number = getattr(error, "errno", None)
        said[name] = errno.errorcode.get(number, type(error).__name__) if isinstance(number, int) else type(error).__name__
print(json.dumps(said))
