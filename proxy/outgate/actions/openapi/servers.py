"""Servers of a document: the hosts that it speaks of, as patterns, and what its paths begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from outgate.intake.destination import canonical_authority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.openapi.references import Reading, Spot

MOST = 64
"""Ways in which the variables of one server are filled in."""
_HOLE = re.compile(r"\{([^{}]*)\}")
_LABEL = re.compile(r"\{([A-Za-z][A-Za-z0-9_-]*)\}")
_SCHEMES = {"http": 80, "https": 443}
_REMEDY = "say where it is: --server https://api.example.com"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Server:
    """A host, as service files write it, and what paths begin with there: nothing, or `/v1`."""

    host: str
    base: str = ""


def servers_of(reading: Reading, at: Spot) -> tuple[Server, ...]:
    """Give the servers that a document, a path or an operation says; none where it says none that can be told."""
    found: list[Server] = []
    for one in reading.items(at):
        url = one.value.get("url") if isinstance(one.value, dict) else None
        if not isinstance(url, str):
            reading.fault(one.path, "a server needs a `url`")
            continue
        found.extend(_each(reading, one, url))
    return tuple(dict.fromkeys(found))


def given(url: str) -> Server:
    """Read a server's URL that a person gave. Raises ValueError with a sentence."""
    server = _server(url)
    if server is None:
        raise ValueError(f"'{url}' is no server, write it like https://api.example.com/v1")
    return server


def old_servers_of(reading: Reading) -> tuple[Server, ...]:
    """Give those of a Swagger 2.0 document: `schemes`, `host`, `basePath`."""
    host, base, schemes = (reading.at(name).value for name in ("host", "basePath", "schemes"))
    if host is None:
        return ()
    listed = [scheme for scheme in schemes if scheme in _SCHEMES] if isinstance(schemes, list) else []
    found = [_server(f"{scheme}://{host}{base or ''}") for scheme in listed or ["https"]]
    if None in found:
        reading.fault(("host",), f"'{host}' is no host, or `basePath` does not start with '/'")
    return tuple(dict.fromkeys(server for server in found if server is not None))


def _each(reading: Reading, at: Spot, url: str) -> Iterator[Server]:
    """Fill in what its variables may be. One without `enum` may be anything: a whole label of a name, or of a path."""
    names = dict.fromkeys(_HOLE.findall(url))
    choices = [_choices(reading, at, name, url) for name in names]
    ways = list(islice(product(*choices), MOST + 1))
    if len(ways) > MOST:
        reading.fault((*at.path, "url"), f"its variables can be filled in more than {MOST} ways, say the servers that are meant")
        return
    for way in ways:
        written = _filled(url, dict(zip(names, way, strict=True)))
        server = _server(written)
        if server is not None:
            yield server
        elif "://" not in written:
            reading.fault((*at.path, "url"), f"server '{url}' names no host, {_REMEDY}")
        else:
            reading.fault((*at.path, "url"), f"server '{url}' is none that Outgate can tell, {_REMEDY}")


def _filled(url: str, values: Mapping[str, str]) -> str:
    return _HOLE.sub(lambda hole: values[hole[1]], url)


def _choices(reading: Reading, at: Spot, name: str, url: str) -> list[str]:
    said = reading.inside(reading.inside(at, "variables"), name)
    enum, default = (said.value.get(key) if isinstance(said.value, dict) else None for key in ("enum", "default"))
    if isinstance(enum, list) and enum:
        return list(dict.fromkeys(str(one) for one in enum))
    hole, ended = f"{{{name}}}", f"{url}/"
    whole = f"//{hole}." in ended or (f"/{hole}/" in ended and f"//{hole}/" not in ended)
    if whole and _LABEL.fullmatch(hole):
        return [hole]
    if default is None:
        reading.fault((*at.path, "url"), f"variable '{name}' of the server has neither `enum` nor `default`, give it one")
        return []
    reading.note((*at.path, "url"), f"variable '{name}' of the server may be anything; it is taken for its default, '{default}'")
    return [str(default)]


def _server(url: str) -> Server | None:
    try:
        parts = urlsplit(url)
        host = _host(parts)
    except ValueError:
        return None
    if host is None or parts.query or parts.fragment:
        return None
    base = _HOLE.sub(lambda hole: f"{{{_plain(hole[1])}}}", parts.path.rstrip("/"))
    return Server(host=host, base=base)


def _host(parts: SplitResult) -> str | None:
    """As service files write it: labels that may be anything first, and the port where it is not the scheme's own."""
    if parts.scheme not in _SCHEMES or not parts.hostname or "@" in parts.netloc:
        return None
    labels = parts.hostname.split(".")
    loose = [label for label in labels if _LABEL.fullmatch(label)]
    fixed = ".".join(labels[len(loose) :])
    if labels[: len(loose)] != loose or not fixed or "{" in fixed:
        return None
    port = parts.port
    shown = f"[{fixed}]" if ":" in fixed else fixed
    name, at = canonical_authority(f"{shown}:{port}" if port else shown, 0)
    name = f"[{name}]" if ":" in name else name
    name += f":{at}" if at and at != _SCHEMES[parts.scheme] else ""
    return ".".join([*(f"{{{re.sub('[^a-z]', '', label) or 'label'}}}" for label in loose), name])


def _plain(name: str) -> str:
    return "_" + (re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "base")
