"""`outgate actions`: what is known of services, and how more is added."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.actions.action import Access
from outgate.cli.group import Commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.action import Tier
    from outgate.actions.catalog import Catalog
    from outgate.actions.openapi.draft import Draft, Imported
    from outgate.actions.openapi.drift import Difference
    from outgate.actions.openapi.overlay import Overlay
    from outgate.actions.openapi.servers import Server
    from outgate.actions.vocabulary import Kind
    from outgate.digest import Json

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False, cls=Commands)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Services = Annotated[
    list[Path] | None, typer.Option("--services", metavar="PATH", help="Your own service files, or a folder of them.")
]


@app.command("search")
def look(  # noqa: PLR0913  # one parameter an option
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD…", help="As in refund, or delete bucket.")] = None,
    *,
    service: Annotated[list[str] | None, typer.Option(metavar="S", help="Only of this service. Repeatable.")] = None,
    access: Annotated[Access | None, typer.Option(help="Only of this access.")] = None,
    tier: Annotated[str | None, typer.Option(metavar="T0…T3", help="Only of this tier.")] = None,
    most: Annotated[int, typer.Option("-n", metavar="N", min=1, max=100_000, help="How many are shown.")] = 20,
    services: Services = None,
    as_json: AsJson = False,
) -> None:
    """Find operations by words in their names, the best first."""
    from outgate.actions.search import search
    from outgate.cli.action_lines import hits
    from outgate.cli.policy import catalog_of

    text = " ".join(words or ())
    found = search(text, catalog_of(services), services=service or (), access=access, tier=_tier(tier), most=most)
    if as_json:
        said = [{"name": one.name, "access": one.access.value, "tier": int(one.tier), "why": one.why} for one in found.operations]
        typer.echo(json.dumps({"total": found.total, "operations": said}, indent=2, ensure_ascii=False))
        return
    for line in hits(found, text):
        typer.echo(line)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in stripe.PostRefunds; or a service, as in stripe.")],
    *,
    services: Services = None,
    as_json: AsJson = False,
) -> None:
    """Show an operation: requests, parameters, access, tier and why, a rule for it; or a service."""
    from outgate.actions.known import known, summed
    from outgate.actions.search import near
    from outgate.cli import action_lines
    from outgate.cli.policy import catalog_of
    from outgate.errors import ConfigError
    from outgate.stores.mined_sources import mined_of

    catalog = catalog_of(services)
    if (of := summed(name, catalog)) is not None:
        mined = mined_of(name)
        lines = action_lines.service(of, mined)
        said: Json = action_lines.service_json(of, mined) if as_json else None
    elif (one := known(name, catalog)) is not None:
        lines = action_lines.operation(one)
        said = action_lines.operation_json(one) if as_json else None
    else:
        meant = near(name, catalog)
        raise ConfigError(f"no operation or service '{name}'" + (f", did you mean {', '.join(meant)}?" if meant else ""))
    typer.echo(json.dumps(said, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


@app.command("services")
def listed(*, services: Services = None, as_json: AsJson = False) -> None:
    """List the services that are known, with their hosts and how many operations each has."""
    from outgate.actions.known import summed
    from outgate.cli import action_lines
    from outgate.cli.policy import catalog_of, settings_of
    from outgate.stores.mined_sources import mined_of
    from outgate.stores.plugins import load_plugins

    catalog = catalog_of(services)
    found = [one for name in catalog.services() if (one := summed(name, catalog)) is not None]
    if as_json:
        said = [action_lines.service_json(one, mined_of(one.name)) for one in found]
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    for line in action_lines.services(found):
        typer.echo(line)
    for plugin in load_plugins(settings_of().plugins):
        typer.echo(f"plug-in {plugin}")


@app.command("coverage")
def covered(  # noqa: PLR0913  # one parameter an option
    log: Annotated[
        Path | None, typer.Argument(metavar="LOG", help="A state folder, or a folder of logs; default: this machine's.")
    ] = None,
    *,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this agent did.")] = None,
    draft: Annotated[
        str | None, typer.Option(metavar="HOST", help="Print a service file to begin with, of what was seen at this host.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Write one for each host into this folder.")
    ] = None,
    most: Annotated[int, typer.Option("-n", metavar="N", min=1, help="How many are shown.")] = 15,
    services: Services = None,
    as_json: AsJson = False,
) -> None:
    """Say what share of recorded traffic was known, and how; what was not; and write service files to begin with."""
    from outgate.actions.openapi.writing import written_of_traffic
    from outgate.analysis.coverage import coverage, drafts
    from outgate.cli import action_lines
    from outgate.cli.policy import catalog_of, decisions_in
    from outgate.errors import ConfigError, UnavailableError

    folder, receipts = decisions_in(log, agent)
    found = coverage(receipts)
    if not found.decisions:
        raise UnavailableError(f"no decisions are in {folder} yet, run your agent first: outgate run -- CMD…")
    unmapped = found.unmapped()
    texts = {host: written_of_traffic(one, host) for host, one in drafts(unmapped, catalog_of(services)).items()}
    if draft is not None:
        if draft not in texts:
            raise ConfigError(
                f"nothing that is not known was seen at '{draft}'" + (f", but at {', '.join(texts)}" if texts else "")
            )
        typer.echo(texts[draft], nl=False)
        return
    if out is not None:
        _drafts(texts, out)
    if as_json:
        typer.echo(json.dumps(action_lines.coverage_json(found, unmapped, texts), indent=2, ensure_ascii=False))
        return
    for line in action_lines.coverage(found, unmapped, most):
        typer.echo(line)
    if texts and out is None:
        typer.echo(f"next: outgate actions coverage --draft {next(iter(texts))} > mine.yaml")


def _drafts(texts: dict[str, str], folder: Path) -> None:
    from outgate.errors import ConfigError

    folder.mkdir(parents=True, exist_ok=True)
    for host, text in texts.items():
        path = folder / f"{re.sub('[^a-z0-9.-]+', '-', host)}.yaml"
        if path.exists():
            raise ConfigError(f"{path} is there already, name another folder")
        path.write_text(text, "utf-8")
        _say(f"{path}: written, read it through")


def _tier(said: str | None) -> Tier | None:
    from outgate.actions.action import Tier
    from outgate.errors import ConfigError

    if said is None:
        return None
    if said.upper() not in Tier.__members__:
        raise ConfigError(f"unknown tier '{said}', use one of {', '.join(Tier.__members__)}")
    return Tier[said.upper()]


@app.command("import")
def bring(  # noqa: PLR0913  # one parameter an option
    document: Annotated[Path, typer.Argument(metavar="OPENAPI", help="OpenAPI 3.x or Swagger 2.0, YAML or JSON; - reads it.")],
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to write it; a folder for several services.")
    ] = None,
    service: Annotated[str, typer.Option(metavar="NAME", help="The service's name. Default: of the document's title.")] = "",
    server: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A server, instead of those in the document. Repeatable.")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What you say of its operations, in a file of your own.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write nothing: say where this service file and the document differ.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a service file of an OpenAPI document, to be read through. With --check, exits with 1 where they have come apart."""
    from outgate.actions.openapi.draft import imported
    from outgate.stores.described_files import read_described

    found = imported(
        read_described(document),
        service=service or (_name_in(check) if check else ""),
        servers=tuple(map(_server, server or ())),
        overlay=_overlay(overlay),
        kinds=_kinds(),
    )
    for note in found.notes:
        _say(f"{note} (note)")
    if check is not None:
        _compare(check, found, as_json=as_json)
    elif as_json:
        typer.echo(json.dumps([draft.value for draft in found.drafts], indent=2, ensure_ascii=False))
    else:
        _write(found, document, out, force=force)


@app.command("test")
def attempt(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Service files of yours, or folders of them.")],
) -> None:
    """Load service files beside what is shipped, and try their examples. Exits with 2 if anything is wrong."""
    from outgate.errors import ConfigError
    from outgate.policy.examples import count, wrong
    from outgate.stores.described_files import read_service_file
    from outgate.stores.shipped import shipped

    known = shipped("rules", "services").resolve()
    catalog = _with(*(path for path in files if not path.resolve().is_relative_to(known)))
    documents = [read_service_file(file) for path in files for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if problems := [problem for document in documents for problem in wrong(document, catalog)]:
        raise ConfigError(*problems)
    for document in documents:
        typer.echo(f"{document.source}: ok, {count(document)} examples hold")


def _kinds() -> dict[str, Kind]:
    """What parameters are called everywhere else."""
    return dict(_with().params())


def _with(*files: Path) -> Catalog:
    """What is shipped, what plug-ins bring, and these files: not those of the settings, of which they may be some."""
    from outgate.cli.policy import settings_of
    from outgate.stores.catalog_files import load_catalog
    from outgate.stores.plugins import load_plugins

    return load_catalog(*files, plugins=load_plugins(settings_of().plugins))


def _server(url: str) -> Server:
    from outgate.actions.openapi.servers import given
    from outgate.errors import ConfigError

    try:
        return given(url)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _overlay(path: Path | None) -> Overlay:
    from outgate.actions.openapi.overlay import NOTHING, read_overlay
    from outgate.stores.described_files import read_service_file

    return NOTHING if path is None else read_overlay(read_service_file(path))


def _name_in(file: Path) -> str:
    from outgate.stores.described_files import read_service_file

    value = read_service_file(file).value
    name = value.get("service") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def _compare(file: Path, found: Imported, *, as_json: bool) -> None:
    """Hold a service file against its own draft, or against the largest one."""
    from outgate.actions.openapi.drift import drift
    from outgate.errors import ConfigError, Problem
    from outgate.stores.described_files import read_service_file

    value = read_service_file(file).value
    if not isinstance(value, dict):
        raise ConfigError(Problem(source=str(file), message="is no service file: it has no `service`"))
    draft = next((draft for draft in found.drafts if draft.service == value.get("service")), found.drafts[0])
    differences = drift(value, draft.value)
    drifted = [one for one in differences if one.drifts]
    if as_json:
        said = [{"kind": one.kind, "what": one.what, "said": one.said, "drifts": one.drifts} for one in differences]
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        for line in _compared(file, draft, differences):
            typer.echo(line)
    if drifted:
        raise typer.Exit(1)


def _compared(file: Path, draft: Draft, differences: tuple[Difference, ...]) -> Iterator[str]:
    from outgate.cli.text import clean

    drifted = sum(one.drifts for one in differences)
    yield f"{file}: {'as the document' if not drifted else f'{drifted} differences'}, {len(draft.entries)} operations"
    yield from (f"  {clean(str(one))}" for one in differences)


def _write(found: Imported, document: Path, out: Path | None, *, force: bool) -> None:
    """Write what was found to load, and nothing else."""
    from outgate.actions.openapi.writing import written
    from outgate.errors import ConfigError

    of = document.name + (f" ({found.version})" if found.version else "")
    texts = {draft.service: written(draft, of) for draft in found.drafts}
    folder = out is not None and (out.is_dir() or out.suffix not in {".yaml", ".yml"})
    if len(texts) > 1 and not folder:
        raise ConfigError(
            f"the document speaks of hosts that do different things, so it is {len(texts)} services"
            f" ({', '.join(texts)}): name a folder for them by -o"
        )
    for draft in found.drafts:
        text = texts[draft.service]
        path = out / f"{draft.service}.yaml" if out is not None and folder else out
        if path is not None and path.exists() and not force:
            raise ConfigError(f"{path} is there already: compare with --check {path}, or write over it with --force")
        _prove(text, path or Path(f"{draft.service}.yaml"))
        if path is None:
            typer.echo(text, nl=False)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            for line in _summary(path, draft):
                typer.echo(line)


def _prove(text: str, path: Path) -> None:
    """Load it beside everything else, and try its examples."""
    import tempfile
    from dataclasses import replace

    from outgate.document import parse
    from outgate.errors import ConfigError
    from outgate.policy.examples import wrong

    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_text(text, "utf-8")
        try:
            catalog = _with(trial)
        except ConfigError as error:
            told = [replace(one, source=str(path)) if one.source == str(trial) else one for one in error.problems]
            raise ConfigError(*told) from error
    if problems := wrong(parse(text, str(path)), catalog):
        raise ConfigError(*problems)


def _summary(path: Path, draft: Draft) -> Iterator[str]:
    tiers = Counter(str(entry.value["tier"]) for entry in draft.entries)
    yield f"{path}: {len(draft.entries)} operations of {draft.service}, {', '.join(f'{n} {t}' for t, n in sorted(tiers.items()))}"
    yield f"  next:  read it through, then  outgate policy check POLICY --services {path}"


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201  # standard output is for what was asked
