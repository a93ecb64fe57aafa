"""AWS: which parameters of an operation rules may want to know, and how its first protocol writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")
_ID = re.compile(r"(?:Id|ID|Arn|ARN|Identifier|Name|Url|URL|Alias|Bucket|Key|Email|Address|Number|TopicArn|Uri)$", re.IGNORECASE)
_IDS = re.compile(r"(?:Ids|IDs|Arns|ARNs|Identifiers|IdList|ArnList|Keys|Entries|Addresses|AllocationIds)$", re.IGNORECASE)
_NAMES = re.compile(r"Names?(?:List)?$", re.IGNORECASE)
_ABOUT = re.compile(r"(?:Id|Arn|ARN|Name|Identifier|Ids|Arns|ARNs|Names|Identifiers)$")
_ASIDE = re.compile(r"token|marker|kms|client|request|owner|role|filter|attribute", re.IGNORECASE)
"""Identifies something else than what it is about."""
_LISTED = re.compile(r"(?:Id|ID|Arn|ARN|Identifier|Name|Key|Address|Entrie)?(?:List|s|es)?$")
_ANYTHING = frozenset({"", "resource", "item", "object", "record", "request", "entrie", "entry"})
_LIMITS = frozenset({"maxresults", "limit", "maxitems", "maxrecords", "maxkeys", "max-keys", "pagesize", "maxnumberofmessages"})
_SAME = {"tableName": "table", "modelId": "model", "accountId": "account", "awsAccountId": "account", "queryString": "statement",
         "sql": "statement", "sqls": "statement", "sqlStatement": "statement"}  # fmt: skip
"""What the vocabulary calls it. Names of a template's variables are among these keys."""
_NOT_TEXT = frozenset(
    {
        *("force", "dryRun", "recursive", "public", "where", "limit", "maxTokens", "amount", "ids", "names", "recipients"),
        *("tables", "columns", "tools", "scopes", "images"),
    }
)
_MOST = 3
_STATEMENTS = re.compile(r"^(sql|queryString|sqlStatement|statement)$", re.IGNORECASE)


def named(member: str) -> str:
    """Give a member's name with its first word in small letters, `DBInstanceId` is `dbInstanceId`; a trailing `+` stays."""
    plain, greedy = (member[:-1], "+") if member.endswith("+") else (member, "")
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", plain)
    match = _WORD.match(plain)
    name = plain if match is None else match[0].lower() + plain[match.end() :]
    return _SAME.get(name, f"{name}_id" if name in _NOT_TEXT else name) + greedy


def of(operation: str, model: Mapping[str, Any], said: Mapping[str, Any], protocol: str) -> Iterator[str]:
    """Give what rules may ask of an operation beside the variables of its path: ids, names, how many, a rehearsal or not."""
    shapes: Mapping[str, Any] = model["shapes"]
    if "input" not in said:
        return
    shape = shapes[said["input"]["shape"]]
    members: Mapping[str, Any] = shape.get("members", {})
    needed = _needed(operation, members, set(shape.get("required", ())))
    given: set[str] = set()
    single = 0
    for name, member in sorted(members.items(), key=lambda pair: (pair[0] not in needed, pair[0])):
        place = _place(name, member, shapes, protocol)
        if place is None:
            continue
        if shapes[member["shape"]]["type"] == "list" and not _counts(operation, name):
            continue
        for param in _params(name, member, shapes, place, required=name in needed):
            known = param.partition(" ")[0]
            is_text = param.split(" ")[1] == "string"
            if known in given or (is_text and single >= _MOST):
                continue
            given.add(known)
            single += is_text
            yield param


def _counts(operation: str, name: str) -> bool:
    """Whether a list says how often it is done: machines that are ended, not the groups that a new one is put into."""
    stem = _LISTED.sub("", name).lower().removesuffix("s")
    return "tag" not in stem and (stem in _ANYTHING or stem in operation.lower() or operation.lower() in stem)


def _needed(operation: str, members: Mapping[str, Any], required: set[str]) -> set[str]:
    """What says what it is about: what is required; where nothing is that does, what may be given instead (a name or an ARN)."""
    if any(_ID.search(name) or _IDS.search(name) or members[name].get("location") == "uri" for name in required):
        return required
    about = {name for name in members if _ABOUT.search(name) and not _ASIDE.search(name)}
    return required | {name for name in about if name[-1] != "s" or _counts(operation, name)}


def _params(name: str, member: Mapping[str, Any], shapes: Mapping[str, Any], place: str, *, required: bool) -> Iterator[str]:
    shape = shapes[member["shape"]]
    match shape["type"]:
        case "integer" | "string" | "long" if name.replace("_", "").lower() in _LIMITS:
            yield f"limit int {place}"
        case "boolean" if name in {"DryRun", "dryRun"}:
            yield f"dry_run bool {place}"
        case "boolean" if name in {"Force", "force", "ForceDelete", "forceDelete", "ForceDeleteWithoutRecovery", "ForceStop"}:
            yield f"force bool {place}"
        case "string" if required and "enum" not in shape and (_ID.search(name) or _STATEMENTS.match(name)):
            yield f"{named(name)} string {place}"
        case "list" if required:
            yield from _list(name, shape, shapes, place)
        case _:
            return


def _list(name: str, shape: Mapping[str, Any], shapes: Mapping[str, Any], place: str) -> Iterator[str]:
    item = shapes[shape["member"]["shape"]]
    if item["type"] == "string" and (_IDS.search(name) or _NAMES.search(name)):
        yield f"{'names' if _NAMES.search(name) else 'ids'} list {place}"
    elif item["type"] == "structure" and not place.startswith(("query.", "header.")):
        wanted = [
            one
            for one in item.get("required", ())
            if shapes[item["members"][one]["shape"]]["type"] == "string" and _ID.search(one)
        ]
        if wanted:
            inner = item["members"][wanted[0]]
            yield f"ids list {place}.{_written(wanted[0], inner, place)}"


def _written(name: str, member: Mapping[str, Any], place: str) -> str:
    return str(member.get("locationName", name)) if place.startswith("json.") else name


def _place(name: str, member: Mapping[str, Any], shapes: Mapping[str, Any], protocol: str) -> str | None:
    """Where the first protocol that is declared writes it; None where it is in the path, or in XML."""
    shape = shapes[member["shape"]]
    many = shape["type"] == "list"
    written = str(member.get("locationName", name))
    if "location" in member:
        outside = {"querystring": "query", "header": "header"}.get(member["location"])
        return outside and f"{outside}.{written}"
    match protocol:
        case "ec2":
            plain = str(member.get("queryName") or written[:1].upper() + written[1:])
            return f"form.{plain}.*" if many else f"form.{plain}"
        case "query":
            return f"form.{_query_list(written, shape)}" if many else f"form.{written}"
        case "rest-xml":
            return None
        case _:
            return f"json.{written}.*" if many else f"json.{written}"


def _query_list(written: str, shape: Mapping[str, Any]) -> str:
    inner = str(shape["member"].get("locationName", "member"))
    return f"{inner if shape['member'].get('locationName') else written}.*" if shape.get("flattened") else f"{written}.{inner}.*"
