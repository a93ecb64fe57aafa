"""SQL over HTTP: one action for each thing that the statements of a request do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from outgate.actions.action import Action, Confidence
from outgate.actions.arguments import LONGEST
from outgate.actions.operation import Operation, Param
from outgate.actions.protocols.sql_kinds import ALL
from outgate.actions.protocols.sql_statement import DIALECTS, MOST, statements_of
from outgate.actions.unreadable import unreadable
from outgate.actions.written import source_of
from outgate.intake.bodies import Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outgate.actions.action import Param as Value
    from outgate.actions.languages import Envelope
    from outgate.actions.operation import Source
    from outgate.actions.protocols.sql_statement import Statement
    from outgate.actions.vocabulary import Kind

OPTIONS: Final = frozenset({"dialect", "also", "joined", "unless"})
"""`also`: more places where statements stand. `joined`: what stands there goes on with the statement, after a line feed.

`unless`: places where something stands for a statement that only the server knows.
"""

_PARAMS: Mapping[str, Kind] = {
    "tables": "list",
    "columns": "list",
    "names": "list",
    "limit": "int",
    "where": "bool",
    "statement": "string",
}


def operations(service: str) -> tuple[Operation, ...]:
    """What a service may be told in SQL."""
    return tuple(
        Operation(service=service, operation=f"sql.{kind}", access=access, tier=tier, why=why, params=_PARAMS)
        for kind, access, tier, why in ALL
    )


def read(envelope: Envelope) -> tuple[Action, ...]:
    """Give what the statements do, in place of the operation that carries them; it stays beside what can't be read."""
    named = envelope.told.options.get("dialect", "")
    dialect = named if named in DIALECTS else ""
    texts = _texts(envelope)
    if isinstance(texts, Undecodable):
        return _not_read(envelope, texts.why)
    found: dict[Statement, str] = {}
    for text in texts:
        statements = statements_of(text, dialect)
        if isinstance(statements, Undecodable):
            return _not_read(envelope, statements.why)
        for statement in statements:
            found.setdefault(statement, text)
    if not found or len(found) > MOST:
        return _not_read(envelope, "The request has no statement, or too many.")
    return tuple(_action(statement, text, envelope) for statement, text in found.items())


def _not_read(envelope: Envelope, why: str) -> tuple[Action, ...]:
    return (envelope.action, unreadable(envelope.service.name, envelope.action.resource, why))


def _texts(envelope: Envelope) -> list[str] | Undecodable:
    sources = list(_sources(envelope))
    fault = envelope.arguments.fault(Param(name="statement", kind="string", source=source) for source in sources)
    if fault is not None:
        return fault
    if any(value is not None for source in _places(envelope, "unless") for value in envelope.arguments.values(source)):
        return Undecodable("A statement is named that only the server knows.")
    values = [value for source in dict.fromkeys(sources) for value in envelope.arguments.values(source)]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    found = [text for text in texts if isinstance(text, str) and text.strip()]
    if len(found) != len([text for text in texts if text is not None and text != ""]):
        return Undecodable("A statement is no text.")
    return ["\n".join(found)] if "joined" in envelope.told.options and found else found


def _sources(envelope: Envelope) -> Iterator[Source]:
    if envelope.told.source is not None:
        yield envelope.told.source
    yield from _places(envelope, "also")
    yield from _places(envelope, "joined")


def _places(envelope: Envelope, option: str) -> Iterator[Source]:
    for written in envelope.told.options.get(option, "").split():
        place, _, fields = written.partition(".")
        yield source_of(place, fields)


def _action(statement: Statement, text: str, envelope: Envelope) -> Action:
    carrier = envelope.action
    tables = [table for table in statement.tables or () if table.isprintable()]
    return Action(
        service=carrier.service,
        operation=f"sql.{statement.kind}",
        resource=", ".join(tables[:_SHOWN]) or ", ".join(statement.functions[:_SHOWN]) or carrier.resource,
        access=statement.access,
        tier=statement.tier,
        params={**carrier.params, **params_of(statement, text)},
        instance=carrier.instance,
        confidence=Confidence.PROTOCOL,
        why=statement.why,
        evidence=(*carrier.evidence, carrier.operation, f"sql {envelope.told.options.get('dialect', 'of any dialect')}"),
    )


_SHOWN = 5


def params_of(statement: Statement, text: str) -> dict[str, Value]:
    """What rules may read of a statement. `limit` is there only where it says one, `where` only where that matters."""
    said: dict[str, Value] = {}
    if statement.tables is not None:
        said["tables"] = statement.tables
    if statement.columns is not None:
        said["columns"] = statement.columns
    if statement.functions:
        said["names"] = statement.functions
    if statement.limit is not None:
        said["limit"] = statement.limit
    if statement.where is not None:
        said["where"] = statement.where
    if len(text) <= LONGEST:
        said["statement"] = text
    return said
