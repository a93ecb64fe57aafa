"""`outgate approvals`: what waits for people, one of them as a card, and new ones as they come."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.card import harmless, span
from outgate.cli.group import Commands
from outgate.cli.text import columns, cut

if TYPE_CHECKING:
    from outgate.app.votes import Place
    from outgate.approvals.approval import Approval
    from outgate.approvals.quorum import Standing
    from outgate.approvals.statement import Shown
    from outgate.digest import Json

app = typer.Typer(rich_markup_mode=None, add_completion=False, cls=Commands)

POLL = 1.0
"""Seconds between looks at the desk."""

Config = Annotated[Path | None, typer.Option(metavar="FILE", help="Settings, where people are named. Default: yours.")]
State = Annotated[Path | None, typer.Option(metavar="DIR", help="The state folder. Default: yours.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs, one object a line.")]
Named = Annotated[str, typer.Argument(metavar="ID", help="An approval's id, or its beginning.")]


@app.callback(invoke_without_command=True)
def _approvals(
    context: typer.Context,
    *,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Show what waits for people's approval."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json, every=every, config=config, state=state)


@app.command("list")
def list_(
    *,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """List what waits, the oldest first: id, state, who has signed, agent, action, how long it can still be approved."""
    from outgate.app import votes

    at = votes.place(config, state)
    found = votes.recent(at) if every else votes.waiting(at)
    if as_json:
        for one in found:
            typer.echo(json.dumps(_told(at, one)))
        return
    if not found:
        typer.echo("nothing waits for approval")
        return
    now = datetime.now(UTC)
    rows = [_row(one, votes.stands(at, one), now) for one in found]
    for line in columns([("approval", "state", "signed", "agent", "what", "for"), *rows], (14, 8, 6, 12, 0, 6)):
        typer.echo(line)


@app.command()
def show(  # noqa: PLR0913  # one parameter an option
    approval: Named,
    *,
    statement: Annotated[
        bool, typer.Option("--statement", help="The exact bytes to sign, for ssh-keygen -Y sign -n outgate.")
    ] = False,
    deny: Annotated[bool, typer.Option("--deny", help="With --statement: those that deny.")] = False,
    as_json: AsJson = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Show one approval: who, what, on what, how much, why it was stopped, what the agent did before."""
    from outgate.app import votes
    from outgate.approvals.statement import to_sign
    from outgate.cli.signing import look

    at = votes.place(config, state)
    found = votes.named(at, approval)
    if statement:
        sys.stdout.buffer.write(to_sign(found, deny=deny))
        sys.stdout.flush()
    elif as_json:
        typer.echo(json.dumps(_told(at, found)))
    else:
        standing = look(at, found)
        for refused in standing.refused:
            typer.echo(f"does not count: {harmless(refused.vote.person)}: {harmless(refused.why)}")


@app.command()
def watch(*, as_json: AsJson = False, config: Config = None, state: State = None) -> None:
    """Show what waits and what comes, and what becomes of it, until Ctrl-C."""
    from outgate.app import votes

    at = votes.place(config, state)
    seen: dict[str, tuple[str, int]] = {}
    try:
        while True:
            _news(at, seen, as_json=as_json)
            time.sleep(POLL)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _news(at: Place, seen: dict[str, tuple[str, int]], *, as_json: bool) -> None:
    """Show each approval that is new, and each that stands otherwise than when it was last shown."""
    from outgate.app import votes

    now = datetime.now(UTC)
    open_now = {one.id: one for one in votes.waiting(at)}
    over = seen.keys() - open_now.keys()
    gone = [one for one in votes.recent(at) if one.id in over] if over else []
    for one in (*open_now.values(), *gone):
        standing = votes.stands(at, one)
        stands = (standing.state.value, len(one.votes))
        if seen.get(one.id) == stands:
            continue
        new = one.id not in seen
        seen[one.id] = stands
        typer.echo(json.dumps(_told(at, one)) if as_json else _line(one, standing, now, new=new))
    for name in over:
        del seen[name]


def _line(approval: Approval, standing: Standing, now: datetime, *, new: bool) -> str:
    from outgate.cli.card import standing_line

    clock = now.astimezone().strftime("%H:%M:%S")
    if not new:
        return f"{clock} {approval.id} {standing_line(standing, approval.expires, now)}"
    what = cut(f"{approval.id} {harmless(approval.agent)}: {_what(approval)}", 71)
    return f"{clock} {what}\n         {cut(standing_line(standing, approval.expires, now), 71)}"


def _row(approval: Approval, standing: Standing, now: datetime) -> tuple[str, ...]:
    have = sum(min(len(tally.have), tally.need) for tally in standing.tallies)
    need = sum(tally.need for tally in standing.tallies)
    left = approval.expires - now
    return (
        approval.id,
        standing.state.value,
        f"{have}/{need}",
        harmless(approval.agent),
        _what(approval),
        span(left) if left.total_seconds() > 0 else "",
    )


def _what(approval: Approval) -> str:
    """The strictest action, as it is signed."""
    shown = _shown(approval)
    if shown is None:
        return "(its statement is not its own)"
    if not shown.actions:
        return f"{shown.method} {harmless(shown.url)}"
    first = max(shown.actions, key=lambda action: action.tier)
    more = len(shown.actions) - 1 + shown.actions_left_out
    return harmless(f"{first.name} {first.resource}".rstrip()) + (f" +{more}" if more else "")


def _shown(approval: Approval) -> Shown | None:
    from outgate.approvals.statement import shown
    from outgate.errors import EvidenceError

    try:
        return shown(approval)
    except EvidenceError:
        return None


def _told(at: Place, approval: Approval) -> dict[str, Json]:
    """Everything there is to know of one, for programs: `statement` is as it is signed, but for the decision."""
    from outgate.app import votes

    standing = votes.stands(at, approval)
    return {
        "id": approval.id,
        "state": standing.state.value,
        "agent": approval.agent,
        "expires": approval.expires.isoformat(),
        "panels": [
            {"name": one.panel.name, "need": one.need, "have": sorted(one.have), "able": sorted(one.able)}
            for one in standing.tallies
        ],
        "denied": [{"person": vote.person, "why": vote.why} for vote in standing.denied],
        "refused": [{"person": one.vote.person, "wrong": one.wrong.value, "why": one.why} for one in standing.refused],
        "statement": _statement(approval),
    }


def _statement(approval: Approval) -> Json:
    found: Json = json.loads(approval.statement) if _shown(approval) is not None else None
    return found
