"""The bench's upstream: HTTP/1.1 over TLS on loopback, as cheap as Python allows.

    upstream.py CERT_CHAIN PORT_FILE
GET /small: 2 bytes · GET /big?n=BYTES: that many · POST /taken: how many bytes came, in twenty digits
GET /events?n=N: N server-sent events, 20 ms apart
"""

import asyncio
import ssl
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
BLOCK = bytes(1 << 16)


async def big(writer: asyncio.StreamWriter, size: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % size)
    while size > 0:
        writer.write(BLOCK[:size])
        size -= len(BLOCK)
        await writer.drain()


async def taken(reader: asyncio.StreamReader, head: bytes) -> int:
    size = left = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while left:
        left -= len(await reader.read(min(left, 1 << 18)))
    return size


async def events(writer: asyncio.StreamWriter, count: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for n in range(count):
        line = b"data: %d\n\n" % n
        writer.write(b"%x\r\n%s\r\n" % (len(line), line))
        await writer.drain()
        await asyncio.sleep(0.02)
    writer.write(b"0\r\n\r\n")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            if target == "/small":
                writer.write(SMALL)
            elif target == "/taken":
                size = await taken(reader, head)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n%020d" % size)
            else:
                parts = urlsplit(target)
                amount = int(parse_qs(parts.query)["n"][0])
                await (big if parts.path == "/big" else events)(writer, amount)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=1024)
    Path(sys.argv[2]).write_text(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


asyncio.run(main())
