"""Talk over a WebSocket to argv[1]; print what comes back, or why it was refused."""

import asyncio
import json
import sys

import aiohttp


async def talk(url):
    async with aiohttp.ClientSession(trust_env=True) as session, session.ws_connect(url) as socket:
        for said in ("one", "two" * 100):
            await socket.send_str(said)
            yield (await socket.receive()).data


async def main():
    try:
        print(json.dumps([said async for said in talk(sys.argv[1])]))
    except aiohttp.WSServerHandshakeError as error:
        print(json.dumps({"status": error.status, "decision": error.headers["Outgate-Decision"]}))


asyncio.run(main())
