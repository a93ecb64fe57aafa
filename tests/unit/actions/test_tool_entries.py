import pytest
from asked import asked

from outgate.actions.identify import identify
from outgate.actions.service_file import compile_catalog
from outgate.actions.tool_entries import TOOL_KEYS
from outgate.document import parse
from outgate.errors import ConfigError
from outgate.stores.shipped import shipped

MCP = "outgate: service/v1alpha\nservice: mcp\nspeaks: mcp\nhosts: [other.test]\n"
OURS = "outgate: service/v1alpha\nadds-to: mcp\nhosts: [tools.acme.test]\n"


def catalog(more):
    return compile_catalog([parse(MCP, "mcp.yaml"), parse(OURS + more, "ours.yaml")])


def called(known, tool, host="tools.acme.test"):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
    (action,) = identify(asked(f"POST https://{host}/mcp", json=message), known)
    return action.name, action.access.value, action.tier.name, action.mapped


def test_tools_are_named_by_host():
    known = catalog("tools: {get_weather: {tier: T2, why: it costs}, frobnicate: {access: read, tier: T0}}\n")
    assert called(known, "get_weather") == ("mcp.tools/call:get_weather", "read", "T2", True)
    assert called(known, "frobnicate")[1:3] == ("read", "T0")
    assert called(known, "delete_x")[1:3] == ("delete", "T2")
    assert called(known, "get_weather", "other.test")[1:3] == ("read", "T0")


def test_a_server_is_believed_where_it_is_trusted():
    hints = "tools: {resolve_x: {readOnlyHint: true}, get_x: {destructiveHint: true}}\n"
    assert called(catalog(hints), "resolve_x")[1:3] == ("write", "T1")
    assert called(catalog("trusted: true\n" + hints), "resolve_x")[1:3] == ("read", "T0")
    assert called(catalog(hints), "get_x")[1:3] == ("write", "T2")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("trusted: 7", "'trusted' is true or false"),
        ("tools: {x: {}}", "a tool has an access, a tier, or what its server says of it"),
        ("tools: {x: {acces: read}}", "unknown key 'acces'"),
        ("tools: {x: {access: reads}}", "unknown access 'reads'"),
        ("tools: {x: {tier: T9}}", "unknown tier 'T9'"),
        ("tools: {x: {readOnlyHint: maybe}}", "'readOnlyHint' is true or false"),
        ("tools: {'a b': {tier: T2}}", "'a b' can't be a tool's name"),
        ("tools: 7", "this must be a table of `key: value`"),
    ],
)
def test_what_is_wrong_is_said(more, said):
    with pytest.raises(ConfigError, match=said):
        catalog(more + "\n")


def test_tools_are_of_mcp_servers_alone():
    text = "outgate: service/v1alpha\nservice: crm\nhosts: [crm.test]\ntools: {x: {tier: T2}}\n"
    with pytest.raises(ConfigError, match="'tools' and 'trusted' are of MCP servers"):
        compile_catalog([parse(text, "crm.yaml")])


def test_the_readme_names_every_key():
    text = shipped("rules", "services", "README.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in text for key in TOOL_KEYS)
