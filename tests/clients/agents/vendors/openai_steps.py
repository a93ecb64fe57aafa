"""openai: models, answers, files."""

import openai

OPENAI = openai.OpenAI(api_key="sk-not-a-key", max_retries=0)
PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures.example/cat.png"}}
TOOL = {"type": "function", "function": {"name": "delete_file", "parameters": {"type": "object", "properties": {}}}}


def lists():
    return [model.id for model in OPENAI.models.list()]


def asks():
    said = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}]
    answer = OPENAI.chat.completions.create(model="gpt-4o-mini", max_completion_tokens=64, messages=said, tools=[TOOL])
    return answer.choices[0].message.content


def asks_with_a_server():
    tools = [
        {"type": "mcp", "server_label": "tickets", "server_url": "https://mcp.tickets.example/mcp", "require_approval": "never"}
    ]
    return OPENAI.responses.create(model="gpt-4o-mini", input="Close all tickets.", tools=tools).output_text


def embeds():
    return len(OPENAI.embeddings.create(model="text-embedding-3-small", input=["a", "b"], encoding_format="float").data)


def uploads():
    return OPENAI.files.create(file=("lines.jsonl", b'{"a": 1}\n'), purpose="fine-tune").id


def tunes():
    return OPENAI.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1").id


def deletes():
    return OPENAI.files.delete("file-1").deleted


STEPS = (lists, asks, asks_with_a_server, embeds, uploads, tunes, deletes)
