"""anthropic: messages, batches, files."""

import anthropic

ANTHROPIC = anthropic.Anthropic(api_key="not-a-key", max_retries=0)
SAID = [{"role": "user", "content": "Count."}]
ASKED = {"model": "claude-sonnet-4-5", "messages": SAID}


def lists():
    return [model.id for model in ANTHROPIC.models.list()]


def counts():
    return ANTHROPIC.messages.count_tokens(**ASKED).input_tokens


def asks():
    tool = {"name": "delete_file", "input_schema": {"type": "object"}}
    return ANTHROPIC.messages.create(**ASKED, max_tokens=64, tools=[tool]).content[0].text


def asks_with_a_server():
    servers = [{"type": "url", "url": "https://mcp.tickets.example/mcp", "name": "tickets"}]
    return (
        ANTHROPIC.beta.messages.create(**ASKED, max_tokens=64, mcp_servers=servers, betas=["mcp-client-2025-04-04"])
        .content[0]
        .text
    )


def batches():
    requests = [{"custom_id": name, "params": {**ASKED, "max_tokens": 64}} for name in ("one", "two")]
    return ANTHROPIC.messages.batches.create(requests=requests).id


def deletes():
    return ANTHROPIC.messages.batches.delete("msgbatch_1").id


def deletes_a_file():
    return ANTHROPIC.beta.files.delete("file_1").id


STEPS = (lists, counts, asks, asks_with_a_server, batches, deletes, deletes_a_file)
