"""`outgate people`: who may approve and operate, by their public keys."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.group import Commands
from outgate.cli.text import clean, wrapped
from outgate.errors import ConfigError, EvidenceError, Problem, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outgate.digest import Json
    from outgate.keys.people import Person
    from outgate.stores.people_files import Change

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, cls=Commands)

MOST_KEYS = 1 << 20
"""Bytes of a file of keys."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="In small letters, as policies name them.")]
Key = Annotated[str | None, typer.Argument(metavar="[KEY.pub]", help="A public SSH key's file; - reads what comes in.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE", help="Settings, where the people's file is named. Default: yours.")]
State = Annotated[Path | None, typer.Option(metavar="DIR", help="The state folder, for the record. Default: yours.")]


@app.callback()
def _people() -> None:
    """Say who may approve, and with which keys."""


@app.command()
def add(
    name: Name,
    key: Key = None,
    *,
    group: Annotated[list[str] | None, typer.Option(metavar="GROUP", help="A group of theirs; may be repeated.")] = None,
    config: Config = None,
    state: State = None,
) -> None:
    """Add a person, or another key or group of one who is there."""
    from outgate.stores import people_files

    path = _file(config)
    keys = people_files.keys_in(_read(key), key) if key is not None else ()
    if not keys and not group:
        raise ConfigError("name a public key's file, or --group for somebody who is there")
    change = people_files.add(path, name, keys, group or (), first=lambda made: _record(state, "add", name, made))
    for line in _added(name, change, path):
        typer.echo(line)


@app.command()
def remove(
    name: Name,
    *,
    key: Annotated[str | None, typer.Option(metavar="SHA256:…", help="Only this key, by its fingerprint.")] = None,
    config: Config = None,
    state: State = None,
) -> None:
    """Remove a person, or one of their keys: what they signed counts no more, also where it waits."""
    from outgate.stores import people_files

    path = _file(config)
    change = people_files.remove(path, name, key)
    typer.echo(f"{clean(name)}: removed" if key is None else f"{clean(name)}: key {clean(key)} removed")
    typer.echo(f"  {path}")
    try:  # after the fact: that somebody may not approve any more must not wait for the disk of the record
        _record(state, "remove", name, change)
    except (UnavailableError, ConfigError, EvidenceError) as error:
        raise UnavailableError(f"'{clean(name)}' is removed, but THERE IS NO RECEIPT OF IT: {error}") from error


@app.command("list")
def list_(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: Config = None,
) -> None:
    """List everybody with their groups and keys."""
    from outgate.stores.people_files import load_people

    path = _file(config)
    people = sorted(load_people(path).by_name.values(), key=lambda one: one.name)
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in people], indent=2))
        return
    for line in _listed(people) if people else ["nobody yet: outgate people add alice KEY.pub", f"  {path}"]:
        typer.echo(line)


def _file(config: Path | None) -> Path:
    from outgate.settings import load

    return load(config, os.environ).people_file(os.environ)


def _read(key: str) -> str:
    """What is named, and nothing that would have to be fetched."""
    try:
        if key == "-":
            return sys.stdin.buffer.read(MOST_KEYS).decode()
        with Path(key).open("rb") as file:
            return file.read(MOST_KEYS).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(source=key, message="not text: name a public key's file, which ends in .pub")) from error
    except OSError as error:
        message = f"can't be read: {error.strerror or error}; name a public key's file, nothing is fetched"
        raise ConfigError(Problem(source=key, message=message)) from error


def _record(state: Path | None, did: str, name: str, change: Change) -> None:
    from outgate.app.record import operator, record
    from outgate.keys.ssh import fingerprint
    from outgate.settings import state_folder

    before, after = change.before.by_name.get(name), change.after.by_name.get(name)
    about: dict[str, Json] = {
        "did": did,
        "person": name,
        "groups": sorted(after.groups if after else ()),
        "added": [fingerprint(key) for key in _keys(after) if key not in _keys(before)],
        "removed": [fingerprint(key) for key in _keys(before) if key not in _keys(after)],
        "before": change.before.digest,
        "digest": change.after.digest,
        "by": operator(),
    }
    record(state or state_folder(os.environ), "people-changed", about)


def _keys(person: Person | None) -> tuple[str, ...]:
    return person.keys if person else ()


def _added(name: str, change: Change, path: Path) -> Iterator[str]:
    if change.is_none:
        yield f"{name}: nothing new"
    else:
        yield f"{name}: {'changed' if name in change.before.by_name else 'added'}"
    yield from _lines(change.after.by_name[name])
    yield f"  {path}"


def _listed(people: Sequence[Person]) -> Iterator[str]:
    for person in people:
        yield person.name
        yield from _lines(person)


def _lines(person: Person) -> Iterator[str]:
    from outgate.keys.ssh import parse_public

    if person.groups:
        yield from wrapped(", ".join(sorted(person.groups)), "  groups ")
    for key in map(parse_public, person.keys):
        yield f"  {key.fingerprint} {_kind(key.kind)}"


def _kind(kind: str) -> str:
    """Short: a line has 80 columns, and a fingerprint 50."""
    plain = kind.removesuffix("@openssh.com").replace("ssh-", "").replace("-sha2", "")
    return f"{plain.removeprefix('sk-')} (hardware)" if plain.startswith("sk-") else plain


def _plain(person: Person) -> dict[str, Json]:
    from outgate.keys.ssh import parse_public

    keys: list[Json] = [
        {"kind": key.kind, "fingerprint": key.fingerprint, "hardware": key.is_hardware, "public": str(key)}
        for key in map(parse_public, person.keys)
    ]
    return {"name": person.name, "groups": sorted(person.groups), "keys": keys}
