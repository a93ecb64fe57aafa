"""The bench's client: CONNECT and TLS by hand, so that the proxy is what is measured. Prints one JSON object.

client.py keepalive SECONDS CONNECTIONS | new SECONDS CONNECTIONS | download BYTES | events COUNT
"""

import asyncio
import json
import os
import ssl
import sys
import time
from urllib.parse import urlsplit

HOST, PORT = os.environ["BENCH_HOST"], int(os.environ["BENCH_PORT"])
PROXY = urlsplit(os.environ["https_proxy"])
HEADERS = (
    f"Host: {HOST}:{PORT}\r\nUser-Agent: python-httpx/0.28\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
    "Authorization: Bearer xyz\r\nContent-Type: application/json\r\n\r\n"
)


def context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ.get("BENCH_CA") or os.environ["SSL_CERT_FILE"])


async def connect(tls: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(PROXY.hostname, PROXY.port)
    writer.write(f"CONNECT {HOST}:{PORT} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in answer.splitlines()[0], answer
    await writer.start_tls(tls, server_hostname=HOST)
    return reader, writer


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> bytes:
    writer.write(f"GET {target} HTTP/1.1\r\n{HEADERS}".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0], head
    return head


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


async def rate(kind: str, seconds: float, connections: int) -> dict[str, float]:
    tls, took = context(), []
    each = {"keepalive": keepalive, "new": new}[kind]
    reader, writer = await connect(tls)
    await small(reader, writer)
    writer.close()
    began = time.perf_counter()
    await asyncio.gather(*(each(began + seconds, tls, took) for _ in range(connections)))
    spent = time.perf_counter() - began
    took.sort()
    return {
        "requests": len(took) + 1,
        "per_second": len(took) / spent,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[int(len(took) * 0.99)] * 1000,
    }


async def download(size: int) -> dict[str, float]:
    reader, writer = await connect(context())
    began = time.perf_counter()
    await get(reader, writer, f"/big?n={size}")
    left = size
    while left:
        left -= len(await reader.read(min(left, 1 << 18)))
    spent = time.perf_counter() - began
    writer.close()
    return {"mb_per_second": size / spent / 1e6}


async def events(count: int) -> dict[str, float]:
    reader, writer = await connect(context())
    await small(reader, writer)
    began = time.perf_counter()
    await get(reader, writer, f"/events?n={count}")
    await reader.readuntil(b"data: 0")
    first = time.perf_counter() - began
    await reader.readuntil(b"0\r\n\r\n")
    whole = time.perf_counter() - began
    writer.close()
    return {"first_ms": first * 1000, "whole_ms": whole * 1000}


def main() -> None:
    match sys.argv[1:]:
        case ["keepalive" | "new" as kind, seconds, connections]:
            found = asyncio.run(rate(kind, float(seconds), int(connections)))
        case ["download", size]:
            found = asyncio.run(download(int(size)))
        case ["events", count]:
            found = asyncio.run(events(int(count)))
        case _:
            sys.exit(__doc__)
    print(json.dumps(found))


main()
