"""People on disk: who may approve and operate, by which keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from outgate.digest import canonical, sha256
from outgate.document import parse
from outgate.errors import ConfigError, EvidenceError, Problem
from outgate.keys.people import PERSON, People, Person
from outgate.keys.ssh import parse_public
from outgate.policy.shapes import Many, Named, Table, Text, Words, meant, schema, shaped
from outgate.stores.entries import alone_with, replace_text, with_entry, without_entry
from outgate.stores.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from outgate.digest import Json
    from outgate.document import Document
    from outgate.document import Path as Place

LANGUAGE: Final = "people/v1alpha"
_HEAD = f"# Who may approve and operate. `outgate people` changes entries and leaves comments be.\noutgate: {LANGUAGE}\n"
_GROUP_FORM = "1 to 64 letters, digits, '.', '_', '@', '-'"
_KEY_FORM = "a public key like 'ssh-ed25519 AAAA…', as a file that ends in .pub has it"

FORM: Final = Table(
    what="the people file",
    required=frozenset({"outgate"}),
    keys={
        "outgate": Words("people language", (LANGUAGE,)),
        "people": Named(
            "people",
            Table(
                what="a person",
                required=frozenset({"keys"}),
                keys={
                    "groups": Many(
                        Text("a group", r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", "1 to 64 letters, digits, '.', '_', '@', '-'")
                    ),
                    "keys": Many(Text("a key", r"[^\x00-\x1f]{1,16000}", _KEY_FORM)),
                },
            ),
            PERSON.pattern,
        ),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The people as they were, and as they are to be."""

    before: People
    after: People

    @property
    def is_none(self) -> bool:
        """Whether nothing is to be changed."""
        return self.before.digest == self.after.digest


def load_people(path: Path) -> People:
    """Read everybody; nobody where there is no file. Raises ConfigError with every problem."""
    text = text_of(path, absent="")
    return read_people(text, str(path)) if text else People()


def read_people(text: str, source: str) -> People:
    """Read a file's text. Raises ConfigError with every problem."""
    document = shaped(FORM, text, source)
    reading = _Reading(document=document)
    people = [reading.person(name, said) for name, said in (document.value.get("people") or {}).items()]
    if reading.problems:
        raise ConfigError(*sorted(reading.problems))
    return People(by_name=MappingProxyType({one.name: one for one in people}), digest=_digest(people))


def json_schema() -> dict[str, Json]:
    """The file's form for editors (JSON Schema 2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Outgate people", **schema(FORM)}


def keys_in(text: str, source: str) -> tuple[str, ...]:
    """The public keys of a text with one on each line, as OpenSSH writes them, without comments. Raises ConfigError."""
    if "PRIVATE KEY-----" in text:
        raise ConfigError(Problem(source=source, message="this is a private key: keep it, and name the file that ends in .pub"))
    lines = [(at, line.strip()) for at, line in enumerate(text.splitlines(), 1)]
    found, wrong = [], []
    for at, line in lines:
        if line and not line.startswith("#"):
            try:
                found.append(str(parse_public(line)))
            except EvidenceError as error:
                wrong.append(Problem(source=source, line=at, message=f"{error}"))
    if not found and not wrong:
        wrong.append(Problem(source=source, message=f"there is no key here, give {_KEY_FORM}"))
    if wrong:
        raise ConfigError(*wrong)
    return tuple(dict.fromkeys(found))


def add(path: Path, name: str, keys: Iterable[str], groups: Iterable[str], *, first: Callable[[Change], None]) -> Change:
    """Add a person, or keys and groups to one who is there. `first` is told of the change before it is made.

    Everything is read and found good before anything is written, durably, whole or not at all. What `first` raises stops it.
    Raises ConfigError and UnavailableError; then nothing was changed.
    """
    with alone_with(path):
        load_people(path)
        text = text_of(path, absent="") or _HEAD
        was = _said(text, path, name)
        entry = _entry([*_listed(was, "groups"), *groups], [*_listed(was, "keys"), *keys])
        return _changed(path, with_entry(text, str(path), "people", name, entry), first)


def remove(path: Path, name: str, key: str | None = None) -> Change:
    """Remove a person, or one of the keys, by its fingerprint. Raises as `add` does."""
    with alone_with(path):
        text, people = text_of(path, absent=""), load_people(path)
        if name not in people.by_name:
            raise ConfigError(Problem(source=str(path), message=f"there is no '{name}'{meant(name, people.by_name)}"))
        if key is None:
            return _changed(path, without_entry(text, str(path), "people", name))
        said = _said(text, path, name)
        left = [one for one in _listed(said, "keys") if parse_public(one).fingerprint != key]
        if len(left) == len(people.by_name[name].keys):
            raise ConfigError(Problem(source=str(path), message=f"'{name}' has no key {key}, see outgate people list"))
        if not left:
            only = f"that is the only key of '{name}': add another first, or remove '{name}'"
            raise ConfigError(Problem(source=str(path), message=only))
        return _changed(path, with_entry(text, str(path), "people", name, _entry(_listed(said, "groups"), left)))


def _changed(path: Path, text: str, first: Callable[[Change], None] = lambda _change: None) -> Change:
    change = Change(before=load_people(path), after=read_people(text, str(path)))
    if not change.is_none:
        first(change)
        replace_text(path, text)
    return change


def _said(text: str, path: Path, name: str) -> dict[str, Any]:
    """What stands there of somebody, in a file that was found good; nothing of somebody new."""
    return dict((parse(text, str(path)).value.get("people") or {}).get(name, {}))


def _entry(groups: Iterable[str], keys: Iterable[str]) -> dict[str, list[str]]:
    """As it is written: a key that is there already stays as it is, with its comment."""
    by_key: dict[str, str] = {}
    for key in keys:
        by_key.setdefault(str(parse_public(key)), key)
    entry = {"groups": [*dict.fromkeys(groups)], "keys": [*by_key.values()]}
    return {key: value for key, value in entry.items() if value}


def _listed(said: Mapping[str, Any], key: str) -> list[str]:
    found = said.get(key, [])
    return found if isinstance(found, list) else [found]


def _digest(people: Iterable[Person]) -> str:
    said: dict[str, Json] = {one.name: {"groups": sorted(one.groups), "keys": sorted(one.keys)} for one in people}
    return sha256(canonical(said))


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Turns what has the right shape into values, and notes what no shape can say."""

    document: Document
    problems: list[Problem] = field(default_factory=list)
    _owners: dict[str, str] = field(default_factory=dict)
    _first: dict[str, Place] = field(default_factory=dict)

    def person(self, name: str, said: Mapping[str, Any]) -> Person:
        keys = said["keys"]
        listed = isinstance(keys, list)
        at: Place = ("people", name, "keys")
        found = [self._key((*at, n) if listed else at, name, key) for n, key in enumerate(keys if listed else [keys])]
        return Person(name=name, groups=frozenset(_listed(said, "groups")), keys=tuple(key for key in found if key))

    def _key(self, at: Place, name: str, text: str) -> str | None:
        try:
            key = str(parse_public(text))
        except EvidenceError as error:
            self._note(at, str(error))
            return None
        other = self._owners.setdefault(key, name)
        if other != name:
            self._note(at, f"this is a key of '{other}' too: a signature by it would be of two people, keep it in one place")
        elif at != self._first.setdefault(key, at):
            self._note(at, "this key is here twice, keep one")
        return key

    def _note(self, at: Place, message: str) -> None:
        self.problems.append(self.document.problem(at, message))
