"""`outgate halt`: stop an agent, a team, a service or everything, now, from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.text import clean, wrapped
from outgate.errors import ConfigError
from outgate.halt import MOST_NAME, MOST_WHY, Halt, Scope
from outgate.intake.agents import AGENT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.app.switching import Thrown

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="An agent, by its id.")]
Team = Annotated[str | None, typer.Option(metavar="T", help="Every agent of a team.")]
Service = Annotated[str | None, typer.Option(metavar="S", help="What any agent does to a service.")]
Everything = Annotated[bool, typer.Option("--all", help="Everything.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="For the record, and for who reads `outgate status`.")]
AsJson = Annotated[bool, typer.Option("--json", help="What came of it, as JSON.")]
State = Annotated[Path | None, typer.Option(metavar="DIR", help="The state folder. Default: yours.")]


@app.command()
def halt(  # noqa: PLR0913  # one parameter an option
    name: Name = None,
    *,
    team: Team = None,
    service: Service = None,
    everything: Everything = False,
    why: Why = "",
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Refuse what comes and cut what is under way, in every gate of this state folder, until resumed. Restarts keep it."""
    from outgate.app import switching
    from outgate.settings import state_folder

    scope, what = asked(name, team, service, everything=everything, why=why)
    thrown = switching.halt(state or state_folder(os.environ), scope, what, why)
    if scope is Scope.SERVICE and (doubt := _doubt(what)):  # after it holds: nothing delays a halt, and nothing prevents it
        for line in wrapped(doubt, "outgate: "):
            typer.echo(line, err=True)
    show(thrown, as_json=as_json)


def _doubt(service: str) -> str:
    """What speaks against the name. One that nobody listed may be right all the same: a catalog that is to come has it."""
    from outgate.cli.policy import catalog_of
    from outgate.policy.shapes import meant

    try:
        known = catalog_of(None).services()
    except ConfigError as error:
        return f"nobody could look whether there is a service '{clean(service)}': {clean(str(error).splitlines()[0])}"
    return "" if service in known else f"the catalog has no service '{clean(service)}'{meant(service, known)}"


def asked(name: str | None, team: str | None, service: str | None, *, everything: bool, why: str) -> tuple[Scope, str]:
    """What was named, which is one thing. Raises ConfigError."""
    said = {Scope.AGENT: name, Scope.TEAM: team, Scope.SERVICE: service, Scope.ALL: "" if everything else None}
    named = [(scope, text) for scope, text in said.items() if text is not None]
    if len(named) != 1:
        raise ConfigError("name one: an agent, --team T, --service S, or --all")
    scope, text = named[0]
    if scope is Scope.AGENT and not AGENT_ID.fullmatch(text):
        raise ConfigError(f"'{clean(text)}' is no agent's id: 1 to 64 letters, digits, '.', '_', '@', '-'")
    if scope is not Scope.ALL and not (0 < len(text) <= MOST_NAME and text.isprintable()):
        raise ConfigError(f"a {scope} is 1 to {MOST_NAME} characters on one line")
    if len(why) > MOST_WHY:
        raise ConfigError(f"--why is at most {MOST_WHY} characters")
    return scope, text


def show(thrown: Thrown, *, as_json: bool) -> None:
    """Say what came of it. Exits with 1 where a gate did not confirm, or the record does not have it."""
    if as_json:
        typer.echo(json.dumps(_json(thrown)))
    else:
        for line in _lines(thrown):
            typer.echo(line)
    for complaint in _complaints(thrown):
        for line in wrapped(complaint, "outgate: "):
            typer.echo(line, err=True)
    if not thrown.whole:
        raise typer.Exit(1)


def _lines(thrown: Thrown) -> Iterator[str]:
    what = clean(str(Halt(scope=thrown.scope, name=thrown.name)))
    did, was = ("halted", "halted already") if thrown.what == "halt" else ("resumed", "not halted")
    yield f"{what}: {did if thrown.turned.changed else was}"
    yield f"  {_gates(thrown)}"
    if thrown.what == "halt" and thrown.gates and not any(gate.known for gate in thrown.gates if not gate.wrong):
        yield f"  no running gate has seen an agent '{clean(thrown.name)}'; look at `outgate status`"
    others = thrown.turned.halts.without(thrown.scope, thrown.name).halts
    if thrown.what == "resume" and others:
        yield from wrapped(f"still halted: {', '.join(clean(str(other)) for other in others)}", "  ")
    if thrown.turned.aside is not None:
        yield from wrapped(f"the switch could not be read, and is begun anew; the old file is {thrown.turned.aside}", "  ")


def _gates(thrown: Thrown) -> str:
    """How many know, and what that cut."""
    sure = [gate for gate in thrown.gates if not gate.wrong]
    if not thrown.gates:
        return "no gate runs here; it holds for those that start" if thrown.what == "halt" else "no gate runs here"
    cut = sum(gate.cut for gate in sure)
    told = f"{len(sure)} of {len(thrown.gates)} running {'gate' if len(thrown.gates) == 1 else 'gates'} confirmed"
    return told if thrown.what == "resume" else f"{told}; {cut or 'nothing'} cut in the middle"


def _complaints(thrown: Thrown) -> Iterator[str]:
    for gate in thrown.gates:
        if gate.wrong:
            yield f"gate {gate.writer} did not confirm: {clean(gate.wrong)}"
    if thrown.unrecorded:
        holds = "the halt is in effect" if thrown.what == "halt" else "it is resumed"
        yield f"{holds}, but THERE IS NO RECEIPT OF IT: {clean(thrown.unrecorded)}"


def _json(thrown: Thrown) -> dict[str, object]:
    return {
        "did": thrown.what,
        "scope": thrown.scope.value,
        "name": thrown.name,
        "changed": thrown.turned.changed,
        "halted": [{"scope": halt.scope.value, "name": halt.name} for halt in thrown.turned.halts.halts],
        "gates": [{"gate": gate.writer, "cut": gate.cut, "wrong": gate.wrong} for gate in thrown.gates],
        "aside": str(thrown.turned.aside or ""),
        "unrecorded": thrown.unrecorded,
    }
