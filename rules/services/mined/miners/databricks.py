"""Databricks' SDK: `self._api.do("POST", "/api/2.2/jobs/create")` in the class JobsAPI is jobs.create."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from miners.openapi_generator import camel
from miners.python_source import calls, functions, template, text
from write import Mined, Part, first_named

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MARKS = curated(
    {
        "i": "*.permanentDelete* metastores.delete workspaces.delete catalogs.delete",
        "p": "*Permissions* grants.* *Acl* *PermissionAssignment* *RuleSet*",
        "s": "secrets.getSecret *getToken* *TemporaryTableCredentials* *generateTemporary* workspace.export tokens.create",
    }
)
_MANY = re.compile(r"(?<!/)\{((?:file|directory)_path)\}")
"""Glued to what is before it: a path of its own, which starts with a slash."""
_NAMED_WHOLE = re.compile(r"/api/(?:[a-z-]+/)?(?:v?[0-9.]+/)?(?:[a-z-]+/)?\{(?:name|parent)\}")
"""Stands for several segments, which no template says."""


def mine(archive: Path) -> Iterable[Part]:
    found: set[tuple[str, str, str]] = set()
    for _, source in members(archive, r"databricks/sdk/service/\w+\.py"):
        for owner, function in functions(source):
            for called, call in calls(function):
                if called == "do" and len(call.args) > 1 and (path := template(call.args[1])) and (method := text(call.args[0])):
                    found.add((_name(owner.name, function.name), method, _MANY.sub(r"/{\1+}", path)))
    kept = sorted(one for one in found if not _NAMED_WHOLE.match(one[2]))
    operations = (Mined(name=name, method=method, template=path, marks=_MARKS(name)) for name, method, path in kept)
    yield Part(service="databricks", operations=first_named(operations))


def _name(owner: str, function: str) -> str:
    """Give `statementExecution.executeStatement` for `execute_statement` of StatementExecutionAPI."""
    resource = owner.removesuffix("Ext").removesuffix("API")
    return f"{resource[:1].lower()}{resource[1:]}.{camel(function)}"
