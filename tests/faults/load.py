"""An agent that asks as fast as it can, on several connections, and tells at the end what it was answered.

    python load.py URL THREADS REQUESTS

Each request has a path of its own. Standard output: one JSON object, path to status; 0 is a connection that broke.
"""

import http.client
import json
import os
import ssl
import sys
import threading
from urllib.parse import urlsplit

ANSWERED: dict[str, int] = {}
TRUST = ssl.create_default_context()


def connect(url) -> http.client.HTTPSConnection:
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    connection = http.client.HTTPSConnection(proxy.hostname, proxy.port, timeout=30, context=TRUST)
    connection.set_tunnel(url.hostname, url.port or 443)
    return connection


def ask(url, thread: int, requests: int) -> None:
    connection = connect(url)
    for number in range(requests):
        path = f"{url.path}{thread}/{number}"
        try:
            connection.request("GET", path, headers={"Host": url.netloc})
            answer = connection.getresponse()
            answer.read()
            ANSWERED[path] = answer.status
        except (OSError, http.client.HTTPException):
            ANSWERED[path] = 0
            connection.close()
            connection = connect(url)


def main(url, threads: int, requests: int) -> None:
    asking = [threading.Thread(target=ask, args=(url, n, requests)) for n in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    print(json.dumps(ANSWERED))


if __name__ == "__main__":
    main(urlsplit(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
