"""Microsoft Graph: the request builders of its SDKs, v1.0 and beta together, since beta is what v1.0 will be.

Graph compares paths without regard to case, and takes `users('x')` for `users/x` and `me` for a user: `folded` in `meta` says
that segments are compared in small letters; the rest is the business of `outgate.actions.protocols.msgraph`. Names are made of
the path, since the SDKs have no others.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fetch import members
from miners.curated import curated
from write import Level, Mined, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BUILDERS = r"msgraph(?:_beta)?/generated/.*_request_builder\.py"
_TEMPLATE = re.compile(r'super\(\).__init__\(request_adapter, "\{\+baseurl\}([^"]*)"')
_METHOD = re.compile(r"RequestInformation\(Method\.([A-Z]+), (?:self\.url_template|'\{\+baseurl\}([^']*)')")
_CALLED = re.compile(r"Provides operations to call the (\S+) method")
_PAGED = re.compile(r"%24(?:top|skip)\b")
_CALL = re.compile(r"([\w.$]+)\((.*)\)")
_VARIABLE = re.compile(r"\{[^{}]*\}")
_QUERY = re.compile(r"\{[?&].*|\?.*")
_NAMESPACE = "microsoft.graph."
_VERBS = {"POST": "create", "PATCH": "update", "PUT": "set", "DELETE": "delete"}
_LARGE = 500
"""Operations below a first segment that has a part of its own, so that the first request to Graph needs not wait for all."""
_WORDS = {"$count": "count", "$ref": "ref", "$value": "content"}

_MARKS = curated(
    {
        "s": """
            *.addPassword *.addKey *.getRecoveryKey *bitlocker*.get *.deviceLocalCredentials.*
            *informationProtection*.* *.exportPersonalData *.temporaryAccessPassMethods.* *.passwordMethods.*
            users.list users.messages.content.get *.acquireAccessToken *auditLogs.* *.getByteRange
            *.exportDeviceAndAppManagementData *.createDownloadUrl *.windowsAutopilotDeviceIdentities.list""",
        "m": "*.subscribedSkus.* *.assignLicense *billing*.export* *.cloudPCs.reprovision",
        "i": """
            *.permanentDelete *.wipe *.retire users.delete groups.delete applications.delete servicePrincipals.delete
            sites.delete teams.archive directory.deletedItems.delete *.bulkRestore* drives.items.delete domains.delete
            *.cleanWindowsDevice *.purgeData""",
        "u": """
            *.revokeSignInSessions *.invalidateAllRefreshTokens *.remoteLock *.disable *.shutDown *.rebootNow *.block
            identity.conditionalAccess.policies.delete security.*.delete *.disableLostMode *.suspend *.stop""",
        "p": """
            *.createLink *.invite *.permissions.create *.permissions.update *.permissions.grant
            *roleAssignments.create *.oauth2PermissionGrants.create *.appRoleAssign*.create *.owners.ref.create
            groups.members.ref.create *.federatedIdentityCredentials.create *.addKey *.addPassword
            *.setVerifiedPublisher invitations.create *.delegatedPermissionClassifications.create
            *roleManagement*.create *.directoryRoles.members.ref.create""",
        "e": "subscriptions.create subscriptions.update *.webhooks.* *.importFromUrl external.connections.create",
        "b": "*.batch* *.bulk* *.sendMultiple* *.deleteMultiple* *.removeDevices *.wipeMultiple*",
    }
)


@dataclass(frozen=True, slots=True)
class _Builder:
    """One request builder: its path, how it is called, and whether its last segment is a function or an action."""

    path: str
    methods: tuple[tuple[str, str], ...]
    called: bool
    paged: bool


def mine(stable: Path, beta: Path) -> Iterable[Part]:
    builders = [builder for archive in (stable, beta) for builder in _builders(archive)]
    collections = {_split(builder.path) for builder in builders if builder.paged and not builder.called}
    by_start: dict[str, set[Mined]] = defaultdict(set)
    for builder in builders:
        by_start[builder.path.split("/")[1].partition("(")[0].lower()].update(_operations(builder, collections))
    parts: dict[str, set[Mined]] = defaultdict(set)
    for start, operations in by_start.items():
        parts[start if len(operations) >= _LARGE else ""] |= operations
    for start, operations in sorted(parts.items()):
        hosts = (f"/{start}",) if start else ()
        yield Part(service="msgraph", part=start, hosts=hosts, operations=tuple(operations), meta={"folded": True})


def _builders(archive: Path) -> Iterator[_Builder]:
    for _, content in members(archive, _BUILDERS):
        source = content.decode()
        if (path := _TEMPLATE.search(source)) is not None:
            methods = tuple((method, own or path[1]) for method, own in _METHOD.findall(source))
            plain = _QUERY.sub("", path[1])
            called = _CALLED.search(source)
            deed = plain.rpartition("/")[2].replace(_NAMESPACE, "").partition("(")[0].rpartition(".")[2]
            yield _Builder(plain, methods, called is not None and called[1] == deed, _PAGED.search(path[1]) is not None)


def _split(path: str) -> tuple[str, ...]:
    """Give the segments of a path, variables without names."""
    return tuple(_VARIABLE.sub("{}", segment) for segment in path.split("/")[1:])


def _operations(builder: _Builder, collections: set[tuple[str, ...]]) -> Iterator[Mined]:
    segments = list(_segments(builder.path, collections))
    for method, path in builder.methods:
        name = ".".join([*_words(segments), *_verb(builder, method, segments)])
        template = "/" + "/".join(segment if "{" in segment else segment.lower() for segment in segments)
        params = ("limit int query.$top",) if _PAGED.search(path) and method == "GET" else ()
        level: Level = "r" if method == "GET" and builder.called else ""  # OData: a function has no side effects
        yield Mined(name=name, method=method, template=template, level=level, marks=_MARKS(name), params=params)


def _segments(path: str, collections: set[tuple[str, ...]]) -> Iterator[str]:
    """Give segments as they are matched: functions without their arguments, keys as segments of their own."""
    seen: list[str] = []
    for raw in path.split("/")[1:]:
        segment = raw.replace(_NAMESPACE, "")
        call = _CALL.fullmatch(segment)
        if call is None:
            yield "{key}" if "{" in segment and not _VARIABLE.fullmatch(segment) else segment.replace("%2D", "_")
        else:
            yield call[1]
            if call[2] and tuple(map(str, [*_split("/" + "/".join(seen)), call[1]] if seen else [call[1]])) in collections:
                yield "{key}"
        seen.append(raw)


def _words(segments: list[str]) -> list[str]:
    return [_WORDS.get(segment, segment) for segment in segments if "{" not in segment]


def _verb(builder: _Builder, method: str, segments: list[str]) -> list[str]:
    """Give the last word of a name: none where the path ends with a deed of its own."""
    if builder.called and segments[-1] not in {"$ref", "$value"}:
        return []
    if method == "GET":
        return ["list"] if builder.paged and "{" not in segments[-1] else ["get"]
    return [_VERBS[method]]
