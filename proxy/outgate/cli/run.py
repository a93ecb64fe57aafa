"""`outgate run`: one command in front of an agent."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(context_settings={"allow_interspersed_args": False})
def run(  # noqa: PLR0913  # one parameter an option
    command: Annotated[list[str], typer.Argument(metavar="CMD…", help="The agent's own command line.")],
    *,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|NAME", help="A policy file or the name of a starter policy; may be repeated."),
    ] = None,
    enforce: Annotated[bool, typer.Option("--enforce", help="Enforce, whatever mode the policy says.")] = False,
    agent: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who this is, in rules and in the log. Default: from the command.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings; default: config.yaml in the user's outgate folder.")
    ] = None,
    share: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help="Give the agent a path that the fence would hide.")
    ] = None,
    direct: Annotated[
        list[int] | None, typer.Option(metavar="PORT", help="Give the agent a TCP port of this host's loopback.")
    ] = None,
    no_fence: Annotated[bool, typer.Option("--no-fence", help="Only ask the agent's programs to come this way.")] = False,
    no_transparent: Annotated[
        bool, typer.Option("--no-transparent", help="Refuse what programs connect to by themselves, instead of taking it.")
    ] = False,
    metrics: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Serve Prometheus metrics: a socket's path or host:port.")
    ] = None,
) -> None:
    """Run CMD with every request mapped, decided and recorded. Exits with CMD's own code."""
    gc.disable()  # until the gate is ready, which freezes what is there: nothing that a start makes is garbage
    from outgate.app.run import RunAsk, run_agent
    from outgate.cli.summary import closing, opening_lines

    def say(lines: Iterable[str]) -> None:
        for line in lines:
            typer.echo(line, err=True)  # where a wrapper speaks; nowhere, if that is closed

    asked = RunAsk(
        command=tuple(command),
        policies=tuple(policy or ()),
        enforce=enforce,
        agent=agent,
        config=config,
        shares=tuple(share or ()),
        directs=tuple(direct or ()),
        fenced=not no_fence,
        transparent=not no_transparent,
        metrics=metrics,
    )
    try:
        report = run_agent(asked, opening=lambda begun: say(opening_lines(begun)))
    finally:
        gc.enable()
    say(closing(report))
    raise SystemExit(report.code)
