"""SDKs that Stainless makes: `self._post("/chat/completions")` in `resources/chat/completions.py` is chat.completions.create."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from miners.python_source import calls, functions, keyword, template, text
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_CALLS = {
    "_get": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
    "_get_api_list": "GET",
}
_EITHER = {"{account_or_zone}/{account_or_zone_id}": ("accounts/{account_id}", "zones/{zone_id}")}
"""Variables that stand for more than one segment's text."""

_MODEL_PARAMS = ("model string json.model",)


def _routes(archive: Path, package: str) -> Iterator[tuple[str, str, str]]:
    """Give name, method and path of every call."""
    for path, source in members(archive, rf"{package}/resources/.*\.py"):
        prefix = _resource(path, package)
        for owner, function in functions(source):
            if owner.name.startswith("Async") or owner.name.endswith(("Response", "Streaming")):
                continue
            for called, call in calls(function):
                if called in _CALLS and call.args and (found := template(call.args[0])) is not None:
                    method = text(keyword(call, "method")) or _CALLS[called]
                    name = ".".join(filter(None, [prefix, function.name]))
                    yield from ((name, method.upper(), one) for one in _spelled(found))


def _resource(path: str, package: str) -> str:
    """Give `beta.threads` for `openai/resources/beta/threads/threads.py`."""
    parts = path.removeprefix(f"{package}/resources/").removesuffix(".py").split("/")
    parts = [part for part in parts if part != "__init__"]
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == parts[-2] else parts)


def _spelled(path: str) -> Iterator[str]:
    """Give every path that one stands for, without its query."""
    choices = [[(key, value) for value in values] for key, values in _EITHER.items() if key in path]
    for chosen in product(*choices):
        said = path
        for key, value in chosen:
            said = said.replace(key, value)
        plain = said.partition("?")[0]
        yield plain if plain.startswith("/") else f"/{plain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sdk:
    """An SDK of the kind. `base` stands before every path, as in the base URL of the client."""

    service: str
    base: str = ""
    rename: Callable[[str], str] = str
    marks: Callable[[str], str] = lambda _: ""
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def mine(self, archive: Path) -> Iterable[Part]:
        routes = _routes(archive, self.service)
        found = sorted({(self.rename(name), method, self._whole(path)) for name, method, path in routes})
        operations = (
            Mined(name=name, method=method, template=path, marks=self.marks(name), params=self.params.get(name, ()))
            for name, method, path in found
        )
        yield Part(service=self.service, operations=first_named(operations))

    def _whole(self, path: str) -> str:
        return path if path.startswith(f"{self.base}/") else self.base + path


def _plain(name: str) -> str:
    """Beta resources have the paths of the others, or will."""
    plain = re.sub(r"^beta\.", "", name)
    return "organization.me" if plain == "organization.retrieve" else plain


def _realtime(name: str) -> str:
    """Sessions are made at two paths, which are one operation."""
    return "realtime.sessions.create" if re.fullmatch(r"beta\.realtime\.\w*sessions\.create", name) else name


_EGRESS = "chat.completions.create responses.* messages.create messages.batches.create"


def openai(archive: Path) -> Iterable[Part]:
    marks = curated(
        {
            "s": "admin.*api_keys.* *client_secrets.create *audit_logs.list fine_tuning.checkpoints.permissions.* files.content",
            "e": f"{_EGRESS} responses.create evals.* vector_stores.* threads.* assistants.*",
            "i": "models.delete vector_stores.delete files.delete containers.delete",
            "p": "*permissions.create *api_keys.create *.service_accounts.create *invites.create *.roles.* *.users.*",
        }
    )
    return _Sdk(service="openai", base="/v1", rename=_realtime, marks=marks).mine(archive)


def anthropic(archive: Path) -> Iterable[Part]:
    marks = curated({"s": "files.download", "e": _EGRESS, "i": "files.delete skills.delete"})
    return _Sdk(service="anthropic", rename=_plain, marks=marks).mine(archive)


def groq(archive: Path) -> Iterable[Part]:
    return _Sdk(service="groq", params=dict.fromkeys(("chat.completions.create", "embeddings.create"), _MODEL_PARAMS)).mine(
        archive
    )


def cloudflare(archive: Path) -> Iterable[Part]:
    marks = curated(
        {
            "s": """
            *.token.get *tokens.value.* *.keys.create *.secrets.* r2.temporary_credentials.create *.audit_logs.list
            logs.received.get *.export d1.database.export""",
            "m": "registrar.* *subscriptions.create *subscriptions.update *.billing.*",
            "i": """
            zones.delete accounts.delete kv.namespaces.delete r2.buckets.delete d1.database.delete queues.delete
            stream.delete images.v1.delete *.tunnels.*.delete workers.scripts.delete pages.projects.delete
            vectorize.*.delete""",
            "u": "logpush.jobs.delete *.firewall.*.delete rulesets.delete dns.dnssec.delete waiting_rooms.delete",
            "p": "accounts.members.* *tokens.create *tokens.update *.policies.* iam.* r2.buckets.domains.*",
            "b": "*.bulk_delete* *.bulk_* cache.purge dns.records.batch",
            "e": "browser_rendering.* *.crawl*",
        }
    )
    sql = ("statement string json.sql",)
    params = {"d1.database.query": sql, "d1.database.raw": sql}
    return _Sdk(service="cloudflare", base="/client/v4", marks=marks, params=params).mine(archive)
