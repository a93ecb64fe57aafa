"""`outgate ca`: the certificate authority of a gate that serves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.group import Commands
from outgate.cli.text import clean, wrapped
from outgate.errors import ConfigError, EvidenceError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.ca.keep import Kept

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False, cls=Commands)

State = Annotated[Path | None, typer.Option(metavar="DIR", help="The state folder. Default: yours.")]


@app.callback()
def _ca() -> None:
    """The CA whose certificates agents see. It is made when it is first asked for; its key never leaves the state folder."""


@app.command()
def show(*, state: State = None, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Show the CAs: the one that signs, one that is prepared, and those that signed."""
    kept = _kept(state)
    if as_json:
        typer.echo(json.dumps(list(_rows(kept))))
        return
    for row in _rows(kept):
        typer.echo(f"{row['does']:<8} {row['name']}, {row['from']} to {row['until']}")
        typer.echo(f"  SHA-256  {row['sha256'][:32]}")
        typer.echo(f"           {row['sha256'][32:]}")


@app.command()
def export(
    *,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there; default: standard output.")] = None,
    with_roots: Annotated[
        bool, typer.Option("--with-roots", help="With the public roots, for variables that replace what is trusted.")
    ] = False,
    state: State = None,
) -> None:
    """Write the certificates that an agent is to trust, in PEM form; never a key."""
    from outgate.ca.roots import public_roots

    kept = _kept(state)
    pem = kept.bundle(_now())
    if with_roots:
        pem = b"\n".join((pem, *public_roots()))
    if out is None:
        typer.echo(pem.decode("latin-1"), nl=False)
        return
    try:
        out.write_bytes(pem)
    except OSError as error:
        raise UnavailableError(f"{out} can't be written: {error.strerror or error}") from error
    ours = len(list(_rows(kept)))
    roots = ", with the public roots" if with_roots else ""
    typer.echo(f"{out}: {ours} CA{'' if ours == 1 else 's'} of this gate{roots}")


@app.command()
def rotate(
    *,
    prepare: Annotated[bool, typer.Option("--prepare", help="Only make the next one, so that agents trust it first.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Tell nobody any more to trust those before.")] = False,
    state: State = None,
) -> None:
    """Have another CA sign. `export` gives both until --finish, or for 30 days.

    Without a moment in which agents fail: --prepare, export to the agents, rotate, and later --finish.
    """
    from outgate.ca import keep

    if prepare and finish:
        raise ConfigError("--prepare or --finish, not both")
    folder, now = _state(state), _now()
    if prepare:
        kept = keep.prepare(folder, now)
        _done(folder, "ca-prepared", kept, "prepared. Give it to the agents (outgate ca export), then: outgate ca rotate")
    elif finish:
        kept, count = keep.finish(folder, now)
        _done(folder, "ca-finished", kept, _finished(count))
    else:
        known = keep.look(folder, now)
        kept = keep.rotate(folder, now)
        _done(folder, "ca-rotated", kept, _rotated(prepared=known is not None and known.next is not None))


def _finished(count: int) -> str:
    if not count:
        return "signs; there was none before it any more"
    return f"is the only one now, {count} before it {'is' if count == 1 else 'are'} not exported any more. Give agents the export"


def _rotated(*, prepared: bool) -> str:
    if prepared:
        return "signs; a gate that serves takes it up by itself. When every agent has the export: outgate ca rotate --finish"
    return (
        "signs, and was not prepared: agents fail until they have the export (outgate ca export). Next time: "
        "outgate ca rotate --prepare, give them the export, then outgate ca rotate"
    )


def _done(state: Path, what: str, kept: Kept, said: str) -> None:
    """Say it and record it. It holds, whether or not that can be written down."""
    from outgate.app.record import operator, record
    from outgate.ca.authority import fingerprint

    chosen = kept.next if what == "ca-prepared" and kept.next else kept.signing
    print_ = fingerprint(chosen.certificate)
    for line in wrapped(f"CA {print_[:16]}… {said}", ""):
        typer.echo(line)
    wrong = _failed(lambda: record(state, what, {"sha256": print_, "by": operator(), "old": len(kept.old)}))
    if wrong:
        for line in wrapped(f"it holds, but THERE IS NO RECEIPT OF IT: {clean(wrong)}", "outgate: "):
            typer.echo(line, err=True)
        raise typer.Exit(1)


def _failed(doing: Callable[[], None]) -> str:
    try:
        doing()
    except (ConfigError, EvidenceError, UnavailableError) as error:
        return str(error)
    return ""


def _kept(state: Path | None) -> Kept:
    from outgate.ca import keep

    folder, now = _state(state), _now()
    return keep.look(folder, now) or keep.kept_ca(folder, now)


def _state(state: Path | None) -> Path:
    """As its owner, where root does it: what is left there must be the gate's."""
    from outgate.app.owner import as_owner
    from outgate.settings import state_folder

    folder = (state or state_folder(dict(os.environ))).absolute()
    as_owner(folder)
    return folder


def _rows(kept: Kept) -> Iterator[dict[str, str]]:
    from outgate.ca.authority import fingerprint

    each = [("signs", kept.signing.certificate, "")]
    each += [("next", kept.next.certificate, "")] if kept.next else []
    each += [("signed", one.certificate, f"{one.until:%Y-%m-%d}") for one in kept.old]
    for does, certificate, exported in each:
        yield {
            "does": does,
            "name": certificate.subject.rfc4514_string().partition(",")[0].removeprefix("CN="),
            "from": f"{certificate.not_valid_before_utc:%Y-%m-%d}",
            "until": f"{certificate.not_valid_after_utc:%Y-%m-%d}",
            "sha256": fingerprint(certificate),
            "exported_until": exported,
        }


def _now() -> datetime:
    return datetime.now(UTC)
