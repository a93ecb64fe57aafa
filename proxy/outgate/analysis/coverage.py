"""Coverage: how much of what was recorded is known, what is not, and a service file to begin with for each such host."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from outgate.actions.access import judge
from outgate.actions.action import Confidence, Tier
from outgate.actions.openapi.draft import Draft, Entry
from outgate.actions.openapi.naming import distinct, operation_name, service_name, snake
from outgate.actions.service import METHODS, WEBSOCKET
from outgate.errors import EvidenceError
from outgate.intake.destination import canonical_authority, is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from outgate.actions.catalog import Catalog
    from outgate.digest import Json

MOST_SHAPES = 50_000
"""Paths that are kept apart. Beyond, hosts are counted, and no more paths are learned."""
MOST_LITERALS = 12
"""Names beside each other in paths; where there are more, they are things, and one variable stands for all."""
_ID = re.compile(
    r"[0-9]+|[0-9a-fA-F-]{16,}|(?=[^/]*[0-9])[A-Za-z]{1,12}[_-][A-Za-z0-9_-]{6,}|(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_=-]{12,}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[^/]*@[^/]*|.*….*"
)
_LITERAL = re.compile(r"[!-z|~]+")
_GENERAL = frozenset("api www rest app gateway web public v1 v2 com net org io dev co uk de eu".split())  # noqa: SIM905  # reads better
_HOST = re.compile(r"[a-z0-9.:\[\]-]{1,253}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmapped:
    """Requests of one shape that no table knows."""

    host: str
    method: str
    path: str
    """With `{}` for what looks like the name of a thing."""
    action: str
    times: int


@dataclass(slots=True, kw_only=True)
class Coverage:
    """What was recorded, by how it was known. An action counts once, however many things it does."""

    decisions: int = 0
    unreadable: int = 0
    first: str = ""
    last: str = ""
    by: Counter[Confidence] = field(default_factory=Counter)
    services: dict[str, Counter[bool]] = field(default_factory=dict)
    """By service: how many actions are mapped, and how many are not."""
    seen: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Host, method, path with ids collapsed, action: of what is not mapped."""

    @property
    def actions(self) -> int:
        """All of them."""
        return sum(self.by.values())

    @property
    def mapped(self) -> int:
        """Those that a table, a protocol, or the operator says."""
        return sum(self.by[one] for one in (Confidence.OVERRIDE, Confidence.CATALOG, Confidence.PROTOCOL))

    def unmapped(self) -> tuple[Unmapped, ...]:
        """What no table knows, most often first."""
        found = [Unmapped(host=h, method=m, path=p, action=a, times=n) for (h, m, p, a), n in self.seen.items()]
        return tuple(sorted(_merged(found), key=lambda one: (-one.times, one.host, one.path, one.method, one.action)))


def coverage(receipts: Iterable[Mapping[str, Json]]) -> Coverage:
    """Count what receipts show. Raises EvidenceError for a decision that this version can't read."""
    found = Coverage()
    for fields in receipts:
        match fields:
            case {"type": "decision", "at": str(at), "request": dict(request), "actions": list(actions)}:
                found.decisions += 1
                found.first, found.last = min(found.first or at, at), max(found.last, at)
                found.unreadable += not actions
                for action in actions:
                    _add(found, request, action)
            case _:
                pass  # outcomes and events map nothing
    return found


def _add(found: Coverage, request: Mapping[str, Json], action: Json) -> None:
    match action:
        case {"name": str(name), "mapped": bool(mapped), **more}:
            said = str(more.get("confidence", ""))
            known = Confidence.CATALOG if mapped else Confidence.HEURISTIC
            confidence = Confidence(said) if said in {*Confidence} else known
            found.by[confidence] += 1
            found.services.setdefault(name.partition(".")[0], Counter())[mapped] += 1
            if not mapped:
                _remember(found, request, name)
        case _:
            raise EvidenceError("a decision does not say its actions as this version does")


def _remember(found: Coverage, request: Mapping[str, Json], name: str) -> None:
    match request:
        case {"method": str(method), "host": str(host), "path": str(path)}:
            port = request.get("port")
            usual = 443 if request.get("scheme") == "https" else 80
            where = f"{host}:{port}" if isinstance(port, int) and port != usual else host
            shape = where, WEBSOCKET if request.get("websocket") is True else method, collapsed(path), name
            if shape in found.seen or len(found.seen) < MOST_SHAPES:
                found.seen[shape] += 1
        case _:
            pass  # what has no one reading has no path


def collapsed(path: str) -> str:
    """Put `{}` for each segment that looks like an id: a number, a date, a hash, an address, a prefix with one behind."""
    return "/".join("{}" if _ID.fullmatch(segment) or not _plain(segment) else segment for segment in path.split("/"))


def _plain(segment: str) -> bool:
    return not segment or _LITERAL.fullmatch(segment) is not None


def _merged(found: list[Unmapped]) -> Iterator[Unmapped]:
    """Where many names stand beside each other, put one variable for all, from the left to the right."""
    beside: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    paths = [(one, one.path.split("/")[1:]) for one in found]
    deepest = max((len(segments) for _, segments in paths), default=0)
    for level in range(deepest):
        beside.clear()
        for one, segments in paths:
            if level < len(segments):
                beside.setdefault((one.host, tuple(segments[:level])), set()).add(segments[level])
        for one, segments in paths:
            if level < len(segments) and len(beside[one.host, tuple(segments[:level])]) > MOST_LITERALS and level:
                segments[level] = "{}"
    made: dict[tuple[str, str, str, str], Unmapped] = {}
    for one, segments in paths:
        path = "/" + "/".join(segments)
        key = one.host, one.method, path, one.action
        known = made.get(key)
        made[key] = replace(one, path=path) if known is None else replace(known, times=known.times + one.times)
    yield from made.values()


def drafts(unmapped: Iterable[Unmapped], catalog: Catalog) -> dict[str, Draft]:
    """Give a service file to begin with for each host. A host of a service that is known adds to that service."""
    by_host: dict[str, list[Unmapped]] = {}
    for one in unmapped:
        if one.method in {*METHODS, WEBSOCKET} and _HOST.fullmatch(one.host) and _canonical(one.host):
            by_host.setdefault(one.host, []).append(one)
    taken = set(catalog.services())
    made: dict[str, Draft] = {}
    for host, shapes in by_host.items():
        main = catalog.at(host).main
        name = _service(host, taken) if main is None else main.name
        taken.add(name)
        operations = {one.name.partition(".")[2] for one in catalog.operations(name)} if main is not None else set[str]()
        entries = tuple(_entries(shapes, operations))
        if entries:
            head = {"title": host, "hosts": [host]} if main is None else {}
            made[host] = Draft(service=name, head=head, entries=entries, adds=main is not None)
    return made


def _canonical(host: str) -> bool:
    try:
        canonical_authority(host, 443)
    except ValueError:
        return False
    return True


def _service(host: str, taken: set[str]) -> str:
    name, _ = canonical_authority(host, 443)
    if is_address(name):
        plain = "at-" + re.sub(r"[^0-9a-f]+", "-", name).strip("-")
    else:
        labels = [label for label in name.split(".") if label not in _GENERAL]
        plain = service_name(" ".join(labels[:-1] if len(labels) > 1 else labels or name.split(".")[:1])) or "service"
    return next(one for one in (plain, *(f"{plain}-{number}" for number in range(2, 1000))) if one not in taken)


def _entries(shapes: list[Unmapped], taken: set[str]) -> Iterator[Entry]:
    """Operations by their paths; the same method and path once, whatever was guessed of it."""
    times: Counter[tuple[str, str]] = Counter()
    for one in shapes:
        times[one.method, one.path] += one.times
    for (method, shape), count in sorted(times.items(), key=lambda one: (one[0][1], one[0][0])):
        template = _template(shape)
        name = operation_name("", method, template)
        name = distinct(name, template, taken | {*METHODS, WEBSOCKET}) if name in taken else name
        taken.add(name)
        judged = judge(name, method="" if method == WEBSOCKET else method, path=template)
        value = {"on": f"{method} {template}", "access": judged.access.value, "tier": judged.tier.name}
        value |= {"why": judged.why} if judged.tier >= Tier.T2 else {}
        yield Entry(name=name, value=value, remark=f"seen {count} times" if count > 1 else "seen once")


def _template(shape: str) -> str:
    """Name each variable after what stands before it: `/customers/{}` is `/customers/{customer}`."""
    made: list[str] = []
    names: list[str] = []
    for segment in shape.split("/")[1:]:
        if segment != "{}":
            made.append(segment)
            continue
        before = snake(made[-1]) if made and "{" not in made[-1] else ""
        name = re.sub(r"ies$", "y", before).removesuffix("s") if before else "id"
        name = name if re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) else "id"
        name = f"{name}_id" if name in _KINDS else name
        while name in names:
            name += "_2"
        names.append(name)
        made.append(f"{{{name}}}")
    return "/" + "/".join(made)


_KINDS = frozenset({"amount", "limit", "max_tokens", "force", "dry_run", "recursive", "public", "where"})
