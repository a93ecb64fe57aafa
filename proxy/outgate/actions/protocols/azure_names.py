"""Azure Resource Manager's own names: provider, types and verb of a path, as roles in Azure say them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESOURCES = "Microsoft.Resources"
"""The provider of what has none in its path: subscriptions, resource groups, deployments' templates."""

_VERBS: Mapping[str, str] = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)+")
_TYPE = re.compile(r"[A-Za-z$][A-Za-z0-9._-]*")
_HANDED_OUT = "key|secret|credential|password|token|sas\\b|connectionstring|publishxml|publishingprofile|kubeconfig|callbackurl"
_HANDS_OUT = re.compile(
    rf"(?:list|get|retrieve|fetch|regenerate|reset|rotate|renew)\w*?(?:{_HANDED_OUT})|readonlykeys", re.IGNORECASE
)
_MADE_ANEW = re.compile(r"(?:regenerate|reset|rotate|renew)", re.IGNORECASE)
_RUNS = re.compile(r"(?:run|execute|invoke)\w*(?:command|script|shell|query)|runcommand", re.IGNORECASE)
_RIGHTS = frozenset({"microsoft.authorization", "microsoft.managedidentity", "microsoft.aad", "microsoft.azureactivedirectory"})
_FOR_GOOD = frozenset(
    {
        *("resourcegroups", "subscriptions", "managementgroups", "storageaccounts", "servers", "databases", "managedinstances"),
        *(
            "databaseaccounts",
            "flexibleservers",
            "clusters",
            "managedclusters",
            "disks",
            "snapshots",
            "workspaces",
            "backupvaults",
        ),
        *("recoverypoints", "containers", "fileservices", "shares", "deletedvaults"),
    }
)
"""Types that hold data, or everything in them: deleted, it is gone."""
_WATCHING = frozenset({"diagnosticsettings", "logprofiles", "activitylogalerts", "locks", "securitycontacts"})
_GROUPS = "resourcegroups"
_AT_THE_TOP = (["subscriptions"], ["tenants"], ["locations"], ["providers"])
"""What may stand there without a provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a path names. `scope` and `group` are the subscription (or the management group) and the resource group in it."""

    name: str
    listing: bool = False
    scope: str = ""
    group: str = ""
    last: str = ""
    """The name of the resource itself, where the path has one."""


def named(method: str, segments: Sequence[str]) -> Named | None:
    """Name what a method and the unescaped segments of a path are; None for what is no request of ARM."""
    lower = [segment.lower() for segment in segments]
    at = len(lower) - 1 - lower[::-1].index("providers") if "providers" in lower[:-1] else -1
    provider, rest = (segments[at + 1], segments[at + 2 :]) if at >= 0 else (RESOURCES, segments)
    if not _PROVIDER.fullmatch(provider) or (method != "POST" and method not in _VERBS):
        return None
    types, listing = list(rest[0::2]), len(rest) % 2 == 1
    if not all(map(_TYPE.fullmatch, types)) or (at < 0 and lower[:1] not in _AT_THE_TOP):
        return None
    if method == "POST":
        types = types if listing else [*types, rest[-1]]
        verb = "action" if types and _TYPE.fullmatch(types[-1]) else ""
    else:
        verb = _VERBS[method]
    scope, group = _scope(lower, segments)
    last = rest[-1] if rest and not listing else rest[-2] if method == "POST" and len(rest) > 1 else ""
    return Named(name="/".join((provider, *types, verb)), listing=listing, scope=scope, group=group, last=last) if verb else None


def _scope(lower: Sequence[str], segments: Sequence[str]) -> tuple[str, str]:
    if lower[:1] == ["subscriptions"] and len(lower) > 1:
        grouped = len(lower) > 3 and lower[2] == _GROUPS
        return f"subscription:{lower[1]}", segments[3] if grouped else ""
    if lower[:3] == ["providers", "microsoft.management", "managementgroups"] and len(lower) > 3:
        return f"management-group:{segments[3]}", ""
    return "", ""


def classified(name: str) -> tuple[str, str]:
    """Give level and marks of a name: what `judge` is told. Azure's verbs say what is done, but `action`."""
    parts = name.lower().split("/")
    verb, kind, deed = parts[-1], parts[-2] if len(parts) > 1 else "", name.split("/")[-2] if "/" in name else ""
    rights = parts[0] in _RIGHTS
    match verb:
        case "read":
            return "r", "s" if _HANDS_OUT.search(kind) else ""
        case "write":
            return ("p" if rights else "w"), ""
        case "delete":
            marks = "i" if kind in _FOR_GOOD else "u" if kind in _WATCHING else ""
            return ("p" if rights else "d"), marks
        case _:
            return _of_action(deed)


def _of_action(deed: str) -> tuple[str, str]:
    if _HANDS_OUT.search(deed):
        return ("p", "") if _MADE_ANEW.match(deed) else ("r", "s")
    if _RUNS.search(deed):
        return "x", "b"
    known = deed.lower()
    if known == "elevateaccess":
        return "p", "i"
    return "", "i" if known in {"purge", "cancel"} else "b" if known in _STOPS else ""


_STOPS = frozenset(
    {"poweroff", "deallocate", "stop", "restart", "reimage", "redeploy", "failover", "disable", "suspend", "movesources"}
)
