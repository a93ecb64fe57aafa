"""A server of the Model Context Protocol: the `mcp` package's own, over TLS, that remembers what reached it as the others do."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from clients.lookalikes import Seen
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

if TYPE_CHECKING:
    from pathlib import Path

    from clients.lookalikes import LookAlikes

MCP = "mcp.tickets.test"


class McpHost:
    """https://mcp.tickets.test/mcp, with three tools. Use as a context manager."""

    def __init__(self, services: LookAlikes, folder: Path) -> None:
        self._services = services
        self._app = _tickets().streamable_http_app(transport_security=TransportSecuritySettings(allowed_hosts=[MCP]))
        key, chain = services.pem
        (folder / "mcp.pem").write_bytes(key + chain)
        config = uvicorn.Config(
            self._remembering, interface="asgi3", ssl_certfile=folder / "mcp.pem", log_level=logging.ERROR, lifespan="on"
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        services.elsewhere[MCP] = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    async def _remembering(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            query = scope["query_string"].decode("latin-1")
            seen = Seen(
                method=scope["method"],
                scheme="https",
                host=MCP,
                port=443,
                target=scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
                version=f"HTTP/{scope['http_version']}",
                headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
                content=b"",
            )
            self._services.remember(seen)
        await self._app(scope, receive, send)


def _tickets() -> MCPServer:
    server = MCPServer("tickets", log_level="ERROR")

    @server.tool()
    def get_ticket(id: str) -> str:  # noqa: A002  # what its callers say
        return f"{id}: a title"

    @server.tool()
    def create_ticket(title: str) -> str:
        return f"T-8: {title}"

    @server.tool()
    def delete_ticket(id: str) -> str:  # noqa: A002  # what its callers say
        return f"{id} is gone"

    return server
