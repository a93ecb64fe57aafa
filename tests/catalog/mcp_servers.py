"""Tools of published MCP servers beside what the servers say of them (`mcp_tools.json`, written by miners/mcp_hints.py)."""

import json
from pathlib import Path

from catalog.halves import Case

from outgate.actions.access import judge

_FILE = Path(__file__).parent / "mcp_tools.json"


def cases() -> list[Case]:
    """Judged by the tool's name alone, as at a server whose hints nobody trusts."""
    return [
        Case(key=server["package"], name=f"{server['package']} {tool}", reads=reads, judged=judge(tool))
        for server in json.loads(_FILE.read_bytes())
        for tool, reads, _ in server["tools"]
    ]


def destroying() -> list[Case]:
    """Those that their server calls destructive: it means any update that is not additive, so that not all are deletions."""
    return [
        Case(key=server["package"], name=f"{server['package']} {tool}", reads=False, judged=judge(tool))
        for server in json.loads(_FILE.read_bytes())
        for tool, reads, destroys in server["tools"]
        if destroys and not reads
    ]
