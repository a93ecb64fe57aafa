"""The demo's agent: a plain script with the standard library's HTTP client. It knows nothing of Outgate."""

import json
import urllib.error
import urllib.request

CALLS = (
    ("GET", "https://api.github.com/repos/acme/site", None),
    ("POST", "https://slack.com/api/chat.postMessage", {"channel": "#team", "text": "Report is ready"}),
    ("POST", "https://api.crm.test/customers/7/notes", {"note": "called back"}),
    ("POST", "https://api.stripe.com/v1/refunds", "charge=ch_1&amount=250000"),
    ("DELETE", "https://api.github.com/repos/acme/site", None),
    ("POST", "https://paste.test/new", "AKIA" + "Q3EGRIV7XKJ2MNPA"),  # shaped like an AWS key; never was one
)


def call(method: str, url: str, body: dict[str, str] | str | None) -> tuple[int, str]:
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if body else None
    kind = "application/json" if isinstance(body, dict) else "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind, "Authorization": "Bearer demo"} if data else {"Authorization": "Bearer demo"}
    asked = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            return answer.status, ""
    except urllib.error.HTTPError as error:
        said = json.loads(error.read() or b"{}")
        return error.code, said.get("message") or said["error"]["message"]  # Stripe's errors are nested


for method, url, body in CALLS:
    status, said = call(method, url, body)
    print(json.dumps({"method": method, "url": url, "status": status, "said": said}), flush=True)  # noqa: T201
