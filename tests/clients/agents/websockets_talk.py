"""Talk over WebSockets with the `websockets` library: text and bytes, small, large and many, on several connections at once.

argv: what to say to https://echo.test, of `talks`, `many` and `refused`. One JSON line each.
"""

import asyncio
import json
import sys

import websockets.asyncio.client
import websockets.exceptions
import websockets.sync.client

LARGE = bytes(range(256)) * 4096 * 6


def talks():
    with websockets.sync.client.connect("wss://echo.test/open", max_size=None) as socket:
        heard = []
        for said in ("", "one", "naïve ✓" * 10_000, LARGE):
            socket.send(said)
            heard.append(socket.recv() == said)
        socket.send(["in ", "three ", "pieces"])
        heard.append(socket.recv())
        pong = socket.ping()
        socket.send("after")
        heard.append(socket.recv())
        heard.append(pong.wait(10))
        socket.close(4321, "enough")
        return [*heard, socket.close_code]


def many():
    async def one(number):
        async with websockets.asyncio.client.connect("wss://echo.test/many") as socket:
            for at in range(100):
                await socket.send(f"{number}:{at}")
            return [await socket.recv() for _ in range(100)] == [f"{number}:{at}" for at in range(100)]

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(10)))

    return sum(asyncio.run(all_of_them()))


def refused():
    try:
        websockets.sync.client.connect("wss://echo.test/secret").close()
    except websockets.exceptions.InvalidStatus as error:
        return [error.response.status_code, json.loads(error.response.body)["message"]]


for name in sys.argv[1:]:
    print(json.dumps(globals()[name]()), flush=True)
