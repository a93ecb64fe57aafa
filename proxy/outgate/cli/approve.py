"""`outgate approve`: one person's signature that a paused request may pass, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgate.cli.approvals import Config, Named, State

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Key = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Your SSH key; FILE.pub where an agent holds it. Default: yours in ~/.ssh.")
]
Person = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who you are. Default: whose key it is.")]
Made = Annotated[
    Path | None, typer.Option("--signature", metavar="FILE", help="Made elsewhere over what `approvals show --statement` gives.")
]
Sure = Annotated[bool, typer.Option("--yes", help="Don't ask: you have read what it is.")]


@app.command()
def approve(  # noqa: PLR0913  # one parameter an option
    approval: Named,
    *,
    key: Key = None,
    person: Person = None,
    signature: Made = None,
    sure: Sure = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Read what is asked, sign with your SSH key, and see who else is needed. ssh-keygen asks for passphrase or touch."""
    from outgate.app import votes
    from outgate.cli.signing import decide

    at = votes.place(config, state)
    found = votes.named(at, approval)
    decide(at, found, deny=False, why="", key=key, person=person, made=signature, sure=sure)
