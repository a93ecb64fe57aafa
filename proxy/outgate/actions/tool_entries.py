"""Tool entries: what a service file says of the tools of MCP servers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.action import Access, Tier
from outgate.actions.protocols.mcp_servers import Server, Tool

if TYPE_CHECKING:
    from outgate.actions.entries import Entry

TOOL_KEYS = {"access", "tier", "why", "readOnlyHint", "destructiveHint"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")


def server_of(root: Entry, hosts: tuple[str, ...]) -> Server:
    """Give the servers of a file: its hosts, their tools, and whether the operator believes what they say of themselves."""
    trusted = root.get("trusted")
    if trusted.value not in {None, True, False}:
        trusted.say("'trusted' is true or false")
    tools = {name: _tool(name, inside) for name, inside in root.get("tools").items()}
    return Server(hosts=hosts, tools=tools, trusted=trusted.value is True)


def _tool(name: str, at: Entry) -> Tool:
    if not _NAME.fullmatch(name):
        at.say(f"'{name}' can't be a tool's name", key=True)
    said = {key: inside for key, inside in at.items(TOOL_KEYS) if inside.value is not None}
    if not said:
        at.say("a tool has an access, a tier, or what its server says of it: `delete_file: {access: delete, tier: T3}`")
    for key in ("readOnlyHint", "destructiveHint"):
        if key in said and not isinstance(said[key].value, bool):
            said[key].say(f"'{key}' is true or false")
    access = said["access"].choice("access", [access.value for access in Access]) if "access" in said else ""
    tier = said["tier"].choice("tier", [tier.name for tier in Tier]) if "tier" in said else ""
    return Tool(
        access=Access(access) if access else None,
        tier=Tier[tier] if tier else None,
        why=said["why"].text("'why'") if "why" in said else "",
        read_only=said["readOnlyHint"].value if "readOnlyHint" in said else None,
        destructive=said["destructiveHint"].value if "destructiveHint" in said else None,
    )
