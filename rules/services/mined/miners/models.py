"""SDKs of model providers that are neither OpenAI's nor made as its: Mistral (made by Speakeasy) and Cohere (made by Fern)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fetch import members
from miners.python_source import calls, functions, keyword, template, text
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ANSWERS = re.compile(r"(?:.*\.)?(?:chat|complete|stream|generate|embed|create|rerank|classify|summarize)")
_MODEL = ("model string json.model",)


def mistral(archive: Path) -> Iterable[Part]:
    """`self._build_request(method="POST", path="/v1/…")` in `mistralai/client/chat.py`."""
    found: set[tuple[str, str, str]] = set()
    for file, source in members(archive, r"mistralai/client/\w+\.py"):
        module = file.rpartition("/")[2].removesuffix(".py")
        for _, function in functions(source):
            for called, call in calls(function):
                path, method = template(keyword(call, "path")), text(keyword(call, "method"))
                if called == "_build_request" and path and method:
                    found.add(
                        (f"{module}.{function.name}".removeprefix("beta_"), method, path.partition("#")[0].partition("?")[0])
                    )
    yield _part("mistral", found)


def cohere(archive: Path) -> Iterable[Part]:
    """`httpx_client.request("v2/chat", method="POST")` in `cohere/v2/raw_client.py`."""
    found: set[tuple[str, str, str]] = set()
    for file, source in members(archive, r"cohere/(?:\w+/)*raw_(?:base_)?client\.py"):
        resource = ".".join(file.split("/")[1:-1])
        for owner, function in functions(source):
            for called, call in calls(function):
                path, method = template(call.args[0]) if call.args else None, text(keyword(call, "method"))
                if called in {"request", "stream"} and path and method and not owner.name.startswith("Async"):
                    name = ".".join(filter(None, [resource, function.name.removesuffix("_stream")]))
                    found.add((name, method, f"/{path}"))
    yield _part("cohere", found)


def _part(service: str, found: set[tuple[str, str, str]]) -> Part:
    operations = (
        Mined(name=name, method=method, template=path, params=_MODEL if method == "POST" and _ANSWERS.fullmatch(name) else ())
        for name, method, path in sorted(found)
    )
    return Part(service=service, operations=first_named(operations))
