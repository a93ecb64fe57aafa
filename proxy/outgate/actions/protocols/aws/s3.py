"""S3: a bucket and a key instead of a path, taken as they are sent: `//` and `%2e` are parts of a key like any other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from outgate.actions.arguments import Arguments
from outgate.actions.paths import readable
from outgate.actions.protocols.aws.asked import Found, Unclear
from outgate.actions.protocols.aws.hosts import EXPRESS_CONTROL
from outgate.actions.protocols.aws.rest import chosen_of
from outgate.intake.bodies import Undecodable
from outgate.intake.codings import plain
from outgate.intake.request import WholeBody

if TYPE_CHECKING:
    from outgate.actions.protocols.aws.asked import Asked
    from outgate.intake.request import Request

PART: Final = "s3"
DELETES: Final = "s3.DeleteObjects"
_ROUTED: Final = "/WriteGetObjectResponse"
_SHAPES: Final = {(False, False): "/", (True, False): "/b", (True, True): "/b/k"}
_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:[A-Za-z0-9:/._-]{1,1000}")
_ACCESS_POINT: Final = re.compile(r"(arn:aws[a-z-]*:s3[a-z-]*:[a-z0-9-]*:[0-9]{12}:(?:accesspoint|outpost)/.+?)/object/(.+)")
_EVERYBODY: Final = re.compile(r"groups/global/(?:AllUsers|AuthenticatedUsers)", re.IGNORECASE)
_LARGEST: Final = 4 * 2**20
_COPIES: Final = ("x-amz-copy-source", "x-amz-rename-source")


def find(asked: Asked) -> Found | Unclear:
    """Find what is asked of a bucket or an object."""
    request, part = asked.request, asked.atlas.parts[PART]
    routed = request.path == _ROUTED and "s3-object-lambda" in asked.endpoint.signing
    bucket, key = ("", "") if routed else located(request.path, asked.endpoint.bucket)
    if not _BUCKET.fullmatch(bucket) and (bucket or request.path not in {"/", _ROUTED}):
        return Unclear("its bucket has no name that a bucket can have")
    led = part.find(request.method, _ROUTED if routed else _SHAPES[bool(bucket), bool(key)])
    if led is None:
        return Unclear("S3 has no operation with this method there")
    indexes = tuple(led.value) if isinstance(led.value, list) else (led.value,)
    chosen = chosen_of(part, indexes, asked)
    if isinstance(chosen, Unclear):
        return chosen
    index, *also = sorted(chosen, key=lambda one: _newest(part.facts[one].name, asked))
    return Found(
        part=part,
        index=index,
        how="path",
        arguments=Arguments(request),
        also=tuple((part, one) for one in also),
        bucket=bucket,
        key=key,
    )


def _newest(name: str, asked: Asked) -> tuple[bool, int]:
    """Of names for the same thing, the longer one is newer; one is for directory buckets alone."""
    return ("Directory" in name) is not (asked.endpoint.name == EXPRESS_CONTROL), -len(name)


def located(path: str, bucket: str) -> tuple[str, str]:
    """Give bucket and key. The bucket stands in the name of the host, or first in the path."""
    if bucket:
        return bucket, readable(path[1:])
    first, _, rest = path[1:].partition("/")
    return readable(first), readable(rest)


def copied(request: Request) -> tuple[str, str] | Unclear | None:
    """Give bucket and key of what is copied or renamed; None where nothing is."""
    said = [value for name, value in request.headers if name in _COPIES]
    if not said:
        return None
    source = readable(said[0].partition("?versionId=")[0]).removeprefix("/")
    if len(said) > 1 or "%" in source:
        return Unclear("what it copies can be read in two ways")
    if point := _ACCESS_POINT.fullmatch(source):
        return point[1], point[2]
    bucket, _, key = source.partition("/")
    if not _BUCKET.fullmatch(bucket) or not key:
        return Unclear("what it copies has no bucket and key")
    return bucket, key


def is_public(request: Request, query: tuple[tuple[str, str], ...]) -> bool:
    """Whether headers let everybody in. A URL that is signed may say in its query what they say."""
    said = [(name, value) for name, value in (*request.headers, *query) if name[:6].lower() == "x-amz-"]
    return any(_opens(name.lower(), value) for name, value in said)


def _opens(name: str, value: str) -> bool:
    if name == "x-amz-acl":
        return value.strip().lower().startswith(("public-", "authenticated-"))
    return name.startswith("x-amz-grant-") and _EVERYBODY.search(value) is not None


def deleted(request: Request) -> tuple[str, ...] | Unclear:
    """Give the keys that a DeleteObjects names. XML with a document type, another charset or two keys in an object is unclear."""
    body = request.body
    if not isinstance(body, WholeBody):
        return Unclear("its body is too large to count what it deletes")
    content = plain(request.headers, body.content, limit=_LARGEST)
    if isinstance(content, Undecodable):
        return Unclear(content.why)
    reading = _Deletes()
    try:
        reading.parser.Parse(content, True)
    except (expat.ExpatError, ValueError) as error:
        return Unclear(f"its XML can't be read ({error})")
    return tuple(reading.keys) if reading.keys else Unclear("it names nothing to delete")


class _Deletes:
    """`<Delete><Object><Key>…</Key></Object>…</Delete>`, and nothing that parsers read apart."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._in_object = 0
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.XmlDeclHandler = self._declared
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _refuse(self, *_: object) -> None:
        raise ValueError("it has a document type")

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii", "ascii"}:
            raise ValueError("it is not UTF-8")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        self._text.clear()
        match self._path:
            case ["Delete", "Object"]:
                self._in_object = 0
            case ["Delete"] | ["Delete", "Quiet"] | ["Delete", "Object", _]:
                pass
            case _:
                raise ValueError("it has an element that does not belong there")

    def _end(self, _name: str) -> None:
        if self._path == ["Delete", "Object", "Key"]:
            self.keys.append("".join(self._text))
            self._in_object += 1
        if self._path == ["Delete", "Object"] and self._in_object != 1:
            raise ValueError("an object in it has not just one key")
        self._path.pop()
        self._text.clear()
