"""`outgate explain`: what a request is, and what the policy would answer, and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.told.shell import is_curl

if TYPE_CHECKING:
    from outgate.admission import Ground
    from outgate.intake.agents import Agent
    from outgate.policy.call import Call, Rehearsed

app = typer.Typer(rich_markup_mode=None, add_completion=False)

DEFAULT_POLICY = "coding-agent"


@app.command()
def explain(  # noqa: PLR0913  # one parameter an option
    request: Annotated[
        str,
        typer.Argument(
            metavar="'METHOD URL'",
            help="As in 'DELETE https://api.github.com/repos/a/b'; or a whole curl command in quotes; - reads one, or what --har "
            "or --raw would.",
        ),
    ] = "",
    *,
    curl: Annotated[Path | None, typer.Option("--curl", metavar="FILE", help="Curl commands, one after the other.")] = None,
    har: Annotated[Path | None, typer.Option("--har", metavar="FILE", help="Every entry of an HAR file.")] = None,
    raw: Annotated[
        Path | None, typer.Option("--raw", metavar="FILE", help="The bytes of a request, HTTP/1.1; - reads them.")
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="FILE|NAME", help="A policy file or a starter policy's name; may be repeated.")
    ] = None,
    enforce: Annotated[bool, typer.Option("--enforce", help="As if the policy were enforced.")] = False,
    agent: Annotated[str, typer.Option(metavar="NAME", help="Who asks.")] = "agent",
    team: Annotated[str, typer.Option(metavar="T", help="The team of who asks.")] = "",
    age: Annotated[int, typer.Option(metavar="DAYS", help="Since how many days we know who asks.")] = 30,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="HEADER", help="A header, as in 'Name: value'.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", metavar="TEXT", help="The body; @FILE reads it from a file.")
    ] = None,
    services: Annotated[list[Path] | None, typer.Option("--services", metavar="PATH", help="Your own service files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what a request is and what would be answered. Nothing is sent, looked up or recorded."""
    from outgate.admission import Ground
    from outgate.cli.explain_lines import lines, plain, plain_many, table
    from outgate.cli.policy import catalog_of, settings_of
    from outgate.cli.told.places import Place, told
    from outgate.policy.effect import Mode
    from outgate.stores.policy_files import load_policies

    written = (
        [(request, _call(request, header or [], data))]
        if request and request != "-" and not is_curl(request)
        else told(Place(line=request, curl=curl, har=har, raw=raw))
    )
    catalog = catalog_of(services)
    settings = settings_of()
    asked = tuple(policy or settings.policies or (DEFAULT_POLICY,))
    under = load_policies(asked, catalog, mode=Mode.ENFORCE if enforce or settings.enforce else None)
    asker, now = _agent(agent, team, age)
    ground = Ground(policy=under, catalog=catalog, destinations=settings.destinations)
    found = [(shown, _rehearsed(of, asker, now, ground)) for shown, of in written]
    if har is not None or len(found) > 1:
        typer.echo(json.dumps(plain_many(found, under), indent=2, ensure_ascii=False) if as_json else "\n".join(table(found)))
        return
    came = _only(found)
    typer.echo(json.dumps(plain(came, under), indent=2, ensure_ascii=False) if as_json else "\n".join(lines(came, under)))


def _rehearsed(of: Call | str, asker: Agent, now: datetime, ground: Ground) -> Rehearsed | str:
    from outgate.intake.request import Unreadable
    from outgate.policy.call import rehearse

    if isinstance(of, str):
        return of
    came = rehearse(of, asker, now, ground.policy, ground.catalog, estate=ground.estate)
    if isinstance(came, Unreadable):
        return f"this request has no one reading and is always refused, with {came.status}: {came.why}"
    return came


def _only(found: list[tuple[str, Rehearsed | str]]) -> Rehearsed:
    from outgate.errors import ConfigError

    ((_, came),) = found
    if isinstance(came, str):
        raise ConfigError(came)
    return came


def _agent(name: str, team: str, age: int) -> tuple[Agent, datetime]:
    from outgate.errors import ConfigError
    from outgate.intake.agents import Agent

    now = datetime.now(UTC)
    try:
        return Agent(id=name, team=team, since=now - timedelta(days=age)), now
    except (ValueError, OverflowError) as error:
        raise ConfigError(str(error)) from error


def _call(request: str, headers: list[str], data: str | None) -> Call:
    from outgate.errors import ConfigError
    from outgate.policy.call import call

    split = [header.partition(":") for header in headers]
    if wrong := next((header for header in headers if ":" not in header), None):
        raise ConfigError(f"'{wrong}' is no header, write it like 'Name: value'")
    try:
        content = None if data is None else Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()
        return call(request, [(name.strip(), value.strip()) for name, _, value in split], content)
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error
