"""`outgate doctor`: what can go around the gate on this machine, and which programs come through it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgate.cli.text import clean, columns, cut
from outgate.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from outgate.ca.authority import Authority
    from outgate.fence.check import Child, Findings, Ground
    from outgate.fence.command import Command
    from outgate.fence.lookalike import Came, LookAlike
    from outgate.fence.watch import Attempt

app = typer.Typer(rich_markup_mode=None, add_completion=False)

WIDTH = 80
PAD = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What doctor found. `unfenced` says why there is no fence; empty where there is one."""

    unfenced: str
    findings: Findings | None = None
    came: Mapping[str, Came] | None = None
    attempts: tuple[Attempt, ...] = ()
    nameless: tuple[str, ...] = ()
    """Where the command connected and named nobody, so that nothing could be decided."""
    code: int | None = None
    """The exit code of the command that was asked about."""

    @property
    def good(self) -> bool:
        """Nothing gets around, and nothing of the command's failed to come."""
        if self.unfenced:
            return False
        if self.findings:
            return all(tried.held for tried in self.findings.tries)
        return not self.attempts and not self.nameless and not any(came.distrusted for came in (self.came or {}).values())


@app.command(context_settings={"allow_interspersed_args": False})
def doctor(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- CMD…]", help="Run this inside instead, and say how its requests came.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Try to get around the gate from inside, and see which programs go through it. Nothing leaves this machine.

    Exits 1 if something gets out, or if the command asks for anything in a way that does not come through the gate. Its requests
    are answered here, with 503.
    """
    report = _look_at(command) if command else _look_around()
    print(json.dumps(_plain(report), indent=2) if as_json else "\n".join(_said(report, command or [])))  # noqa: T201
    raise SystemExit(0 if report.good else 1)


def _look_around() -> Report:
    """The machine: every way out, every program."""
    from outgate.fence.check import examine, interpreter, plan_for
    from outgate.fence.runtimes import found

    environ = dict(os.environ)
    with ExitStack() as stack:
        ground = _ground(stack)
        built, unfenced = _built(lambda: plan_for(ground, environ, interpreter()))
        built = stack.enter_context(built)
        gate, child = _stand_in(stack, built, environ)
        findings = asyncio.run(examine(built, ground, gate, tuple(found(environ)), child))
        return Report(unfenced=unfenced, findings=findings, attempts=findings.attempts)


def _look_at(words: Sequence[str]) -> Report:
    """One command, as `outgate run` would run it."""
    from outgate.fence.check import TURNED, observe
    from outgate.fence.plan import FencePlan
    from outgate.settings import state_folder

    environ = dict(os.environ)
    with ExitStack() as stack:
        plan = FencePlan(
            command=tuple(words), environ=environ, cwd=Path.cwd(), home=Path.home(), hide=(state_folder(environ),), turned=TURNED
        )
        built, unfenced = _built(lambda: plan)
        built = stack.enter_context(built)
        gate, child = _stand_in(stack, built, environ)

        def go() -> None:
            # Standard output is the report's: what the command says goes where it is told apart.
            built.release(words, environ=child.environ, files=child.files, cwd=Path.cwd(), standard=(0, 2, 2))

        code, attempts = asyncio.run(observe(built, gate, go))
        return Report(unfenced=unfenced, came=gate.came, attempts=attempts, nameless=tuple(gate.nameless), code=code)


def _ground(stack: ExitStack) -> Ground:
    from outgate.fence.check import lay_ground
    from outgate.settings import state_folder

    return lay_ground(stack, state_folder(os.environ))


def _built(plan: Callable[[], Any]) -> tuple[Command, str]:
    """A fence, or none and why."""
    from outgate.fence.linux import Fence
    from outgate.fence.unfenced import Unfenced

    try:
        return Fence.build(plan()), ""
    except UnavailableError as error:
        return Unfenced.build(), str(error)


def _stand_in(stack: ExitStack, command: Command, environ: Mapping[str, str]) -> tuple[LookAlike, Child]:
    """A look-alike of the gate with a CA of its own, and what makes a child find and trust it."""
    from outgate.ca.authority import make_authority
    from outgate.ca.inherited import inherited
    from outgate.ca.roots import public_roots
    from outgate.ca.trust import Spot, environment, read_trust, trust_files
    from outgate.fence.check import Child
    from outgate.fence.lookalike import LookAlike
    from outgate.fence.plan import without_channels
    from outgate.net.answering import Answering
    from outgate.net.names import Names
    from outgate.stores.shipped import shipped

    file = shipped("certs", "trust.yaml")
    trust = read_trust(file.read_text("utf-8"), str(file))
    already = inherited(trust, environ)
    authority = make_authority(datetime.now(UTC))
    host, port = command.listener.getsockname()[:2]
    spot = Spot(folder=str(command.folder), host=host, port=port)
    files = trust_files(trust, spot, ours=authority.pem, roots=(*public_roots(), *already.roots.values()), wgetrc=already.wgetrc)
    told = environment(trust, environ, spot)
    child = Child(environ=without_channels(told, ()) if command.fenced else told, files=files)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outgate-doctor-keys-")))
    return LookAlike(context_for=_contexts(authority, folder), names=Answering(Names())), child


def _contexts(authority: Authority, folder: Path) -> Callable[[str], ssl.SSLContext]:
    """Server contexts by host, each with a leaf of its own. Made for a look, in a folder that goes with it."""
    made: dict[str, ssl.SSLContext] = {}

    def context_for(host: str) -> ssl.SSLContext:
        if host not in made:
            file = folder / f"{len(made)}.pem"
            file.write_bytes(authority.leaf(host, datetime.now(UTC)).pem)
            made[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made[host].load_cert_chain(file)
        return made[host]

    return context_for


# what is printed


def _plain(report: Report) -> dict[str, Any]:
    plain: dict[str, Any] = {"fenced": not report.unfenced, "unfenced": report.unfenced, "good": report.good}
    if report.findings:
        plain["tries"] = [asdict(tried) | {"held": tried.held} for tried in report.findings.tries]
        plain["programs"] = [asdict(program) for program in report.findings.programs]
    else:
        plain["code"] = report.code
        plain["nameless"] = list(report.nameless)
        plain["hosts"] = {host: asdict(came) for host, came in (report.came or {}).items()}
    plain["attempts"] = [asdict(attempt) for attempt in report.attempts]
    return plain


def _said(report: Report, words: Sequence[str]) -> Iterator[str]:
    if report.unfenced:
        yield from wrap(report.unfenced, WIDTH)
        yield "not fenced: same user, can go around"
    else:
        yield "fenced: a network, files and processes of its own"
    yield ""
    yield from _of_machine(report.findings) if report.findings else _of_command(report, words)


def _of_machine(findings: Findings) -> Iterator[str]:
    if findings.tries:
        yield "tried from inside, to get around the gate"
        rows = [
            (PAD + tried.what, "refused" if tried.held else "OUT", f"({tried.got})" if tried.held else "")
            for tried in findings.tries
        ]
        yield from columns(rows, (46, 8, 20))
        out = sum(not tried.held for tried in findings.tries)
        yield f"{PAD}-> {out} of {len(rows)} got out" if out else f"{PAD}-> all {len(rows)} refused, nothing got out"
        yield ""
    yield "programs found here, and how a request of theirs comes"
    for program in findings.programs:
        yield f"{PAD}{f'{program.name} {program.version}':<24}{program.way}"
        yield from (f"{PAD * 4}{line}" for line in wrap(clean(program.do), WIDTH - 2 * len(PAD * 4)))


def _of_command(report: Report, words: Sequence[str]) -> Iterator[str]:
    yield f"{cut(clean(' '.join(words)), 40)} ended ({report.code}); nothing of it was sent on"
    rows = [(PAD + clean(host), _way(came)) for host, came in (report.came or {}).items()]
    yield from columns(rows, (44, 34)) if rows else [PAD + "no request came to the gate"]
    if report.attempts or report.nameless:
        yield "went around, and was refused"
        places = (f"{a.address}:{a.port}" if a.port else a.address for a in report.attempts)
        whose = (f"{a.process or '?'} {a.pid or ''}".rstrip() for a in report.attempts)
        rows3 = [
            (PAD + clean(who), f"{a.protocol} -> {place}", f"asked for {clean(a.name)}" if a.name else "")
            for a, place, who in zip(report.attempts, places, whose, strict=True)
        ]
        yield from columns(rows3, (22, 30, 24))
        yield from (f"{PAD}named nobody: {place}" for place in dict.fromkeys(report.nameless))


def _way(came: Came) -> str:
    if came.requests:
        return f"{len(came.requests)} {'turned to' if came.turned else 'through'} the gate"
    return "fails on trust" if came.distrusted else "opened a tunnel, asked nothing"
