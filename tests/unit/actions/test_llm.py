import pytest
from asked import asked

from outgate.actions.action import Action
from outgate.actions.identify import identify
from outgate.actions.protocols.llm import MOST, described, egress
from outgate.intake.request import UnreadBody
from outgate.stores.catalog_files import load_catalog

CATALOG = load_catalog()


def places(body):
    return [(action.operation, action.resource) for action in egress("openai", body)]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"tools": [{"type": "mcp", "server_url": "https://Evil.Example/mcp?x=1"}]}, [("egress:mcp", "evil.example/mcp")]),
        ({"tools": [{"type": "mcp", "connector_id": "connector_gmail"}]}, [("egress:mcp", "connector_gmail")]),
        ({"tools": [{"type": "mcp"}]}, [("egress:unreadable", "")]),
        ({"mcp_servers": [{"type": "url", "url": "https://a.example/sse"}]}, [("egress:mcp", "a.example/sse")]),
        ({"mcp_servers": {"url": 7}}, [("egress:unreadable", "")]),
        ({"tools": [{"type": "web_search"}]}, [("egress:tool", "web_search")]),
        ({"tools": [{"type": "web_search_preview_2025_03_11"}]}, [("egress:tool", "web_search")]),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, [("egress:tool", "web_fetch")]),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, [("egress:tool", "code_interpreter")]),
        ({"web_search_options": {}}, [("egress:tool", "web_search")]),
        ({"input": [{"content": [{"type": "input_image", "image_url": "https://a.example/x.png"}]}]}, [("egress:url", "a.example/x.png")]),
        ({"input": [{"content": [{"type": "input_file", "file_url": "https://a.example/x.pdf"}]}]}, [("egress:url", "a.example/x.pdf")]),
        ({"messages": [{"content": [{"image_url": {"url": "HTTPS://a.example/x"}}]}]}, [("egress:url", "a.example/x")]),
        ({"messages": [{"content": [{"source": {"type": "url", "url": "http://a.example"}}]}]}, [("egress:url", "a.example")]),
        ({"a": [{"url": "gopher://a.example"}]}, [("egress:unreadable", "")]),
        ({"tools": [{"googleSearch": {}}, {"functionDeclarations": []}]}, [("egress:tool", "google_search")]),
        ({"tools": [{"url_context": {}}, {"codeExecution": {}}]}, [("egress:tool", "url_context"), ("egress:tool", "code_execution")]),
        ({"contents": [{"parts": [{"fileData": {"mimeType": "image/png", "fileUri": "gs://acme/x.png"}}]}]}, [("egress:url", "acme/x.png")]),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}]}, []),
        ({"connectors": [{"id": "web-search"}]}, [("egress:tool", "web-search")]),
        ({"plugins": [{"id": "web"}]}, [("egress:tool", "web")]),
        ({"model": "openai/gpt-5:online", "messages": []}, [("egress:tool", "web_search")]),
        ({"search_parameters": {"mode": "on"}}, [("egress:tool", "web_search")]),
        ({"data_sources": [{"type": "azure_search", "parameters": {"endpoint": "https://s.search.example/"}}]}, [("egress:url", "s.search.example/")]),
        ({"data_sources": [{"type": "azure_search"}]}, [("egress:unreadable", "")]),
        ({"messages": [{"content": [{"document": {"source": {"s3Location": {"uri": "s3://acme/x.pdf"}}}}]}]}, [("egress:url", "acme/x.pdf")]),
        ({"document": {"type": "document_url", "document_url": "https://a.example/x.pdf"}}, [("egress:url", "a.example/x.pdf")]),
        ({"a": [{"url": "https://a.example/\n"}]}, [("egress:unreadable", "")]),
        ({"messages": [{"content": [{"type": "tool_result", "content": [{"source": {"type": "url", "url": "https://a.example/"}}]}]}]}, [("egress:url", "a.example/")]),
    ],
)  # fmt: skip
def test_a_place_that_the_provider_is_sent_to_is_an_action(body, wanted):
    assert places(body) == wanted


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-5", "messages": [{"role": "user", "content": "see https://a.example/"}]},
        {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}]},
        {"tools": [{"type": "function", "function": {"name": "fetch", "parameters": {"properties": {"url": {"type": "string"}}}}}]},
        {"tools": [{"name": "fetch", "input_schema": {"properties": {"url": {"type": "string", "examples": [{"url": "https://a.example"}]}}}}]},
        {"messages": [{"content": [{"type": "tool_use", "name": "fetch", "input": {"url": "https://a.example/"}}]}]},
        {"messages": [{"content": [{"type": "web_search_tool_result", "content": [{"type": "web_search_result", "url": "https://a.example/"}]}]}]},
        {"messages": [{"annotations": [{"type": "url_citation", "url": "https://a.example"}]}]},
        {"tools": [{"type": "file_search"}, {"type": "bash_20250124", "name": "bash"}, {"type": "computer_use_preview"}]},
        {"metadata": {"url": "https://a.example"}},
        {"url": None},
        {},
        [],
        None,
        "https://a.example/",
    ],
)  # fmt: skip
def test_what_stays_with_the_provider_is_none(body):
    assert places(body) == []


def test_the_same_place_many_times_is_one_action_with_a_count():
    (action,) = egress("openai", {"a": [{"url": "https://a.example/"}] * 3})
    assert action.count == 3


def test_places_without_end_are_counted_together():
    actions = egress("openai", {"a": [{"url": f"https://a.example/{n}"} for n in range(MOST + 50)]})
    assert len(actions) == MOST + 1
    assert (actions[-1].operation, actions[-1].count) == ("egress:unreadable", 50)


def test_tiers_say_how_bad_it_is():
    mcp, tool, url = egress(
        "openai", {"tools": [{"type": "mcp", "server_url": "https://a"}, {"type": "web_search"}], "x": {"url": "https://b"}}
    )
    assert [(a.access.value, a.tier.name) for a in (mcp, tool, url)] == [("execute", "T2"), ("send", "T1"), ("send", "T1")]


def test_a_request_too_large_to_be_read_may_send_the_provider_anywhere():
    body = UnreadBody(10**8, too_large=True)
    request = asked("POST https://api.openai.com/v1/responses", headers={"content-type": "application/json"}, body=body)
    assert [action.name for action in identify(request, CATALOG)] == ["openai.responses.create", "openai.unreadable"]


def test_how_many_answers_are_asked_for_is_counted():
    action = Action(service="openai", operation="x")
    assert described(action, {"n": 5}).count == 5
    assert described(action, {"generationConfig": {"candidateCount": 3}}).count == 3
    assert described(action, {"n": -1}).count == described(action, {"n": True}).count == described(action, []).count == 1
    assert described(action, {"n": 10**9}).count == 10_000


def test_images_are_told_by_kind_or_by_url():
    body = {
        "messages": [
            {"content": [{"image_url": {"url": "data:image/png;base64,AA"}}, {"image_url": "https://a.example/x.png"}]},
            {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA"}}]},
            {"parts": [{"inlineData": {"mimeType": "image/webp"}}, {"inlineData": {"mimeType": "text/plain"}}]},
        ]
    }
    assert set(described(Action(service="openai", operation="x"), body).params["images"]) == {
        *("image/png", "https://a.example/x.png", "image/jpeg", "image/webp")
    }
    assert "images" not in described(Action(service="openai", operation="x"), {"messages": []}).params
