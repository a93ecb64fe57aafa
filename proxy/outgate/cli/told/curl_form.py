"""Forms of curl: `-F name=value`, `-F name=@file;type=…`, as multipart/form-data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BOUNDARY = "------------------------0123456789abcdef"
"""As long as curl's own; that one is random."""
_KINDS = {
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".htm": "text/html",
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".xml": "application/xml",
}
"""What curl knows by a file's name (lib/mime.c)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field. `file` is the name that is told of its file."""

    name: str
    content: bytes
    file: str | None = None
    kind: str = ""


def part(word: str, read: Callable[[str], bytes], *, literal: bool) -> Part:
    """Read one `-F`. `literal`: nothing in the value means anything. Raises ValueError with a sentence."""
    name, equals, value = word.partition("=")
    if not equals:
        raise ValueError("-F is written name=value, or name=@file")
    if literal:
        return Part(name=name, content=value.encode())
    if value[:1] not in {"@", "<"}:
        text, said = _said(value)
        return Part(name=name, content=text.encode(), file=said.get("filename"), kind=said.get("type", ""))
    path, said = _said(value[1:])
    if "," in path:
        raise ValueError("-F with several files in one field is not read: say them one by one")
    try:
        content = read(path)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror or error}") from error
    if value[0] == "<":
        return Part(name=name, content=content, kind=said.get("type", ""))
    file = said.get("filename", path.rpartition("/")[2])
    suffix = file[file.rfind(".") :].lower() if "." in file else ""
    return Part(name=name, content=content, file=file, kind=said.get("type", _KINDS.get(suffix, "application/octet-stream")))


def _said(value: str) -> tuple[str, dict[str, str]]:
    """What stands before `;type=` and `;filename=`, and those. A value in quotes is what is in them."""
    text, *rest = value.split(";")
    said: dict[str, str] = {}
    for one in rest:
        key, equals, word = one.strip().partition("=")
        if equals and key in {"type", "filename", "encoder", "headers"}:
            said[key] = word.strip('"')
        elif "type" in said:
            said["type"] += f";{one}"
        else:
            text += f";{one}"
    return text.strip('"') if text.startswith('"') else text, said


def wrapped(parts: Iterable[Part]) -> tuple[str, bytes]:
    """Give the Content-Type and the body."""
    lines: list[bytes] = []
    for one in parts:
        told = f'; filename="{_escaped(one.file)}"' if one.file is not None else ""
        lines.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{_escaped(one.name)}"{told}\r\n'.encode())
        lines.append(f"Content-Type: {one.kind}\r\n\r\n".encode() if one.kind else b"\r\n")
        lines.append(one.content + b"\r\n")
    return f"multipart/form-data; boundary={BOUNDARY}", b"".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


def _escaped(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
