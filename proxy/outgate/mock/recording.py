"""Real answers, kept for the sandbox: without credentials and addresses of people, in the form of canned answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import yaml

from outgate.document import parse
from outgate.errors import ConfigError
from outgate.inspect.credentials import REDACTED, is_credential_name
from outgate.inspect.secrets import secrets_in
from outgate.intake.bodies import Undecodable, decode, strict_json
from outgate.mock.form import LANGUAGE
from outgate.mock.load import load
from outgate.mock.template import EACH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

LARGEST = 256 * 2**10
"""Bytes of one answer that are kept; a larger one is not."""
MOST = 200
"""Answers in one file. The oldest go."""
SOMEONE = "someone@example.com"
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_PATH = re.compile(r"/[!-z|~]*")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_CONDITIONS = 8

type Entry = dict[str, Any]
"""One answer as it stands in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was asked, without credentials, and what was answered. `body` as it came, its coding not undone."""

    service: str
    request: Request = field(repr=False)
    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


def entry(recorded: Recorded) -> Entry | None:
    """Give the answer as a canned one; None where it can't be one: not text, not readable, or a secret would be left in it."""
    request, said = recorded.request, dict(recorded.headers)
    if request.method not in _METHODS or not _PATH.fullmatch(request.path) or REDACTED in request.path.split("/"):
        return None
    body = _body(recorded, said)
    if body is None:
        return None
    conditions = dict(_conditions(request.query or ""))
    made: Entry = {"on": f"{request.method} {request.path}", **({"if": conditions} if conditions else {})}
    made |= {"status": recorded.status, **body}
    return made if _is_clean(made, recorded.service) else None


def merged(entries: Sequence[Entry], new: Entry) -> list[Entry]:
    """The new one in place of one that was asked for alike; what has conditions before what has none."""
    asked = (new["on"], new.get("if"))
    kept = [one for one in entries if (one.get("on"), one.get("if")) != asked]
    return sorted([*kept, new][-MOST:], key=lambda one: "if" not in one)


def written(service: str, entries: Sequence[Entry]) -> str:
    """The text of a file."""
    head = (
        f"# Recorded from real answers of {service}. Credentials and addresses of people were taken out.\n"
        "# Look through it before you share it.\n"
    )
    return head + yaml.dump(
        {"outgate": LANGUAGE, "service": service, "answers": list(entries)},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )


def redacted(value: JsonValue, name: str = "") -> JsonValue:
    """The same, with what may let in or names a person masked. Names of fields and ids stay."""
    match value:
        case dict():
            return {_text(key): redacted(inner, key) for key, inner in value.items()}
        case list():
            return [redacted(inner, name) for inner in value]
        case str() if is_credential_name(name) and value:
            return REDACTED
        case str():
            return _text(value)
        case _:
            return value


def _text(text: str) -> str:
    if secrets_in(text.encode("utf-8", "replace")):
        return REDACTED
    return _EMAIL.sub(SOMEONE, _JWT.sub(REDACTED, text))


def _body(recorded: Recorded, said: dict[str, str]) -> Entry | None:
    kind = said.get("content-type", "").partition(";")[0].strip().lower()
    plain = decode(recorded.body, said.get("content-encoding"), limit=LARGEST)
    if isinstance(plain, Undecodable):
        return None
    if not plain:
        return {}
    if kind == "text/event-stream":
        return {"stream": list(_events(plain.decode("utf-8", "replace")))}
    if kind.endswith("json"):
        value = strict_json(plain)
        return None if isinstance(value, Undecodable) else _typed(kind, {"json": _braced(redacted(value))})
    if kind.startswith("text/") or kind.endswith("xml"):
        return _typed(kind, {"text": _braced(_text(plain.decode("utf-8", "replace")))})
    return None


def _typed(kind: str, body: Entry) -> Entry:
    return body if kind == "application/json" else {"type": kind, **body}


def _events(text: str) -> Iterator[Entry]:
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = [line.partition(":") for line in block.split("\n") if line and not line.startswith(":")]
        data = "\n".join(value.removeprefix(" ") for name, _, value in fields if name == "data")
        event = next((value.strip() for name, _, value in fields if name == "event"), "")
        if not data:
            continue
        value = strict_json(data.encode())
        body = {"text": _braced(_text(data))} if isinstance(value, Undecodable) else {"json": _braced(redacted(value))}
        yield {**({"event": _braced(event)} if event else {}), **body}


def _conditions(query: str) -> Iterator[tuple[str, str]]:
    """What the query said, as far as a file can ask for it."""
    for pair in query.split("&")[:_MOST_CONDITIONS]:
        name, _, value = (unquote_plus(part) for part in pair.partition("="))
        if _QUERY_NAME.fullmatch(name):
            yield f"query.{name}", str(redacted(value, name))


def _braced(value: JsonValue) -> JsonValue:
    """What looks like a hole is text."""
    match value:
        case str():
            return value.replace("{", "{{").replace("}", "}}")
        case list():
            return [_braced(inner) for inner in value]
        case dict():
            return {name: _braced(inner) for name, inner in value.items()}
        case _:
            return value


def _is_clean(made: Entry, service: str) -> bool:
    """Whether it can be loaded, means what it says, and holds no secret: looked at as it will stand on the disk."""
    text = written(service, [made])
    if f'"{EACH}"' in json.dumps(made) or secrets_in(text.encode()) or _JWT.search(text):
        return False
    try:
        document = parse(text, service)
        load([document])
    except ConfigError:
        return False
    return bool(document.value["answers"] == [made])


class _Dumper(yaml.SafeDumper):
    """As this program reads YAML: no aliases, and no number with an exponent."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # the name that PyYAML calls
        return True


def _float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    text = format(Decimal(repr(value)), "f")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text if "." in text else f"{text}.0")


_Dumper.add_representer(float, _float)
