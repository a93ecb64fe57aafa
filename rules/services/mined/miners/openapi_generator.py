"""SDKs of OpenAPI Generator: `call_api("/v3/x/{id}", "GET")`, `resource_path=…, method=…`, or `endpoint_path` in settings."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from miners.python_source import calls, functions, keyword, text
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_SENT = {"param_serialize", "call_api"}


def _routes(source: bytes) -> Iterator[tuple[str, str, str]]:
    """Give function or operation, method and path of every call that a module makes."""
    for _, function in functions(source):
        paths = dict(_assigned(function))
        for called, call in calls(function):
            path = _said(keyword(call, "resource_path") or _at(call, 0), paths)
            method = text(keyword(call, "method") or _at(call, 1))
            if called in _SENT and path and method:
                yield function.name.removeprefix("_").removesuffix("_serialize").removesuffix("_with_http_info"), method, path
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            said = {text(key): text(value) for key, value in zip(node.keys, node.values, strict=True)}
            path, method, name = said.get("endpoint_path"), said.get("http_method"), said.get("operation_id")
            if path and method and name:
                yield name, method, path


def _assigned(function: ast.AST) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, _path(node.value)


def _path(node: ast.expr) -> str | None:
    """A text, or one with `.replace('{format}', 'json')` behind it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "replace":
        return _path(node.func.value)
    return text(node)


def _said(node: ast.expr | None, paths: Mapping[str, str | None]) -> str | None:
    return paths.get(node.id) if isinstance(node, ast.Name) else text(node)


def _at(call: ast.Call, index: int) -> ast.expr | None:
    return call.args[index] if len(call.args) > index else None


def camel(name: str) -> str:
    """Give `createUser` for `create_user`: the operationId that a generator made the function of."""
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def _pascal(_: str, name: str) -> str:
    made = camel(name)
    return made[:1].upper() + made[1:]


def _resource(file: str, name: str) -> str:
    """Give `crm.companies.basic.create` for `create` in `hubspot/crm/companies/api/basic_api.py`."""
    parts = [part for part in file.removesuffix("_api.py").split("/")[1:] if part != "api"]
    return ".".join([*parts, camel(name)])


def _module(file: str, name: str) -> str:
    return f"{file.rpartition('/')[2].removesuffix('_api.py')}.{camel(name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sdk:
    """An SDK of the kind. `base` stands before every path; `named` gives an operation's name from file and function."""

    service: str
    files: str
    named: Callable[[str, str], str] = lambda _, name: camel(name)
    base: str = ""
    marks: Callable[[str], str] = lambda _: ""
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def mine(self, archive: Path) -> Iterable[Part]:
        found = {
            (self.named(file, name), method.upper(), self.base + path.rstrip("/") if len(path) > 1 else path)
            for file, source in members(archive, self.files)
            for name, method, path in _routes(source)
        }
        operations = (
            Mined(name=name, method=method, template=path, marks=self.marks(name), params=self.params.get(name, ()))
            for name, method, path in sorted(found)
        )
        yield Part(service=self.service, operations=first_named(operations))


asana = _Sdk(service="asana", files=r"asana/api/\w+_api\.py", named=_module, base="/api/1.0").mine
datadog = _Sdk(
    service="datadog",
    files=r"datadog_api_client/v[12]/api/\w+_api\.py",
    named=_pascal,
    marks=curated(
        {"s": "*ApiKey* *ApplicationKey* *AppKey*", "p": "*Role* *Restriction*", "u": "Mute* DisableUser Cancel*Downtime*"}
    ),
).mine
docusign = _Sdk(
    service="docusign",
    files=r"docusign_esign/apis/\w+_api\.py",
    named=_module,
    base="/restapi",
    marks=curated({"s": "*getDocument* *Token*"}),
).mine
hubspot = _Sdk(
    service="hubspot",
    files=r"hubspot/(?:\w+/)+api/\w+_api\.py",
    named=_resource,
    marks=curated({"b": "*.batch.archive *.gdpr.*", "s": "*.exports.*", "i": "*.gdpr.* *purge*"}),
).mine
launchdarkly = _Sdk(
    service="launchdarkly",
    files=r"launchdarkly_api/api/\w+_api\.py",
    named=_module,
    marks=curated({"p": "*Role* *Member* *Token*", "s": "*resetToken* *getToken*"}),
).mine
okta = _Sdk(
    service="okta",
    files=r"okta/api/\w+_api\.py",
    named=_module,
    marks=curated(
        {
            "p": "*role* *Role* *policy* *Policy* *grant* *Grant* *Factor* *password* *Password* *credential* *Credential*",
            "u": "*.deactivate* *.suspend* *.lock* *.revoke*",
            "s": "*generateCsr* *getRefreshToken* *SecretData* *listClientSecrets* *Key*",
        }
    ),
).mine


_PLAID = curated(
    {
        "m": """
            transferCreate transferRefundCreate transferLedgerWithdraw transferLedgerDistribute bankTransferCreate
            paymentInitiationPaymentCreate paymentInitiationPaymentReverse *PaymentExecute walletTransactionExecute""",
        "s": """
            authGet accounts*Get transactions*Get transactionsSync identityGet *ReportGet *PdfGet statementsDownload
            investments*Get liabilitiesGet *TokenCreate itemPublicTokenExchange itemAccessTokenInvalidate""",
    }
)
_NAMED = re.compile(rb"(\w+): \([^()]{0,2000}\) $")
_PATH = re.compile(rb"localVarPath = `([^`]+)`")
_METHOD = re.compile(rb"method: '([A-Z]+)'")


def plaid(archive: Path) -> Iterable[Part]:
    """The same generator's SDK for TypeScript: ``localVarPath = `/accounts/get` `` and `{ method: 'POST' }`."""
    found = {one for _, source in members(archive, r"package/dist/api\.js") for one in _plaid_calls(source)}
    operations = (Mined(name=name, method=method, template=path, marks=_PLAID(name)) for name, method, path in sorted(found))
    yield Part(service="plaid", operations=first_named(operations))


def _plaid_calls(source: bytes) -> Iterator[tuple[str, str, str]]:
    before, *bodies = source.split(b"=> __awaiter")
    for body in bodies:
        name, path, method = _NAMED.search(before[-2100:]), _PATH.search(body), _METHOD.search(body)
        if name and path and method:
            yield name[1].decode(), method[1].decode(), path[1].decode()
        before = body
