"""Names of AWS's hosts: which services are there, in which region, whose bucket or account, or what else it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from outgate.actions.protocols.aws.atlas import Atlas

type Kind = Literal["api", "s3", "hosted", "other"]
"""A service's own API · S3, where name and path say what it is about · what a customer runs there · something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What the name of a host says. `signing` is what requests to it are signed for; `name` is what is hosted there."""

    kind: Kind
    parts: tuple[str, ...] = ()
    signing: frozenset[str] = frozenset()
    name: str = ""
    region: str = ""
    account: str = ""
    bucket: str = ""


OTHER = Endpoint(kind="other")
EXPRESS_CONTROL = "s3express-control"
"""Where both planes of S3 are found, by path."""

_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_POINT = re.compile(r"[a-z0-9-]+-([0-9]{12})")
_CELL = re.compile(r"(query|ingest)-cell[0-9]+")
_GLOBAL = frozenset({"global", "us-gov", "aws-global"})
"""Stand where a region does, and are none."""
_EXPRESS = re.compile(r"s3express-[a-z0-9-]+")
_S3_ONLY = frozenset({"s3"})
_BUCKETS = re.compile(r"s3(?:-accelerate|-external-1|-[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})?")
_WEBSITE = re.compile(r"s3-website(?:-[a-z0-9-]+)?")
_HOSTED = frozenset(
    {
        *("execute-api", "lambda-url", "appsync-api", "appsync-realtime-api", "elb", "compute", "compute-1", "es", "aoss", "rds"),
        *(
            "dkr.ecr",
            "cloudsearch",
            "eks",
            "cs",
            "aps-workspaces",
            "awsapprunner",
            "vpc-lattice-svcs",
            "grafana-workspace",
            "transfer",
        ),
    }
)
"""What customers run, under names of their own: the last of their labels."""
HOSTED = (_HOSTED - {"dkr.ecr"}) | {"ecr-registry", "s3-website"}
"""What they are called here."""
_ALSO = {
    "queue": "sqs",
    "ddb": "dynamodb",
    "search-ddb": "dynamodb",
    "search-dynamodb": "dynamodb",
    "streams-ddb": "streams.dynamodb",
    "data-kinesis": "kinesis",
    "control-kinesis": "kinesis",
    "data-kinesis-queues": "kinesis",
    "control-kinesis-queues": "kinesis",
    "cloudfront-kvs": "cloudfront-keyvaluestore",
}
"""Prefixes that stand for others."""


def endpoint(host: str, atlas: Atlas) -> Endpoint:
    """Read the name of a host; what is not AWS's, or nothing known, is other."""
    known = atlas.endpoints.get(host)
    return known if known is not None else atlas.keep(host, _read(host, atlas))


def _read(host: str, atlas: Atlas) -> Endpoint:
    suffix = next((one for one in atlas.suffixes if host.endswith(one)), None)
    if suffix is None:
        return OTHER
    labels = host.removesuffix(suffix).split(".")
    through = labels[-1] == "vpce"
    labels, region = _without_region(labels[:-1] if through else labels)
    labels = [label for label in (one.removesuffix("-fips") for one in labels) if label != "fips"]
    if labels and labels[-1] == "dualstack":
        labels = labels[:-1]
    if not labels:
        return OTHER
    if through:
        return _private(labels, region, atlas)
    return _s3(labels, region) or _api(labels, region, atlas) or _hosted(labels, region, atlas)


def _without_region(labels: list[str]) -> tuple[list[str], str]:
    if len(labels) > 1 and labels[-1] in _GLOBAL:
        labels = labels[:-1]
    return (labels[:-1], labels[-1]) if len(labels) > 1 and _REGION.fullmatch(labels[-1]) else (labels, "")


def _private(labels: list[str], region: str, atlas: Atlas) -> Endpoint:
    """An interface endpoint: `vpce-….ec2.REGION.vpce`, and `BUCKET.bucket.vpce-….s3.REGION.vpce`."""
    at = next((at for at, label in enumerate(labels) if label.startswith("vpce-")), None)
    if at is None:
        return _hosted(labels, region, atlas)
    before, after = labels[:at], labels[at + 1 :]
    if after != ["s3"]:
        return (_api(after, region, atlas) if after and not before else None) or _hosted(labels, region, atlas)
    match before[-1:]:
        case ["control"]:
            return _control(before[:-1], region)
        case ["bucket"] | ["accesspoint"]:
            return _bucket(".".join(before[:-1]), region)
        case []:
            return _bucket("", region)
        case _:
            return OTHER


def _s3(labels: list[str], region: str) -> Endpoint | None:
    """The last label says that it is S3; what stands before it is the bucket's, dots and all."""
    *before, last = labels
    bucket = ".".join(before)
    if _BUCKETS.fullmatch(last):
        found = _REGION.search(last)
        return _bucket(bucket, region or (found[0] if found else ""))
    if _WEBSITE.fullmatch(last):
        return Endpoint(kind="hosted", name="s3-website", region=region, bucket=bucket)
    if last == EXPRESS_CONTROL:
        return Endpoint(kind="s3", parts=("s3", "s3control"), signing=frozenset({"s3express"}), name=last, region=region)
    return _bucket(bucket, region, "s3express") if _EXPRESS.fullmatch(last) else _other_s3(before, last, region)


def _other_s3(before: list[str], last: str, region: str) -> Endpoint | None:
    """Access points and the control plane."""
    match last, before:
        case "s3-control", _:
            return _control(before, region)
        case (("s3-accesspoint" | "s3-object-lambda"), [point]):
            owner = _POINT.fullmatch(point)
            signing = "s3" if last == "s3-accesspoint" else last
            return replace(_bucket(point, region, signing), account=owner[1] if owner else "")
        case "s3-object-lambda", []:
            return _bucket("", region, last)
        case "s3-outposts", [] | [_, _]:
            control = Endpoint(kind="api", parts=("s3control", "s3outposts"), signing=frozenset({last}), region=region)
            return _bucket(before[0], region, last) if before else control
        case "s3-global", [*alias, "accesspoint"]:
            return _bucket(".".join(alias), region)
        case _:
            return None


def _bucket(bucket: str, region: str, signing: str = "s3") -> Endpoint:
    return Endpoint(kind="s3", parts=("s3",), signing=frozenset({signing}), region=region, bucket=bucket)


def _control(before: list[str], region: str) -> Endpoint:
    if len(before) > 1 or (before and not _ACCOUNT.fullmatch(before[0])):
        return OTHER
    return Endpoint(kind="api", parts=("s3control",), signing=_S3_ONLY, region=region, account="".join(before))


def _api(labels: list[str], region: str, atlas: Atlas) -> Endpoint | None:
    """The whole of it is a prefix; else what is left without an account or a name of the customer's before it."""
    if labels[-1] == "iot" and len(labels) == 2 and labels[0] not in {"data", "api"}:
        return _made("data-ats.iot", region, atlas)
    if len(labels) > 1 and labels[-1] == "timestream" and (cell := _CELL.fullmatch(labels[0])):
        return _made(f"{cell[1]}.timestream", region, atlas)
    if len(labels) > 1 and _REGION.fullmatch(labels[0]) and not region:
        return _made(".".join(labels[1:]), labels[0], atlas)
    for at in range(min(3, len(labels))):
        prefix = ".".join(labels[at:])
        if at and prefix in _HOSTED:
            return None
        found = _made(prefix, region, atlas, account=labels[0] if at else "")
        if found is not None:
            return found
    return None


def _made(prefix: str, region: str, atlas: Atlas, account: str = "") -> Endpoint | None:
    parts = atlas.by_prefix.get(_ALSO.get(prefix, prefix))
    if parts is None:
        return None
    signing = frozenset().union(*(atlas.signing[part] for part in parts))
    said = account if _ACCOUNT.fullmatch(account) else ""
    return Endpoint(kind="api", parts=parts, signing=signing, region=region, account=said)


def _hosted(labels: list[str], region: str, atlas: Atlas) -> Endpoint:
    """`NAME.execute-api`, `NAME.REGION.elb`; a registry is `ACCOUNT.dkr.ecr`."""
    inner = next((at for at, label in enumerate(labels) if _REGION.fullmatch(label)), None)
    if inner is not None and not region:
        rest = labels[inner + 1 :]
        if rest and (found := _made(".".join(rest), labels[inner], atlas)) and rest[-1] not in _HOSTED:
            return found
        region = labels[inner]
    if labels[-2:] == ["dkr", "ecr"]:
        account = labels[0] if _ACCOUNT.fullmatch(labels[0]) else ""
        return Endpoint(kind="hosted", name="ecr-registry", region=region, account=account)
    if labels[-1] in _HOSTED and len(labels) > 1:
        return Endpoint(kind="hosted", name=labels[-1], region=region)
    return OTHER
