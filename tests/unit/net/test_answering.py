import asyncio
import socket
import struct

import pytest

from outgate.net.answering import MOST_STREAMS, Answering
from outgate.net.names import Names

QUESTION = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\3api\4test\0" + struct.pack("!HH", 1, 1)
ADDRESS = bytes([198, 18, 1, 0])


@pytest.fixture
async def asked():
    """Where names are asked for: an address for datagrams, one for streams."""
    datagrams, streams = socket.socket(type=socket.SOCK_DGRAM), socket.create_server(("127.0.0.1", 0))
    datagrams.bind(("127.0.0.1", 0))
    places = datagrams.getsockname(), streams.getsockname()
    answering = Answering(Names())
    await answering.serve(datagrams, streams)
    yield places
    answering.close()


async def test_a_datagram_is_answered_and_what_is_no_question_is_not(asked):
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(asked[0])
        for sent in (b"", b"noise", QUESTION):
            client.send(sent)
        said = await asyncio.wait_for(loop.sock_recv(client, 4096), 20)
    assert said.endswith(ADDRESS)


async def test_a_stream_is_answered_question_by_question(asked):
    reader, writer = await asyncio.open_connection(*asked[1])
    framed = len(QUESTION).to_bytes(2) + QUESTION
    writer.write(framed + framed[:9])
    for rest in (framed[9:], b""):
        size = int.from_bytes(await reader.readexactly(2))
        assert (await reader.readexactly(size)).endswith(ADDRESS)
        writer.write(rest)
    writer.close()


@pytest.mark.parametrize("sent", [b"\xff\xff", b"\0\0", b"\0\x05noise"])
async def test_a_stream_of_anything_else_is_closed(asked, sent):
    reader, writer = await asyncio.open_connection(*asked[1])
    writer.write(sent)
    assert await reader.read() == b""
    writer.close()


async def test_more_streams_than_are_served_at_once_are_closed(asked):
    many = [await asyncio.open_connection(*asked[1]) for _ in range(MOST_STREAMS)]
    reader, writer = await asyncio.open_connection(*asked[1])
    assert await reader.read() == b""
    first, asking = many[0]
    asking.write(len(QUESTION).to_bytes(2) + QUESTION)
    assert (await first.readexactly(2 + len(QUESTION) + 16)).endswith(ADDRESS)
    for _, one in (*many, (reader, writer)):
        one.close()
