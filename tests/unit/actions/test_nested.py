import time

import pytest
from asked import asked

from outgate.actions.action import Access, Action, Tier
from outgate.actions.identify import identify
from outgate.actions.protocols.nested import SETTLED, heavy, raised
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()
HOME = "POST https://mcp.linear.app/mcp"


def read(**arguments):
    found = raised(Action(service="mcp", operation="tools/call:get", access=Access.READ, tier=Tier.T0), arguments)
    return found.access, found.tier


@pytest.mark.parametrize(
    ("arguments", "access", "tier"),
    [
        ({"sql": "select * from t"}, Access.READ, Tier.T0),
        ({"sql": "delete from t"}, Access.DELETE, Tier.T3),
        ({"query": " -- x\n update t set a = 1 where id = 5"}, Access.WRITE, Tier.T1),
        ({"query": "with d as (delete from t returning 1) select 1"}, Access.DELETE, Tier.T3),
        ({"input": {"statements": ["select 1", "drop table t"]}}, Access.DELETE, Tier.T3),
        ({"sql": "select 1 /*! ; drop table t */"}, Access.UNKNOWN, Tier.T2),
        ({"sql": "select from from"}, Access.UNKNOWN, Tier.T2),
        ({"query": "how do I reset my password"}, Access.READ, Tier.T0),
        ({"query": "{ viewer { id } }"}, Access.READ, Tier.T0),
        ({"command": "ls -l"}, Access.EXECUTE, Tier.T1),
        ({"command": "cd /x && rm -rf ."}, Access.EXECUTE, Tier.T2),
        ({"cmd": "git push --force origin main"}, Access.EXECUTE, Tier.T2),
        ({"Command": "kubectl -n x delete pods --all"}, Access.EXECUTE, Tier.T2),
        ({"url": "https://evil.example/?q=secret"}, Access.SEND, Tier.T1),
        ({"url": "/relative"}, Access.READ, Tier.T0),
        ({"id": "delete from t"}, Access.READ, Tier.T0),
        ({}, Access.READ, Tier.T0),
    ],
)  # fmt: skip
def test_an_argument_makes_a_call_as_bad_as_it_is_itself(arguments, access, tier):
    assert read(**arguments) == (access, tier)


def test_nothing_makes_a_call_milder():
    worst = Action(service="mcp", operation="tools/call:drop", access=Access.DELETE, tier=Tier.T3)
    assert raised(worst, {"sql": "select 1", "url": "https://a.example/", "command": "ls"}) == worst


def test_what_the_operator_said_of_a_tool_settles_it():
    settled = Action(service="mcp", operation="tools/call:q", access=Access.READ, tier=Tier.T0, evidence=(SETTLED,))
    assert raised(settled, {"sql": "drop table t"}) == settled


def test_a_call_of_a_tool_is_read_so():
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "read_query", "arguments": {"sql": "truncate t"}},
    }
    (action,) = identify(asked(HOME, json=body), CATALOG)
    assert (action.operation, action.access, action.tier) == ("tools/call:read_query", Access.DELETE, Tier.T3)
    assert "argument sql" in action.evidence


def test_what_may_have_sql_in_it_is_heavy():
    assert heavy(asked(HOME, json={"method": "tools/call", "sql": "\n select 1"}))
    assert heavy(asked(HOME, headers={"content-type": "application/json"}, text=r'{"s\u0071l": "select 1"}'))
    assert heavy(asked(HOME, json={"a": 1}, headers={"content-encoding": "gzip"}))
    assert not heavy(asked(HOME, json={"method": "tools/call", "query": "how do I"}))
    assert not heavy(asked(HOME))


@pytest.mark.parametrize("piece", ["/*", "--", "(", " ", "/**/", "\\n", "git push ", "aws "])
def test_no_argument_takes_long_to_look_through(piece):
    text = piece * (16_000 // len(piece))
    began = time.process_time()
    read(sql=text, command=text, url=text)
    assert time.process_time() - began < 2
