"""MCP servers as their operator knows them: what a tool does, whatever it is called and whatever the server says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from outgate.actions.access import judge
from outgate.actions.action import Access, Tier
from outgate.actions.router import HostRouter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.actions.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What is said of a tool. None is nothing.

    `access`, `tier` and `why` are the operator's word and settle it. `read_only` and `destructive` are the server's own, as its
    annotations say them (readOnlyHint, destructiveHint).
    """

    access: Access | None = None
    tier: Tier | None = None
    why: str = ""
    read_only: bool | None = None
    destructive: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Some hosts and their tools. `trusted`: what it says of its tools may make them look milder, too."""

    hosts: tuple[str, ...]
    tools: Mapping[str, Tool] = field(default_factory=lambda: MappingProxyType({}))
    trusted: bool = False


_AT_HAND = "mcp.servers"


def server_at(service: Service | None, authority: str) -> Server | None:
    """Give what is said of a host's tools, if anything is."""
    if service is None or not service.servers:
        return None
    router: HostRouter[Server] | None = service.at_hand.get(_AT_HAND)
    if router is None:
        router = service.at_hand[_AT_HAND] = HostRouter()
        for server in service.servers:
            for host in server.hosts:
                router.add(host, server)
    found = router.find(authority)
    return None if found is None else found.value


type Judged = tuple[Access, Tier, str, tuple[str, ...]]


def judge_tool(name: str, server: Server | None) -> Judged:
    """Judge a call of a tool: by its name, then by what its server says of it, then by what the operator says."""
    by_name = judge(name)
    judged: Judged = by_name.access, by_name.tier, "judged by its name", by_name.evidence
    tool = None if server is None else server.tools.get(name)
    if server is None or tool is None:
        return judged
    return _settled(_hinted(judged, tool, trusted=server.trusted), tool)


def _hinted(judged: Judged, tool: Tool, *, trusted: bool) -> Judged:
    """A server may say that its tool is worse than it sounds. That it is milder counts if the operator trusts it."""
    access, tier, why, evidence = judged
    if tool.read_only and not tool.destructive:
        return (Access.READ, Tier.T0, "its server says that it only reads", ("readOnlyHint",)) if trusted else judged
    if tool.read_only is False and (access.only_reads or access is Access.UNKNOWN):
        access, tier, why = Access.WRITE, max(tier, Tier.T1), "its server says that it changes something"
        evidence = (*evidence, "readOnlyHint")
    if tool.destructive and tier < Tier.T2:
        access = Access.WRITE if access.only_reads else access
        return access, Tier.T2, "its server says that it destroys something", (*evidence, "destructiveHint")
    return access, tier, why, evidence


def _settled(judged: Judged, tool: Tool) -> Judged:
    if tool.access is None and tool.tier is None:
        return judged
    access, tier, why, _ = judged
    return tool.access or access, tier if tool.tier is None else tool.tier, tool.why or why, ("services/mcp",)
