"""Microseconds per stage of the gate, for one ordinary request, in this process."""

import timeit
from datetime import UTC, datetime

from outgate.actions.identify import identify
from outgate.digest import canonical_ascii_keys
from outgate.inspect.secrets import classes_of
from outgate.intake.agents import Agent
from outgate.intake.reading import read
from outgate.intake.request import RawRequest, Tunnel
from outgate.policy.decide import decide
from outgate.policy.facts import Facts
from outgate.receipts.receipt import decision_body
from outgate.stores.catalog_files import load_catalog
from outgate.stores.policy_files import load_policies

RAW = RawRequest(
    method=b"GET",
    scheme=b"https",
    authority=b"",
    target=b"/repos/acme/site/pulls?state=open",
    version=b"HTTP/1.1",
    headers=(
        (b"Host", b"api.github.com"),
        (b"User-Agent", b"python-httpx/0.28"),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"gzip"),
        (b"Authorization", b"Bearer xyz"),
    ),
    tunnel=Tunnel(host=b"api.github.com", port=443, sni=b"api.github.com"),
)


def micro(call, number: int = 3000, repeat: int = 7) -> float:
    call()
    return sorted(timeit.repeat(call, number=number, repeat=repeat))[repeat // 2] / number * 1e6


def stages() -> dict[str, float]:
    catalog = load_catalog()
    policy = load_policies(["coding-agent"], catalog)
    agent = Agent(id="bench", since=datetime(2026, 1, 1, tzinfo=UTC))
    request = read(RAW)
    actions = identify(request, catalog)
    facts = Facts(now=datetime.now(UTC), agent=agent, request=request)
    decision = decide(policy, actions, facts)
    said = {"at": facts.now, "agent": agent, "request": request, "decision": decision, "policy": policy.digest, "pin": None}
    body = decision_body(**said)
    return {
        "reading": micro(lambda: read(RAW)),
        "identify": micro(lambda: identify(request, catalog)),
        "data classes": micro(lambda: classes_of(request, catalog)),
        "decide": micro(lambda: decide(policy, actions, facts)),
        "receipt": micro(lambda: decision_body(**said)),
        "canonical form": micro(lambda: canonical_ascii_keys(body)),
    }


if __name__ == "__main__":
    for stage, micros in stages().items():
        print(f"{stage:20}{micros:10.1f} µs")
