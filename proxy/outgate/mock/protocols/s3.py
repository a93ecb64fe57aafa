"""S3 in the sandbox: objects that were put are read back, listed and deleted; buckets are there."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.sax.saxutils import escape

from outgate.mock.exchange import Answer
from outgate.mock.template import plain

if TYPE_CHECKING:
    from outgate.mock.exchange import Asked
    from outgate.mock.shelves import Item, Place, Shelf

_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9.-]+)\.)?s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com(?:\.cn)?(?::[0-9]+)?")
_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_MOST = 1000
_SIGNED_PIECE = re.compile(rb"([0-9a-f]{1,8})(?:;[^\r\n]*)?\r\n")


def answer(asked: Asked, shelf: Shelf) -> Answer | None:
    """None where it is not S3 that is asked."""
    match = _HOST.fullmatch(asked.host)
    if match is None:
        return None
    path = unquote(asked.path)
    bucket, key = (match["bucket"], path[1:]) if match["bucket"] else (path[1:].partition("/")[0], path[1:].partition("/")[2])
    place: Place = ("s3", bucket)
    if not bucket:
        return _buckets(shelf)
    return _object(asked, shelf, place, key) if key else _bucket(asked, shelf, place)


def _object(asked: Asked, shelf: Shelf, place: Place, key: str) -> Answer:
    if {"uploads", "uploadId", "partNumber"} & set(asked.asked_for) or asked.method == "POST":
        return _error(405, "MethodNotAllowed", "The sandbox takes objects in one piece.")
    match asked.method:
        case "PUT":
            return _put(asked, shelf, place, key)
        case "GET" | "HEAD":
            return _got(shelf.get(place, key))
        case "DELETE":
            shelf.remove(place, key)
            return Answer(status=204)
        case _:
            return _error(405, "MethodNotAllowed", "The sandbox does not do this to objects.")


def _put(asked: Asked, shelf: Shelf, place: Place, key: str) -> Answer:
    source = unquote(asked.header("x-amz-copy-source")).lstrip("/")
    copied = shelf.get(("s3", source.partition("/")[0]), source.partition("/")[2]) if source else None
    if source and copied is None:
        return _error(404, "NoSuchKey", "The specified key does not exist.")
    item = copied or _made(asked)
    shelf.put(("s3",), place[1], {"name": place[1]})
    if not shelf.put(place, key, item):
        return _error(400, "EntityTooLarge", "This is more than the sandbox keeps.")
    etag = plain(item["etag"])
    if source:
        return _xml("CopyObjectResult", f"<ETag>{escape(etag)}</ETag><LastModified>{plain(item['at'])}</LastModified>")
    return Answer(status=200, headers=(("etag", etag),))


def _made(asked: Asked) -> Item:
    content = _unsigned(asked.body) if asked.header("x-amz-content-sha256").startswith("STREAMING-") else asked.body
    return {
        "content": base64.b64encode(content).decode(),
        "type": asked.header("content-type") or "binary/octet-stream",
        "etag": f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"',
        "size": len(content),
        "at": asked.now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "http": asked.now.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "meta": {name: value for name, value in asked.headers if name.startswith("x-amz-meta-")},
    }


def _unsigned(body: bytes) -> bytes:
    """Undo aws-chunked (S3, "Signature Calculations … Transferring Payload in Multiple Chunks"): sizes, pieces, trailers."""
    made: list[bytes] = []
    at = 0
    while (match := _SIGNED_PIECE.match(body, at)) is not None and (size := int(match[1], 16)) > 0:
        made.append(body[match.end() : match.end() + size])
        at = match.end() + size + 2
    return b"".join(made)


def _got(item: Item | None) -> Answer:
    if item is None:
        return _error(404, "NoSuchKey", "The specified key does not exist.")
    meta = item["meta"] if isinstance(item["meta"], dict) else {}
    headers = (
        ("content-type", plain(item["type"])),
        ("etag", plain(item["etag"])),
        ("last-modified", plain(item["http"])),
        *((name, plain(value)) for name, value in meta.items()),
    )
    return Answer(status=200, headers=headers, pieces=(base64.b64decode(plain(item["content"])),))


def _bucket(asked: Asked, shelf: Shelf, place: Place) -> Answer:  # noqa: PLR0911  # one case a method
    match asked.method:
        case "PUT":
            shelf.put(("s3",), place[1], {"name": place[1]})
            return Answer(status=200, headers=(("location", f"/{place[1]}"),))
        case "HEAD":
            return Answer(status=200)
        case "DELETE":
            if shelf.all(place):
                return _error(409, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
            shelf.remove(("s3",), place[1])
            return Answer(status=204)
        case "POST" if "delete" in asked.asked_for:
            return _deleted(asked, shelf, place)
        case "GET" if "location" in asked.asked_for:
            return _xml("LocationConstraint", "")
        case "GET":
            return _listed(asked, shelf, place)
        case _:
            return _error(405, "MethodNotAllowed", "The sandbox does not do this to buckets.")


def _deleted(asked: Asked, shelf: Shelf, place: Place) -> Answer:
    """Many at once. The body is read for its keys alone: nothing in it is expanded."""
    keys = re.findall(r"<Key>([^<]{1,1024})</Key>", asked.content.decode("utf-8", "replace"))[:_MOST]
    for key in keys:
        shelf.remove(place, key)
    return _xml("DeleteResult", "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys))


def _listed(asked: Asked, shelf: Shelf, place: Place) -> Answer:
    said = {name: plain(value) for name, value in asked.asked_for.items()}
    prefix, after = said.get("prefix", ""), said.get("continuation-token") or said.get("start-after") or said.get("marker", "")
    most = min(int(said["max-keys"]), _MOST) if said.get("max-keys", "").isdecimal() else _MOST
    found = sorted((key, item) for key, item in shelf.all(place) if key.startswith(prefix) and key > after)
    here, more = found[:most], len(found) > most
    rows = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>{plain(item['at'])}</LastModified><ETag>{escape(plain(item['etag']))}</ETag>"
        f"<Size>{plain(item['size'])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key, item in here
    )
    goes_on = f"<NextContinuationToken>{escape(here[-1][0])}</NextContinuationToken>" if more and here else ""
    return _xml(
        "ListBucketResult",
        f"<Name>{escape(place[1])}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(here)}</KeyCount>"
        f"<MaxKeys>{most}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{goes_on}{rows}",
    )


def _buckets(shelf: Shelf) -> Answer:
    rows = "".join(
        f"<Bucket><Name>{escape(name)}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
        for name, _ in shelf.all(("s3",))
    )
    return _xml("ListAllMyBucketsResult", f"<Owner><ID>sandbox</ID></Owner><Buckets>{rows}</Buckets>")


def _xml(name: str, inner: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} {_XMLNS}>{inner}</{name}>'
    return Answer(status=200, headers=(("content-type", "application/xml"),), pieces=(text.encode("utf-8", "replace"),))


def _error(status: int, code: str, message: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status=status, headers=(("content-type", "application/xml"),), pieces=(text.encode(),))
