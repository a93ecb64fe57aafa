"""`outgate agent`: write agents down, revoke them, trust them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgate.cli.group import Commands
from outgate.cli.text import clean, columns, wrapped
from outgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.app.enrolment import Written
    from outgate.intake.credentials import Enrolled

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False, cls=Commands)

Name = Annotated[str, typer.Argument(metavar="NAME", help="An agent, by its name.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE", help="Settings; default: config.yaml in the user's outgate folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.callback()
def _agent() -> None:
    """Write agents down, revoke them, trust them. A gate that serves takes it up by itself."""


@app.command()
def add(  # noqa: PLR0913  # one parameter an option
    name: Name,
    *,
    team: Annotated[str, typer.Option(metavar="T", help="Its team.")] = "",
    owner: Annotated[str, typer.Option(metavar="WHO", help="Who answers for it.")] = "",
    label: Annotated[list[str] | None, typer.Option(metavar="K=V", help="A label; may be repeated.")] = None,
    permission: Annotated[list[str] | None, typer.Option(metavar="P", help="A permission; may be repeated.")] = None,
    from_: Annotated[
        list[str] | None, typer.Option("--from", metavar="CIDR", help="Where it may come from; may be repeated.")
    ] = None,
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS", help="A listener of its own, for one that can't send proxy credentials.")
    ] = "",
    observe: Annotated[bool, typer.Option("--observe", help="Enforce nothing on it that need not be.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write an agent down and give its token, once: only a digest of it is kept."""
    from outgate.app import enrolment

    said = {
        "team": team,
        "owner": owner,
        "labels": _labels(label or ()),
        "permissions": permission,
        "from": from_,
        "listen": listen,
        "observe": observe,
    }
    written = enrolment.add(enrolment.place(config), name, {key: value for key, value in said.items() if value})
    if as_json:
        typer.echo(json.dumps({"agent": name, "token": written.token, "proxy": written.proxy, "unrecorded": written.unrecorded}))
    else:
        _say(_added(written))
    _end(written, f"'{name}' was added")


@app.command(name="list")
def list_(*, config: Config = None, as_json: AsJson = False) -> None:
    """Show who is written down."""
    from outgate.app import enrolment

    at = enrolment.place(config)
    known = enrolment.agents(at)
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in known.values()]))
        return
    if not known:
        typer.echo(f"{at.file} names no agent: outgate agent add NAME")
        return
    rows = [("agent", "team", "owner", "comes in", ""), *map(_row, known.values())]
    _say(columns(rows, widest=(24, 12, 12, 16, 16)))


@app.command()
def revoke(name: Name, *, config: Config = None) -> None:
    """Let nobody in any more by this name; gates that serve drop its connections. Add it again to give it a new token."""
    from outgate.app import enrolment

    written = enrolment.revoke(enrolment.place(config), name)
    typer.echo(f"{name}: {'revoked' if written.changed else 'revoked already'}")
    if written.changed:
        _say(wrapped(f"a gate that serves drops it when it next looks; at once: outgate halt {name}", "  "))
    _end(written, f"'{name}' is revoked")


@app.command()
def trust(name: Name, *, config: Config = None) -> None:
    """Label an agent trust=trusted: starter policies no longer send it to the sandbox."""
    from outgate.app import enrolment

    written = enrolment.trust(enrolment.place(config), name)
    typer.echo(f"{name}: {'trusted' if written.changed else 'trusted already'}")
    _end(written, f"'{name}' is trusted")


def _labels(written: Iterable[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in written]
    if wrong := [name for name, equals, value in pairs if not (name and equals and value)]:
        raise ConfigError(f"--label is NAME=VALUE, not {', '.join(map(clean, wrong))}")
    return {name: value for name, _, value in pairs}


def _added(written: Written) -> Iterator[str]:
    if written.token:
        yield f"{written.name} comes in with this token. It is shown this once, and kept nowhere:"
        yield f"  {written.token}"
    else:
        yield f"{written.name} has a listener of its own, from the next start of the gate on:"
        yield f"  {written.at}: whoever connects there is {written.name}"
    yield "Where it runs:"
    yield f"  export HTTPS_PROXY={written.proxy}"
    yield "  export HTTP_PROXY=$HTTPS_PROXY"
    yield "What it trusts, and how each runtime is told so: certs/README.md"
    yield "  outgate ca export --out outgate-ca.pem"


def _row(one: Enrolled) -> tuple[str, ...]:
    agent = one.agent
    how = "revoked" if one.revoked else str(one.listener) if one.listener else "with its token" if one.token else "not yet"
    more = [*(["observed"] if agent.observe else []), *(["trusted"] if agent.labels.get("trust") == "trusted" else [])]
    return agent.id, agent.team, agent.owner, how, ", ".join(more)


def _as_json(one: Enrolled) -> dict[str, Any]:
    agent = one.agent
    return {
        "agent": agent.id,
        "team": agent.team,
        "owner": agent.owner,
        "permissions": sorted(agent.permissions),
        "labels": dict(agent.labels),
        "since": agent.since.isoformat() if agent.since else None,
        "observe": agent.observe,
        "token": bool(one.token),
        "from": [str(block) for block in one.peers],
        "listen": str(one.listener) if one.listener else None,
        "revoked": one.revoked,
    }


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def _end(written: Written, what: str) -> None:
    """Exit with 1 where it holds and the record does not have it."""
    if written.unrecorded:
        for line in wrapped(f"{what}, but THERE IS NO RECEIPT OF IT: {clean(written.unrecorded)}", "outgate: "):
            typer.echo(line, err=True)
        raise typer.Exit(1)
