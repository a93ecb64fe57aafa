"""A draft as the text of a service file, made to be read through by a person."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from outgate.actions.router import variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.openapi.draft import Draft, Entry
    from outgate.digest import Json

WIDTH = 130
EXAMPLES = 24
"""Of a file; those of what is dangerous first."""
_PLAIN = re.compile(r"[A-Za-z0-9_/.$<(](?:[A-Za-z0-9_/.+()$=<>*;|-]|[ ,'](?![ #])|:(?! |$))*")
_NOT_TEXT = re.compile(r"true|false|null|~|[-+]?[0-9]+(?:\.[0-9]+)?")
_HOLE = re.compile(r"\{(_?[A-Za-z0-9_]+)(\+?)\}")


def written(draft: Draft, of: str) -> str:
    """Write a service file of a document. `of` says which one."""
    return _file(
        draft,
        f"# {_comment(str(draft.head.get('title') or draft.service))}, made of {_comment(of)} by `outgate actions import`.",
        "# Read it through: access and tier follow from scopes, methods and names, and where a name lies they are wrong. What",
        "# you change here stays; `outgate actions import --check` says where the document and this file differ later.",
    )


def written_of_traffic(draft: Draft, host: str) -> str:
    """Write a service file of what was seen at a host: one to begin with."""
    return _file(
        draft,
        f"# What was seen at {_comment(host)}, written by `outgate actions coverage`. Nobody knows what these requests do but",
        "# those who made the service: name the operations, correct access and tier, take out what should not be there.",
    )


def _file(draft: Draft, *head: str) -> str:
    lines = [
        *head,
        "outgate: service/v1alpha",
        f"{'adds-to' if draft.adds else 'service'}: {draft.service}",
        *(f"{key}: {flow(value, inside=False)}" for key, value in draft.head.items()),
        "operations:",
        *_operations(draft),
    ]
    if shown := examples(draft):
        lines += ["examples:", *(f"  - {flow(example)}" for example in shown)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:100]


def _operations(draft: Draft) -> Iterator[str]:
    tagged = any(entry.tag for entry in draft.entries)
    for tag, group in groupby(sorted(draft.entries, key=lambda entry: entry.tag), key=lambda entry: entry.tag):
        if tagged:
            yield f"  # {_comment(tag) or 'without a tag'}"
        for entry in group:
            yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    if entry.remark:
        yield f"  # {_comment(entry.remark)}:"
    one = f"  {scalar(entry.name)}: {flow(entry.value)}"
    if len(one) <= WIDTH:
        yield one
        return
    yield f"  {scalar(entry.name)}:"
    for key, value in entry.value.items():
        line = f"    {key}: {flow(value, inside=False)}"
        if len(line) <= WIDTH or not isinstance(value, dict | list):
            yield line
            continue
        yield f"    {key}:"
        for inner in value:
            yield (
                f"      - {flow(inner)}"
                if isinstance(value, list)
                else f"      {scalar(inner)}: {flow(value[inner], inside=False)}"
            )


def examples(draft: Draft) -> list[dict[str, Any]]:
    """Requests of the file, and what they are."""
    hosts = draft.head.get("hosts")
    if not hosts:
        return []
    host = _HOLE.sub("acme", str(hosts[0])).replace("*.", "one.")
    sound = [entry for entry in draft.entries if "fit " not in entry.remark]
    worst = sorted(sound, key=lambda entry: str(entry.value["tier"]), reverse=True)[:EXAMPLES]
    return [_example(draft.service, host, entry) for entry in sound if entry in worst]


def _example(service: str, host: str, entry: Entry) -> dict[str, Any]:
    on = entry.value["on"]
    methods, template = str(on if isinstance(on, str) else on[0]).split(" ", 1)
    values = {name: "a/b" if f"{{{name}+}}" in template else "7" for name in variables(template)}
    path = _HOLE.sub(lambda hole: values[hole[1]], template)
    return {
        "request": f"{methods.partition('|')[0]} https://{host}{path}",
        "is": f"{service}.{entry.name}",
        "access": entry.value["access"],
        "tier": entry.value["tier"],
    }


def flow(value: Json | Mapping[str, Any], *, inside: bool = True) -> str:
    """A value in one line of YAML. `inside`: within brackets, where commas and braces mean something."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, str):
        return scalar(value) if inside or not _is_loose(value) else value
    return json.dumps(value)


def scalar(text: str) -> str:
    """A text that YAML reads back as it is."""
    if _PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text) and ", " not in text and not text.endswith(","):
        return text
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))


def _is_loose(text: str) -> bool:
    """Whether a text may stand bare at the end of a line, as `GET /a/{b}` may."""
    return (
        re.fullmatch(r"[A-Za-z][A-Za-z0-9_ /.{}+|,;'()-]*", text) is not None
        and not _NOT_TEXT.fullmatch(text)
        and " #" not in text
    )
