"""What a GraphQL document or an SQL statement does is decided through the whole gate: upstreams see what may be, and nothing else."""

from __future__ import annotations

import json

import pytest

from outgate.stores.catalog_files import load_catalog
from outgate.worker.pool import Pool

CATALOG = load_catalog()
JSON = {"Content_Type": "application/json"}
POLICY = """
    outgate: policy/v1alpha
    policy: wire
    mode: enforce
    otherwise: {T0: allow, T1: allow, T2: block, T3: block, unmapped: {read: block, other: block}}
    rules:
      - {id: no-people, match: {action: "neon.sql.*"}, when: '"hr.people" in params.tables', effect: block}
"""


@pytest.fixture
async def pool():
    made = Pool()
    yield made
    await made.close()


@pytest.fixture
async def gateway(make, pool):
    return await make(policy_text=POLICY, catalog=CATALOG, examiner=pool)


async def told(gateway, host, path, body):
    """Ask, and give the status and the actions of the decision."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with await gateway.https(host) as client:
        await client.request("POST", path, host, content, **JSON)
        answer = await client.answer()
    return answer.status, [action["name"] for action in gateway.decisions()[-1]["actions"]]


@pytest.mark.parametrize(
    ("document", "status", "actions"),
    [
        ("{ viewer { id } }", 200, ["linear.graphql.query.viewer"]),
        ("mutation { a: commentDelete(id: 1) { success } }", 403, ["linear.graphql.mutation.commentDelete"]),
        ("query { ...F } fragment F on Query { viewer { id } }", 200, ["linear.graphql.query.viewer"]),
        ("{ viewer { id }", 403, ["linear.unreadable"]),
        ("query A { viewer { id } } mutation B { teamDelete(id: 1) { success } }", 403, None),
    ],
)
async def test_a_graphql_document_is_what_it_runs(gateway, document, status, actions):
    upstream = await gateway.upstream("api.linear.app")
    got, named = await told(gateway, "api.linear.app", "/graphql", {"query": document})
    assert (got, named) == (status, actions or named)
    assert len(upstream.seen) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("select * from orders limit 5", 200),
        ("select * from hr.people", 403),
        ("with d as (delete from orders returning *) select * from d", 403),
        ("select 'a\\'; delete from orders; --'", 403),
        ("explain analyze truncate orders", 403),
    ],
)
async def test_sql_is_what_its_statements_do(gateway, statement, status):
    host = "ep-a-1.eu-central-1.aws.neon.tech"
    upstream = await gateway.upstream(host)
    got, _ = await told(gateway, host, "/sql", {"query": statement, "params": []})
    assert got == status
    assert len(upstream.seen) == (1 if status == 200 else 0)
