"""Make the calls of argv[1] (JSON: `[[method, url, body], …]`) with each Python HTTP client, as anybody would. One JSON line a call."""

import asyncio
import json
import sys
import urllib.error
import urllib.request

import aiohttp
import httpx
import requests


def with_urllib(method, url, body):
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return answer.status, answer.read().decode()


def with_requests(method, url, body):
    answer = requests.request(method, url, json=body, timeout=30)
    answer.raise_for_status()
    return answer.status_code, answer.text


def with_httpx(method, url, body, http2=False):
    with httpx.Client(http2=http2, timeout=30) as client:
        answer = client.request(method, url, json=body)
        answer.raise_for_status()
        return answer.status_code, answer.text


def with_httpx_http2(method, url, body):
    return with_httpx(method, url, body, http2=True)


def with_aiohttp(method, url, body):
    async def call():
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(trust_env=True, timeout=timeout) as session,
            session.request(method, url, json=body) as answer,
        ):
            text = await answer.text()
            answer.raise_for_status()
            return answer.status, text

    return asyncio.run(call())


def read_after(error):
    """What the refusal says in its body, where the client kept it."""
    if isinstance(error, urllib.error.HTTPError):
        return error.read().decode()
    answer = getattr(error, "response", None)
    return "" if answer is None else answer.text


CLIENTS = (with_urllib, with_requests, with_httpx, with_httpx_http2, with_aiohttp)
WANTED = sys.argv[2:]

for client in CLIENTS:
    name = client.__name__.removeprefix("with_")
    if WANTED and name not in WANTED:
        continue
    for method, url, body in json.loads(sys.argv[1]):
        said = {"client": name, "call": f"{method} {url}"}
        try:
            status, text = client(method, url, body)
            said |= {"status": status, "text": text}
        except (OSError, httpx.HTTPError, aiohttp.ClientError) as error:
            said |= {"error": str(error), "kind": type(error).__name__, "text": read_after(error)}
        print(json.dumps(said), flush=True)
