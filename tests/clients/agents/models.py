"""Ask look-alike models with their vendors' own SDKs, streaming. After each token a second request says that it arrived.

argv: a prefix for the streams' names, then which of openai-chat, openai-responses, anthropic to ask. One JSON line each.
"""

import json
import sys
import urllib.request

import anthropic
import openai

PREFIX, *WANTED = sys.argv[1:]
ASKED = [{"role": "user", "content": "Say it."}]


def arrived(stream):
    urllib.request.urlopen(f"https://acks.test/{stream}", timeout=30).read()


def openai_chat(stream):
    for chunk in openai.OpenAI(api_key="sk-look-alike").chat.completions.create(model=stream, messages=ASKED, stream=True):
        if chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def openai_responses(stream):
    for event in openai.OpenAI(api_key="sk-look-alike").responses.create(model=stream, input="Say it.", stream=True):
        if event.type == "response.output_text.delta":
            yield event.delta


def anthropic_messages(stream):
    asked = {"model": stream, "max_tokens": 100, "messages": ASKED}
    with anthropic.Anthropic(api_key="look-alike").messages.stream(**asked) as answer:
        yield from answer.text_stream


ASKS = {"openai-chat": openai_chat, "openai-responses": openai_responses, "anthropic": anthropic_messages}

for name in WANTED:
    stream, tokens = f"{PREFIX}-{name}", []
    try:
        for token in ASKS[name](stream):
            tokens.append(token)
            arrived(stream)
        said = {"tokens": tokens}
    except (openai.APIError, anthropic.APIError) as error:
        said = {"error": str(error), "kind": type(error).__name__}
    print(json.dumps({"ask": name, **said}), flush=True)
