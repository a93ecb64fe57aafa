"""The bench's client: CONNECT and TLS by hand, so that the proxy is what is measured.

client.py keepalive SECONDS CONNECTIONS | new SECONDS CONNECTIONS | download BYTES | upload BYTES | events COUNT
client.py idle COUNT | asked COUNT

Prints `ready` when it is warm, one JSON object, and `done` before it lets go of its connections.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from urllib.parse import urlsplit

HOST, PORT = os.environ["BENCH_HOST"], int(os.environ["BENCH_PORT"])
DIRECT = os.environ.get("BENCH_DIRECT")
PROXY = urlsplit(os.environ.get("https_proxy", ""))
LINES = (
    f"Host: {HOST}:{PORT}\r\nUser-Agent: python-httpx/0.28\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
    "Authorization: Bearer xyz\r\nContent-Type: application/json\r\n"
)
BLOCK = bytes(1 << 18)
AT_ONCE = 50
"""Connections that are opened together, where there are many."""


def context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ.get("BENCH_CA") or os.environ["SSL_CERT_FILE"])


async def connect(tls: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if DIRECT:
        return await asyncio.open_connection("127.0.0.1", int(DIRECT), ssl=tls, server_hostname=HOST)
    reader, writer = await asyncio.open_connection(PROXY.hostname, PROXY.port)
    writer.write(f"CONNECT {HOST}:{PORT} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in answer.splitlines()[0], answer
    await writer.start_tls(tls, server_hostname=HOST)
    return reader, writer


async def head(reader: asyncio.StreamReader) -> bytes:
    got = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in got.splitlines()[0], got + await reader.read(1000)
    return got


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> bytes:
    writer.write(f"GET {target} HTTP/1.1\r\n{LINES}\r\n".encode())
    return await head(reader)


async def small(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await get(reader, writer, "/small")
    await reader.readexactly(2)


async def keepalive(until: float, tls: ssl.SSLContext, took: list[float]) -> None:
    reader, writer = await connect(tls)
    await small(reader, writer)
    while (began := time.perf_counter()) < until:
        await small(reader, writer)
        took.append(time.perf_counter() - began)
    writer.close()


async def new(until: float, tls: ssl.SSLContext, took: list[float]) -> None:
    while (began := time.perf_counter()) < until:
        reader, writer = await connect(tls)
        await small(reader, writer)
        took.append(time.perf_counter() - began)
        writer.close()


def say(word: str) -> None:
    print(word, flush=True)


async def rate(kind: str, seconds: float, connections: int) -> None:
    tls, took = context(), []
    each = {"keepalive": keepalive, "new": new}[kind]
    await each(time.perf_counter() + 0.5, tls, [])
    say("ready")
    began = time.perf_counter()
    await asyncio.gather(*(each(began + seconds, tls, took) for _ in range(connections)))
    spent = time.perf_counter() - began
    took.sort()
    found = {
        "requests": len(took),
        "per_second": len(took) / spent,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[int(len(took) * 0.99)] * 1000,
    }
    say("done")
    say(json.dumps(found))


async def download(size: int) -> None:
    reader, writer = await connect(context())
    await taken(reader, writer, size // 50)
    say("ready")
    began = time.perf_counter()
    await taken(reader, writer, size)
    spent = time.perf_counter() - began
    say("done")
    say(json.dumps({"mb_per_second": size / spent / 1e6}))
    writer.close()


async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    await get(reader, writer, f"/big?n={size}")
    while size:
        size -= len(await reader.read(min(size, len(BLOCK))))


async def upload(size: int) -> None:
    reader, writer = await connect(context())
    await given(reader, writer, size // 50)
    say("ready")
    began = time.perf_counter()
    await given(reader, writer, size)
    spent = time.perf_counter() - began
    say("done")
    say(json.dumps({"mb_per_second": size / spent / 1e6}))
    writer.close()


async def given(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    lines = LINES.replace("application/json", "application/octet-stream")
    writer.write(f"POST /taken HTTP/1.1\r\n{lines}Content-Length: {size}\r\n\r\n".encode())
    left = size
    while left:
        writer.write(BLOCK[:left])
        left -= min(left, len(BLOCK))
        await writer.drain()
    await head(reader)
    assert int(await reader.readexactly(20)) == size


async def events(count: int) -> None:
    reader, writer = await connect(context())
    took = []
    for turn in range(count + 5):
        if turn == 5:
            say("ready")
        began = time.perf_counter()
        await get(reader, writer, "/events?n=3")
        await reader.readuntil(b"data: 0")
        took.append(time.perf_counter() - began)
        await reader.readuntil(b"\r\n0\r\n\r\n")
    took = sorted(took[5:])
    say("done")
    say(json.dumps({"first_ms": took[len(took) // 2] * 1000, "first_p90_ms": took[int(len(took) * 0.9)] * 1000}))
    writer.close()


async def idle(count: int, *, ask: bool) -> None:
    """Many that ask nothing, or nothing more."""
    tls = context()
    held = [await connect(tls) for _ in range(10)]
    for pair in held:
        await small(*pair)
    await asyncio.sleep(1)
    say("ready")
    for _ in range(count // AT_ONCE):
        more = await asyncio.gather(*(connect(tls) for _ in range(AT_ONCE)))
        if ask:
            await asyncio.gather(*(small(*pair) for pair in more))
        held += more
    await asyncio.sleep(1)
    say("done")
    say(json.dumps({"connections": len(held) - 10}))


def main() -> None:
    match sys.argv[1:]:
        case ["keepalive" | "new" as kind, seconds, connections]:
            asyncio.run(rate(kind, float(seconds), int(connections)))
        case ["download", size]:
            asyncio.run(download(int(size)))
        case ["upload", size]:
            asyncio.run(upload(int(size)))
        case ["events", count]:
            asyncio.run(events(int(count)))
        case ["idle" | "asked" as kind, count]:
            asyncio.run(idle(int(count), ask=kind == "asked"))
        case _:
            sys.exit(__doc__)


main()
