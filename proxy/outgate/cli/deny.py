"""`outgate deny`: one person's signature that a paused request must not pass. It ends the approval."""

from __future__ import annotations

from typing import Annotated

import typer

from outgate.cli.approvals import Config, Named, State
from outgate.cli.approve import Key, Made, Person, Sure

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def deny(  # noqa: PLR0913  # one parameter an option
    approval: Named,
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="For the record, for the others, and for the agent, which reads it.")],
    key: Key = None,
    person: Person = None,
    signature: Made = None,
    sure: Sure = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Deny an approval, with your SSH key and a reason. One denial is enough, and final."""
    from outgate.app import votes
    from outgate.cli.signing import decide

    at = votes.place(config, state)
    found = votes.named(at, approval)
    decide(at, found, deny=True, why=why, key=key, person=person, made=signature, sure=sure)
