"""Every operation of AWS, written by botocore's own serializers in every protocol that its service declares, and read again."""

import gc
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import process_time_ns
from urllib.parse import urlencode

import botocore.loaders
import botocore.model
import botocore.serialize
from aws_requests import alone, catalog

from outgate.actions.catalog import Catalog
from outgate.actions.identify import heavy, identify, wants_body
from outgate.intake.request import NoBody, Request, UnreadBody, WholeBody

REGION, KEY, DAY = "us-east-1", "AKIAQNZGKIQY56JQ7WML", "20260102"
EXACT, ALIKE, WRONG, UNMAPPED = "exact", "looks like another's", "wrong", "unmapped"
_HOSTS = {"apigatewaymanagementapi": "a1b2c3.execute-api", "s3control": "123456789012.s3-control"}
_SIGNED = {
    ("s3", "ListDirectoryBuckets"): ("s3express-control", "s3express"),
    ("s3", "WriteGetObjectResponse"): ("io-route.s3-object-lambda", "s3-object-lambda"),
}
_SCALARS = {
    "integer": 3,
    "long": 3,
    "float": 1.5,
    "double": 1.5,
    "boolean": True,
    "blob": b"xx",
    "timestamp": datetime(2026, 1, 2, tzinfo=UTC),
    "bigdecimal": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request, and what it is."""

    service: str
    operation: str
    protocol: str
    request: Request

    @property
    def name(self) -> str:
        return f"aws.{self.service}.{self.operation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """By protocol and outcome; `misread` are those that are not exact, in words."""

    counts: Counter[tuple[str, str]]
    misread: tuple[str, ...]

    def of(self, outcome: str) -> int:
        return sum(count for (_, found), count in self.counts.items() if found == outcome)

    @property
    def all(self) -> int:
        return sum(self.counts.values())

    @property
    def exact(self) -> float:
        return self.of(EXACT) / self.all

    def table(self) -> str:
        """A line a protocol."""
        outcomes = (EXACT, ALIKE, WRONG, UNMAPPED)
        lines = [f"{'protocol':22}" + "".join(f"{outcome:>22}" for outcome in outcomes)]
        for protocol in sorted({protocol for protocol, _ in self.counts}):
            lines.append(f"{protocol:22}" + "".join(f"{self.counts[protocol, outcome]:>22}" for outcome in outcomes))
        return "\n".join([*lines, f"{self.all} requests, {self.exact:.2%} exact"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor time of one mapping after the first, by protocol, in microseconds; of the first of each service, in milliseconds."""

    median: dict[str, float]
    p99: dict[str, float]
    all: float
    first: float

    def table(self) -> str:
        """A line a protocol."""
        lines = [f"{'protocol':22}{'median µs':>12}{'p99 µs':>12}"]
        lines += [f"{protocol:22}{self.median[protocol]:>12.1f}{self.p99[protocol]:>12.1f}" for protocol in sorted(self.median)]
        return "\n".join([*lines, f"median of all {self.all:.1f} µs, slowest first hit of a service {self.first:.1f} ms"])


def measure(*, every: int = 1) -> Measured:
    """Send and read one of `every` operations, chosen by the hash of its name: always the same ones."""
    counts: Counter[tuple[str, str]] = Counter()
    misread = []
    for sent in requests(every=every):
        outcome, said = judged(sent)
        counts[sent.protocol, outcome] += 1
        if outcome != EXACT:
            misread.append(f"{outcome}: {sent.name} in {sent.protocol}, read as {said}")
    return Measured(counts=counts, misread=tuple(misread))


def cost(*, every: int = 25) -> Cost:
    """Map one of `every` operations a few times over, in a catalog of its own that nothing was asked of yet.

    What is parsed in a process of its own (SQL) costs that one, and is left out; so is the collector, which would go over the
    models that botocore has in this process, and no gate has.
    """
    gc.collect()
    gc.disable()
    try:
        return _cost(every)
    finally:
        gc.enable()


def _cost(every: int) -> Cost:
    fresh, first, took = alone(), [0.0], defaultdict(list)
    seen: set[str] = set()
    for sent in requests(every=every):
        if heavy(sent.request, fresh):
            continue
        began = process_time_ns()
        identify(sent.request, fresh)
        if sent.service not in seen:
            first.append((process_time_ns() - began) / 1e6)
            seen.add(sent.service)
        took[sent.protocol].append(min(_took(sent.request, fresh) for _ in range(5)))
    every_one = sorted(one for some in took.values() for one in some)
    return Cost(
        median={protocol: median(some) for protocol, some in took.items()},
        p99={protocol: sorted(some)[len(some) * 99 // 100] for protocol, some in took.items()},
        all=median(every_one),
        first=max(first),
    )


def _took(request: Request, fresh: Catalog) -> float:
    began = process_time_ns()
    identify(request, fresh)
    return (process_time_ns() - began) / 1e3


def judged(sent: Sent) -> tuple[str, str]:
    """What comes of a request: its first action is the operation; others may come along."""
    action = identify(sent.request, catalog())[0]
    if action.name == sent.name:
        return EXACT, action.name
    if not action.mapped:
        return UNMAPPED, f"{action.name} ({action.why})"
    own = f"also {sent.service}.{sent.operation}"
    return (ALIKE if own in action.evidence else WRONG), action.name


def requests(*, every: int = 1) -> Iterator[Sent]:
    """Give the requests of every service, in the order of their names."""
    loader = botocore.loaders.Loader()
    for service in loader.list_available_services("service-2"):
        model = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service)
        chosen = [name for name in model.operation_names if _chosen(f"{service}.{name}", every)]
        for protocol in sorted({*model.metadata.get("protocols", ()), model.metadata["protocol"]} if chosen else ()):
            serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
            yield from (_sent(model, model.operation_model(name), protocol, serializer) for name in chosen)


def _chosen(name: str, every: int) -> bool:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % every == 0


def _sent(model, operation, protocol, serializer) -> Sent:
    service, name = model.service_name, operation.name
    said = {} if operation.input_shape is None else _value(operation.input_shape, ())
    made = serializer.serialize_to_request(said, operation)
    headers = {key.lower(): str(value) for key, value in made["headers"].items()}
    body = made["body"]
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
        headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
    content = body.read() if isinstance(body, io.IOBase) else body.encode() if isinstance(body, str) else bytes(body)
    path, _, query = made["url_path"].partition("?")
    asked = made["query_string"]
    fields = "&".join(filter(None, [query, urlencode(asked, doseq=True) if not isinstance(asked, str) else asked]))
    signed = model.metadata.get("signingName", model.endpoint_prefix)
    host, signed = _SIGNED.get((service, name), (_HOSTS.get(service, model.endpoint_prefix), signed))
    scope = f"Credential={KEY}/{DAY}/{REGION}/{signed}/aws4_request"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature={'0' * 64}"
    request = Request(
        method=made["method"],
        scheme="https",
        host=f"{host}.{REGION}.amazonaws.com",
        port=443,
        path=path,
        query=fields or None,
        headers=tuple(headers.items()),
        body=WholeBody(content) if content else NoBody(),
    )
    return Sent(service=service, operation=name, protocol=protocol, request=request)


def _value(shape, above: tuple[str, ...]):
    """The least that an operation takes."""
    match shape.type_name:
        case "structure" if shape.name in above:
            return {}
        case "structure":
            names = list(shape.required_members) or (list(shape.members)[:1] if shape.is_tagged_union else [])
            return {name: _value(shape.members[name], (*above, shape.name)) for name in names}
        case "list":
            return [_value(shape.member, above)]
        case "map":
            return {"k": _value(shape.value, above)}
        case kind:
            return _SCALARS.get(kind, shape.enum[0] if getattr(shape, "enum", None) else "abcdefgh1234")


def unseen(sent: Sent) -> bool:
    """Whether an operation is told from the head of its request, or its body is asked for: never read without."""
    head = Request(
        method=sent.request.method,
        scheme="https",
        host=sent.request.host,
        port=443,
        path=sent.request.path,
        query=sent.request.query,
        headers=sent.request.headers,
        body=UnreadBody() if isinstance(sent.request.body, WholeBody) else NoBody(),
    )
    return wants_body(head, catalog()) or identify(head, catalog())[0].name == identify(sent.request, catalog())[0].name
