"""`outgate serve`: one gate for many agents."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.intake.listening import proxy_url

if TYPE_CHECKING:
    from outgate.app.serve import ServeReport, Serving

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def serve(
    *,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings; default: config.yaml in the user's outgate folder.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|NAME", help="A policy file or the name of a starter policy; may be repeated."),
    ] = None,
    enforce: Annotated[bool, typer.Option("--enforce", help="Enforce, whatever mode the policy says.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Find out whether it would start, and end.")] = False,
) -> None:
    """Serve many agents, each with a name and a token of its own, until told to stop.

    SIGTERM and SIGINT: take nobody any more, let what is under way end, then go; a second one: go at once. SIGHUP: read again
    what people wrote.
    """
    gc.disable()  # as in `run`
    from outgate.app.serve import ServeAsk
    from outgate.app.serve import check as checked
    from outgate.app.serve import serve as served

    asked = ServeAsk(config=config, policies=tuple(policy or ()), enforce=enforce)
    if check:
        _say(opening_lines(checked(asked), "would serve"))
        return
    try:
        report = served(asked, opening=lambda serving: _say(opening_lines(serving, "serves")))
    finally:
        gc.enable()
    _say(closing_lines(report))
    raise SystemExit(1 if report.lost else 0)


def opening_lines(serving: Serving, does: str) -> Iterator[str]:
    """Where agents come in, under what, what they must set; then what needs somebody."""
    doing = "enforcing" if serving.enforcing else "observing"
    yield f"outgate {does} {_agents(serving)}, policy {serving.policy}, {doing}"
    for listener in serving.listeners:
        yield f"  {listener!s:<22} {f'{listener.agent}, whoever connects' if listener.agent else 'agents with their token'}"
    if serving.ca and serving.ca_until:
        yield f"  CA, until {serving.ca_until:%Y-%m-%d}   {serving.ca[:32]}"
        yield f"  {'SHA-256':<22} {serving.ca[32:]}"
    else:
        yield "  CA                     made at the first start"
    shared = next((one for one in serving.listeners if one.takes_credentials), None)
    if shared is not None:
        yield "An agent is given these, and a token by outgate agent add NAME:"
        yield f"  HTTPS_PROXY={proxy_url(shared.reached('HOST'), 'NAME:TOKEN')}   HTTP_PROXY the same"
        yield "  and what it trusts: outgate ca export --out outgate-ca.pem"
    yield from _warnings(serving)


def _agents(serving: Serving) -> str:
    revoked = f" ({serving.revoked} revoked)" if serving.revoked else ""
    return f"{serving.agents} agent{'' if serving.agents == 1 else 's'}{revoked}"


def _warnings(serving: Serving) -> Iterator[str]:
    if not serving.enforcing:
        yield "rules are only observed: outgate log --would shows what they would stop"
    if not serving.agents:
        yield f"nobody may come in yet: {serving.agents_file} names no agent"
    if serving.people_file is not None:
        yield f"nobody can approve yet (outgate people add): {serving.people_file} names no key"
    if serving.ca_ends_soon:
        yield "the CA ends soon: outgate ca rotate --prepare, and see outgate ca rotate --help"
    if serving.via:
        yield f"upstream proxy from the environment: {serving.via}"


def closing_lines(report: ServeReport) -> Iterator[str]:
    """How it ended."""
    cut = f"; {report.cut} client{'' if report.cut == 1 else 's'} cut off" if report.cut else ""
    yield f"outgate ended on {report.signal} after {report.seconds:.0f} s{cut}"
    if report.lost:
        yield f"the log could not be written to its end: {report.lost}"


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        typer.echo(line)
