"""Stream with each Python HTTP client, both ways: read events that wait to be acknowledged, send without a length, leave early.

argv: a prefix for the streams' names, then which clients. One JSON line each.
"""

import asyncio
import hashlib
import json
import os
import sys

import aiohttp
import httpx
import requests
import urllib3

ROOT = "https://download.test"
PIECES = [bytes((number,)) * 100_000 for number in range(50)]
SENT = hashlib.sha256(b"".join(PIECES)).hexdigest()
PREFIX, *WANTED = sys.argv[1:]


def events_in(text):
    return [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]


def with_requests(stream):
    with requests.Session() as session:
        heard = []
        with session.get(f"{ROOT}/events?stream={stream}", stream=True, timeout=30) as answer:
            for line in answer.iter_lines(chunk_size=None, decode_unicode=True):
                if line.startswith("data: "):
                    heard.append(line.removeprefix("data: "))
                    requests.get(f"{ROOT}/ack/{stream}", timeout=30)
        digest = session.post(f"{ROOT}/digest", data=iter(PIECES), timeout=30).text
        with session.get(f"{ROOT}/endless?stream={stream}-left", stream=True, timeout=30) as answer:
            next(answer.iter_content(100))
        return heard, digest, session.get(f"{ROOT}/freed?stream={stream}-left", timeout=30).status_code


def with_httpx(stream, http2=False):
    with httpx.Client(http2=http2, timeout=30) as client:
        heard = []
        with client.stream("GET", f"{ROOT}/events?stream={stream}") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    heard.append(line.removeprefix("data: "))
                    client.get(f"{ROOT}/ack/{stream}")
        digest = client.post(f"{ROOT}/digest", content=iter(PIECES)).text
        with client.stream("GET", f"{ROOT}/endless?stream={stream}-left") as answer:
            next(answer.iter_bytes())
        return heard, digest, client.get(f"{ROOT}/freed?stream={stream}-left").status_code


def with_urllib3(stream):
    pool = urllib3.ProxyManager(os.environ["HTTPS_PROXY"], ca_certs=os.environ["SSL_CERT_FILE"], timeout=30)
    heard = []
    answer = pool.request("GET", f"{ROOT}/events?stream={stream}", preload_content=False)
    for piece in answer.stream():
        for event in events_in(piece.decode()):
            heard.append(event)
            pool.request("GET", f"{ROOT}/ack/{stream}")
    digest = pool.request("POST", f"{ROOT}/digest", body=iter(PIECES), headers={"transfer-encoding": "chunked"}).data.decode()
    answer = pool.request("GET", f"{ROOT}/endless?stream={stream}-left", preload_content=False)
    answer.read(100)
    answer.close()
    return heard, digest, pool.request("GET", f"{ROOT}/freed?stream={stream}-left").status


def with_aiohttp(stream):
    async def pieces():
        for piece in PIECES:
            yield piece

    async def work():
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(ROOT, trust_env=True, timeout=timeout) as session:
            heard = []
            async with session.get(f"/events?stream={stream}") as answer:
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        heard.append(line.decode().strip().removeprefix("data: "))
                        async with session.get(f"/ack/{stream}"):
                            pass
            async with session.post("/digest", data=pieces()) as answer:
                digest = await answer.text()
            async with session.get(f"/endless?stream={stream}-left") as answer:
                await answer.content.read(100)
                answer.close()
            async with session.get(f"/freed?stream={stream}-left") as answer:
                return heard, digest, answer.status

    return asyncio.run(work())


for name in WANTED:
    heard, digest, freed = globals()[f"with_{name}"](f"{PREFIX}-{name}")
    print(json.dumps([name, heard, digest == SENT, freed]), flush=True)
