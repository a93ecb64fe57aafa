"""The tables of `tests/bench/catalog.py`: how much of what requests do is known, how well, and at what cost."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from asked import asked
from catalog import aws_levels, aws_wire, google_scopes, mcp_servers
from catalog.halves import Case, score
from rich.console import Console
from rich.table import Table

from fetch import fetch
from outgate.actions.identify import identify
from outgate.intake.request import Request
from outgate.stores.catalog_files import load_catalog

CONSOLE = Console(width=110)
_SCRIPT = Path(__file__).parents[1] / "bench" / "catalog.py"


def table(title: str, *columns: str) -> Table:
    drawn = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        drawn.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return drawn


def size() -> Table:
    catalog = load_catalog()
    drawn = table("How many operations are known", "service", "operations", "access unknown")
    rows = {name: catalog.operations(name) for name in catalog.services()}
    for name, operations in sorted(rows.items(), key=lambda row: -len(row[1])):
        unknown = sum(operation.access == "unknown" for operation in operations)
        drawn.add_row(name, f"{len(operations):,}", f"{unknown:,}")
    drawn.add_row("all", f"{sum(map(len, rows.values())):,}", "", style="bold")
    return drawn


def wire() -> Table:
    drawn = table("E1 · AWS, each operation as botocore writes it, in each protocol", "protocol", "outcome", "requests")
    measured = aws_wire.measure()
    for (protocol, outcome), count in sorted(measured.counts.items()):
        drawn.add_row(protocol, outcome, f"{count:,}")
    drawn.add_row("all", "exact", f"{measured.exact:.2%}", style="bold")
    return drawn


def judged(title: str, cases: list[Case]) -> Table:
    """Two numbers, never one."""
    drawn = table(
        title, "half", "services", "changes", "taken for reads", "under-block", "reads", "taken for changes", "over-block"
    )
    for half in ("dev", "test"):
        of = [case for case in cases if case.half == half]
        found = score(of)
        services = len({case.key for case in of})
        numbers = (found.changes, found.under, f"{found.under_block:.2%}", found.reads, found.over, f"{found.over_block:.2%}")
        drawn.add_row(half, str(services), *map(str, numbers))
    return drawn


def levels() -> Table:
    return judged("E2 · AWS, IAM's levels withheld, against IAM's levels", aws_levels.cases())


def joined() -> Table:
    drawn = table("E2 · AWS, with IAM's levels", "", "operations", "with a level", "share")
    operations = aws_levels.operations()
    having = sum(operation.level is not None for operation in operations)
    drawn.add_row("botocore", f"{len(operations):,}", f"{having:,}", f"{having / len(operations):.1%}")
    return drawn


def scopes() -> Table:
    return judged(
        "E3 · Google, APIs that use read-only scopes throughout, against their scopes",
        google_scopes.cases(fetch(google_scopes.PIN).archive),
    )


def verbs() -> Table:
    from catalog import test_kubernetes

    rows = test_kubernetes.rows()
    alike = sum(test_kubernetes.verb(one, path)[0] == test_kubernetes.OURS.get(said, said) for one, path, said in rows)
    drawn = table("E5 · Kubernetes, against the verbs of its own description", "", "operations", "same verb")
    drawn.add_row("kubernetes", str(len(rows)), str(alike))
    return drawn


def hints() -> Table:
    return judged("MCP · tools of published servers, by name alone, against the servers' hints", mcp_servers.cases())


def destructive() -> Table:
    drawn = table("MCP · what servers call destructive (any update that is not additive)", "access", "T0", "T1", "T2", "T3")
    cases = mcp_servers.destroying()
    for access in sorted({case.judged.access for case in cases}):
        tiers = [case.judged.tier for case in cases if case.judged.access is access]
        drawn.add_row(access, *(str(tiers.count(tier)) for tier in range(4)))
    return drawn


_FIELDS = "".join(
    f"  closed{n}: closeIssue(input: {{issueId: $id}}) {{ issue {{ id number title state }} }}\n" for n in range(12)
)
_DOCUMENT = f"mutation Tidy($id: ID!) {{\n{_FIELDS}}}\n"
_SQL = "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.total > 100 ORDER BY o.id LIMIT 50"
_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "delete_file", "arguments": {"path": "/x"}}}
_CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 100}
_SNOWFLAKE = "https://acme.snowflakecomputing.com/api/v2/statements"


def requests() -> Iterator[tuple[str, list[Request], str]]:
    """Protocols, requests in them, and what one may cost in the median."""
    yield "AWS, all protocols", [sent.request for sent in aws_wire.requests(every=40)], "40 µs"
    yield (
        "REST",
        [
            asked("GET https://api.github.com/repos/acme/site/pulls?state=open"),
            asked("DELETE https://api.github.com/repos/acme/site"),
            asked("GET https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i"),
            asked("DELETE https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i"),
            asked("GET https://api.stripe.com/v1/customers/cus_1"),
        ],
        "15 µs",
    )
    yield "REST with a form", [asked("POST https://api.stripe.com/v1/refunds", form="charge=ch_1&amount=1999")], ""
    yield (
        f"GraphQL, {len(_DOCUMENT)} bytes",
        [asked("POST https://api.github.com/graphql", json={"query": _DOCUMENT})],
        "1,500 µs",
    )
    yield "SQL, one statement", [asked(f"POST {_SNOWFLAKE}", json={"statement": _SQL})], ""
    yield "MCP", [asked("POST https://mcp.deepwiki.com/mcp", json=_CALL)], ""
    yield "models", [asked("POST https://api.openai.com/v1/chat/completions", json=_CHAT)], ""
    yield "unknown host", [asked("GET https://docs.example.com/page?id=3")], ""


def cost() -> Table:
    catalog = load_catalog()
    drawn = table(
        "What identify costs, warm (µs of CPU)", "protocol", "requests", "median", "p99", "goal, median", "first operation"
    )
    for name, asking, goal in requests():
        for one in asking:
            identify(one, catalog)
        taken = sorted(
            _timed(lambda one=one: identify(one, catalog)) for one in asking for _ in range(max(5, 2000 // len(asking)))
        )
        operation = identify(asking[0], catalog)[0].name
        median, tail = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
        drawn.add_row(name, str(len(asking)), f"{median:,.1f}", f"{tail:,.1f}", goal, operation)
    return drawn


def _timed(call: Callable[[], object], *, clock: Callable[[], int] = time.thread_time_ns) -> float:
    start = clock()
    call()
    return (clock() - start) / 1000


_TEN = {
    "github": "GET https://api.github.com/repos/acme/site",
    "stripe": "GET https://api.stripe.com/v1/refunds",
    "openai": "GET https://api.openai.com/v1/models",
    "anthropic": "GET https://api.anthropic.com/v1/models",
    "slack": "GET https://slack.com/api/conversations.list",
    "google compute": "GET https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances",
    "google storage": "GET https://storage.googleapis.com/storage/v1/b",
    "aws s3": "GET https://bucket.s3.eu-west-1.amazonaws.com/key",
    "google drive": "GET https://www.googleapis.com/drive/v3/files",
    "msgraph": "GET https://graph.microsoft.com/v1.0/me/messages",
}


def first() -> Table:
    drawn = table("The first request to a service inflates it (CPU time; goal: 60 ms)", "service", "ms", "operation")
    for name, line in _TEN.items():
        request = asked(line)
        catalogs = [load_catalog() for _ in range(3)]
        taken = min(
            _timed(lambda one=one, request=request: identify(request, one), clock=time.process_time_ns) for one in catalogs
        )
        drawn.add_row(name, f"{taken / 1000:.1f}", identify(request, catalogs[0])[0].name)
    return drawn


def memory() -> Table:
    """Measured in a process of its own, which has nothing but the catalog."""
    run = subprocess.run([sys.executable, str(_SCRIPT), "--hot"], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    drawn = table("Memory (goal: 60 MB more with ten services hot)", "", "MB")
    for name, megabytes in found.items():
        drawn.add_row(name, f"{megabytes:.1f}")
    return drawn


def hot() -> None:
    found = {"before": _resident()}
    catalog = load_catalog()
    found["the catalog read"] = _resident()
    for line in _TEN.values():
        identify(asked(line), catalog)
    found["ten services hot"] = _resident()
    found["more by being hot"] = found["ten services hot"] - found["the catalog read"]
    print(json.dumps(found))


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


TABLES = {
    "size": (size,),
    "E1": (wire,),
    "E2": (levels, joined),
    "E3": (scopes,),
    "E5": (verbs,),
    "MCP": (hints, destructive),
    "cost": (cost,),
    "first": (first,),
    "memory": (memory,),
}


def main() -> None:
    asking = argparse.ArgumentParser(description=__doc__)
    asking.add_argument("--only", nargs="+", choices=tuple(TABLES), default=tuple(TABLES))
    asking.add_argument("--hot", action="store_true", help=argparse.SUPPRESS)
    said = asking.parse_args()
    if said.hot:
        return hot()
    for name in said.only:
        for draw in TABLES[name]:
            CONSOLE.print(draw(), "")
    return None


if __name__ == "__main__":
    main()
