"""Signing at a terminal: which key, whose it is, whether it is meant, and what came of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from outgate.app.sign import sign, ssh_keygen, usual_keys
from outgate.app.votes import hand_in, stands
from outgate.approvals.approval import State, Vote
from outgate.approvals.statement import shown, to_sign, wants_hardware
from outgate.cli.before import before
from outgate.cli.card import card, standing_line
from outgate.cli.text import wrapped
from outgate.errors import ConfigError
from outgate.keys.ssh import parse_public, parse_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.app.votes import Place
    from outgate.approvals.approval import Approval
    from outgate.approvals.quorum import Standing
    from outgate.keys.ssh import PublicKey

_MOST_BYTES = 64 * 1024
_DONE = {
    State.GRANTED: "it is granted already, nothing more is needed",
    State.DENIED: "it was denied, and stays so",
    State.EXPIRED: "it has expired: when the agent asks again, people are asked again",
    State.USED: "its grant was used: when the agent asks again, people are asked again",
}


def look(at: Place, approval: Approval) -> Standing:
    """Print the card. Raises EvidenceError where what is signed is not what the approval says."""
    standing = stands(at, approval)
    for line in card(shown(approval), standing, before(at.state, approval.agent), datetime.now(UTC)):
        typer.echo(line)
    return standing


def decide(  # noqa: PLR0913  # what was asked on the command line
    at: Place,
    approval: Approval,
    *,
    deny: bool,
    why: str,
    key: Path | None,
    person: str | None,
    made: Path | None,
    sure: bool,
) -> None:
    """Show the card, ask, sign or take the signature that was `made` elsewhere, hand it in, say how it stands.

    Raises ConfigError, EvidenceError, UnavailableError: then nothing was decided.
    """
    standing = stands(at, approval)
    if standing.state is not State.PENDING and not (deny and standing.state is State.GRANTED):
        raise ConfigError(f"{approval.id} can't be {'denied' if deny else 'approved'}: {_DONE[standing.state]}")
    look(at, approval)
    chosen = None if made else (key.expanduser() if key else _chosen(at, approval, person))
    if not sure:
        _ask(deny=deny, chosen=chosen)
    text = _read(made) if made else sign(to_sign(approval, deny=deny), chosen or Path(), program=ssh_keygen())
    signature = _normal(text)
    public = parse_signature(signature).public
    vote = Vote(
        person=person or _holder(at, public),
        deny=deny,
        why=why,
        key=public.fingerprint,
        signature=signature,
        at=datetime.now(UTC),
    )
    after, standing = hand_in(at, approval, vote)
    typer.echo(f"{'denied' if deny else 'signed'} as {vote.person} with {public.fingerprint}")
    for line in wrapped(standing_line(standing, after.expires, datetime.now(UTC)), f"{after.id}: "):
        typer.echo(line)


def _ask(*, deny: bool, chosen: Path | None) -> None:
    if not sys.stdin.isatty():
        raise ConfigError("nobody is here to be asked, say --yes if you have read the card")
    said = f"{'Deny' if deny else 'Approve'} this{f' with {chosen}' if chosen else ''}?"
    if not typer.confirm(said, default=False):
        raise ConfigError("nothing was signed")


def _chosen(at: Place, approval: Approval, person: str | None) -> Path:
    """The first of a person's own keys that may sign this."""
    hardware = wants_hardware(approval)
    listed = {parse_public(key).blob for key in _keys(at, approval, person)}
    for path, public in usual_keys(Path.home()):
        if public.blob in listed and (public.is_hardware or not hardware):
            return path
    kind = "hardware keys" if hardware else "keys"
    raise ConfigError(f"none of your {kind} in ~/.ssh is of somebody who may sign this, name one with --key")


def _keys(at: Place, approval: Approval, person: str | None) -> Iterator[str]:
    names = at.people.among(who for panel in approval.panels for who in panel.of)
    for name in sorted(names if person is None else names & {person}):
        yield from at.people.by_name[name].keys


def _holder(at: Place, public: PublicKey) -> str:
    """Whose key this is. Where it is nobody's or several people's, it is said: they would not count."""
    holders = sorted(
        one.name for one in at.people.by_name.values() if any(parse_public(key).blob == public.blob for key in one.keys)
    )
    match holders:
        case [one]:
            return one
        case []:
            raise ConfigError(f"{public.fingerprint} is nobody's key yet: outgate people add NAME KEY.pub")
        case _:
            raise ConfigError(f"{public.fingerprint} is listed for {' and '.join(holders)}: a key must be one person's")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read as an armored signature: {error}") from error


def _normal(text: str) -> str:
    """Line ends as ssh-keygen writes them: an editor or a chat may have changed these, and nothing else."""
    return "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
