"""`outgate resume`: lift a halt."""

from __future__ import annotations

import os

import typer

from outgate.cli.halt import AsJson, Everything, Name, Service, State, Team, Why, asked, show

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def resume(  # noqa: PLR0913  # one parameter an option
    name: Name = None,
    *,
    team: Team = None,
    service: Service = None,
    everything: Everything = False,
    why: Why = "",
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Lift exactly that halt. What is halted by another name stays so: --all lifts only `halt --all`."""
    from outgate.app import switching
    from outgate.settings import state_folder

    scope, what = asked(name, team, service, everything=everything, why=why)
    show(switching.resume(state or state_folder(os.environ), scope, what, why), as_json=as_json)
