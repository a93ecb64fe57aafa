"""Download argv[1] blocks of 64 KiB; after the first, a second request says that it arrived. Prints the body's SHA-256 and length."""

import hashlib
import sys

import requests

BLOCKS, STREAM = sys.argv[1:]
digest, length = hashlib.sha256(), 0
with requests.get(f"https://download.test/bytes/{BLOCKS}", params={"stream": STREAM}, stream=True, timeout=30) as answer:
    for piece in answer.iter_content(65536):
        digest.update(piece)
        if length < 65536 <= length + len(piece):
            requests.get(f"https://acks.test/{STREAM}", timeout=30).raise_for_status()
        length += len(piece)
print(digest.hexdigest(), length)
