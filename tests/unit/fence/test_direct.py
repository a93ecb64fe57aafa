"""A relay carries bytes both ways, whoever ends first, and is a closed port where nobody listens."""

import asyncio
import socket
from contextlib import asynccontextmanager

from outgate.fence.direct import relay


def listener() -> socket.socket:
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen()
    return one


@asynccontextmanager
async def relayed(serve):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    inside = listener()
    going = await relay(inside, server.sockets[0].getsockname()[1])
    try:
        yield await asyncio.open_connection(*inside.getsockname())
    finally:
        going.close()
        server.close()


async def test_what_is_asked_after_the_end_of_asking_is_answered():
    async def echo(reader, writer):
        writer.write((await reader.read()).upper())
        writer.close()

    async with relayed(echo) as (reader, writer):
        writer.write(b"x" * 300_000)
        writer.write_eof()
        assert await reader.read() == b"X" * 300_000
        writer.close()


async def test_a_server_that_speaks_first_and_hangs_up_is_heard():
    async def greet(_, writer):
        writer.write(b"hello")
        writer.close()

    async with relayed(greet) as (reader, writer):
        assert await reader.read() == b"hello"
        writer.close()


async def test_where_nobody_listens_the_connection_is_reset():
    with listener() as nobody:
        port = nobody.getsockname()[1]
    inside = listener()
    going = await relay(inside, port)
    reader, writer = await asyncio.open_connection(*inside.getsockname())
    assert await heard(reader) == b""
    writer.close()
    going.close()


async def heard(reader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
