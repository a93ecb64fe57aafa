"""One day of all SDKs under one gate: what each said, what was decided, what the services saw."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients import sdk_hosts
from clients.git_host import GitHost
from clients.lookalikes import Acks, LookAlikes
from clients.mcp_host import MCP, McpHost
from clients.under_gate import AGENTS, PYTHON, Decided, Gate, fresh_login

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SDKS = ("google", "kubernetes", "elasticsearch", "openai", "anthropic", "stripe", "github", "slack", "mcp", "aws", "git")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What came of it."""

    came: dict[str, dict[str, Any]]
    """By SDK and step."""
    decisions: tuple[Decided, ...]
    services: LookAlikes

    def actions(self, *hosts: str) -> list[dict[str, Any]]:
        """What was done at these hosts, in order."""
        return [action for one in self.decisions if one.fields["request"]["host"] in hosts for action in one.fields["actions"]]


@contextmanager
def day(folder: Path, rules: Sequence[str], sdks: Sequence[str] = SDKS) -> Iterator[Day]:
    """Have all SDKs work under one gate."""
    git_host = GitHost(folder)
    git_host.create("acme/sdks.git")
    hosts = {**sdk_hosts.hosts(), "github.com": git_host.service}
    work = folder / "work"
    (work / "home").mkdir(parents=True)
    with ExitStack() as running:
        services = running.enter_context(LookAlikes(folder, (*hosts, MCP), hosts, Acks(), modern=""))
        running.enter_context(McpHost(services, folder))
        declared = folder / "tickets.yaml"
        declared.write_text(f"outgate: service/v1alpha\nadds-to: mcp\nhosts: [{MCP}]\n")
        gate = Gate(
            folder=folder, work=work, environment=fresh_login(work), services=services, settings={"services": [str(declared)]}
        )
        ran = gate.run(PYTHON, AGENTS / "vendor_calls.py", *sdks, options=("--policy", gate.policy(*rules)))
        assert ran.code == 0, ran.stderr
        came: dict[str, dict[str, Any]] = {sdk: {} for sdk in sdks}
        for sdk, step, said in ran.lines:
            came[sdk][step] = said
        yield Day(came=came, decisions=tuple(gate.decisions()), services=services)
        gate.agrees()
