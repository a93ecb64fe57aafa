"""`outgate actions`: what is known of services, and how more is added."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.group import Commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.openapi.draft import Draft, Imported
    from outgate.actions.openapi.drift import Difference
    from outgate.actions.openapi.overlay import Overlay
    from outgate.actions.openapi.servers import Server
    from outgate.actions.vocabulary import Kind

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False, cls=Commands)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


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
    from outgate.stores.catalog_files import load_catalog
    from outgate.stores.described_files import read_service_file

    catalog = load_catalog(*files)
    documents = [read_service_file(file) for path in files for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if problems := [problem for document in documents for problem in wrong(document, catalog)]:
        raise ConfigError(*problems)
    for document in documents:
        typer.echo(f"{document.source}: ok, {count(document)} examples hold")


def _kinds() -> dict[str, Kind]:
    """What parameters are called everywhere else."""
    from outgate.stores.catalog_files import load_catalog

    return dict(load_catalog().params())


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
    from outgate.stores.catalog_files import load_catalog

    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_text(text, "utf-8")
        try:
            catalog = load_catalog(trial)
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
