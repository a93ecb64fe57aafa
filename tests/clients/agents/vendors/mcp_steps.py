"""mcp: a client of streamable HTTP, in the protocol's last form and in the one before."""

import asyncio

import mcp

URL = "https://mcp.tickets.test/mcp"


def by(mode):
    async def go():
        async with mcp.Client(URL, mode=mode) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            read = await client.call_tool("get_ticket", {"id": "T-7"})
            made = await client.call_tool("create_ticket", {"title": "A title"})
            try:
                gone = (await client.call_tool("delete_ticket", {"id": "T-7"})).content[0].text
            except Exception as error:
                gone = {"error": type(error).__name__, "text": str(error)}
            return [tools, read.content[0].text, made.content[0].text, gone]

    return asyncio.run(go())


def as_of_today():
    return by("auto")


def with_a_handshake():
    return by("legacy")


STEPS = (as_of_today, with_a_handshake)
