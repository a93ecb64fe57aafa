"""Linear: the fields of the roots of its GraphQL schema, from the documents that its SDK sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fetch import member
from miners.curated import curated
from write import Mined, Part

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_DOCUMENT = re.compile(rb"\b(query|mutation|subscription) \w+(?:\s*\((?:[^()]|\([^()]*\))*\))?\s*\{\s*(?:\w+\s*:\s*)?([a-z]\w*)")
_MARKS = curated(
    {
        "i": "*.organizationDelete *.teamDelete *.projectDelete *.organizationDeleteChallenge",
        "p": "*.apiKeyCreate *.userPromoteAdmin *.organizationInviteCreate *.userChangeRole",
        "u": "*.userSuspend *.organizationSuspend *.integrationDelete",
        "e": "*.webhookCreate *.webhookUpdate *.attachmentLinkURL *.fileUpload *.imageUploadFromUrl *.importFileUpload",
        "s": "*.auditEntries *.userSettings *.apiKeys *.createCsvExportReport",
        "b": "*Batch*",
    }
)


def mine(archive: Path) -> Iterable[Part]:
    found = {(kind.decode(), field.decode()) for kind, field in _DOCUMENT.findall(member(archive, "package/dist/index.mjs"))}
    names = sorted(f"graphql.{kind}.{field}" for kind, field in found)
    operations = (Mined(name=name, level="r" if ".query." in name else "", marks=_MARKS(name)) for name in names)
    yield Part(service="linear", operations=tuple(operations))
