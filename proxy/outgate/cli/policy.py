"""`outgate policy`: check, test, suggest, replay, and the schemas for editors."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgate.cli.group import Commands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from outgate.actions.catalog import Catalog
    from outgate.digest import Json
    from outgate.policy.cases import Suite, Tried
    from outgate.policy.rule import Policy
    from outgate.settings import Settings

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False, cls=Commands)

Services = Annotated[
    list[Path] | None, typer.Option("--services", metavar="PATH", help="Your own service files, or a folder of them.")
]


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Policy files, or names of starter policies.")],
    *,
    together: Annotated[
        bool, typer.Option("--together", help="Check the files as one policy, as `run` with all of them.")
    ] = False,
    services: Services = None,
) -> None:
    """Say everything that is wrong, with file, line and remedy. Exits with 2 if anything is."""
    from outgate.errors import ConfigError, Problem
    from outgate.policy.lint import lint, notes
    from outgate.stores.policy_files import load_policies

    catalog = catalog_of(services)
    found: list[Problem] = []
    for asked in [files] if together else [[file] for file in files]:
        try:
            policy = load_policies(asked, catalog)
        except ConfigError as error:
            found.extend(error.problems)
            continue
        for warning in lint(policy, catalog):
            _complain(f"{warning} (warning)")
        for note in notes(policy):
            _complain(f"{' '.join(asked)}: {note} (note)")
        typer.echo(f"{' '.join(asked)}: ok. {_summary(policy)}")
    if found:
        raise ConfigError(*found)


@app.command("test")
def try_cases(
    cases: Annotated[
        list[Path] | None, typer.Argument(metavar="CASES…", help="Files of cases; default: the shipped ones.")
    ] = None,
    *,
    policy: Annotated[
        str | None, typer.Option(metavar="FILE|NAME", help="Try the cases on this policy, whatever they say.")
    ] = None,
    services: Services = None,
) -> None:
    """Try cases on their policies: where they differ, and rules that no case matches. Exits with 1 on a failure."""
    from outgate.policy.cases import run
    from outgate.stores.policy_files import load_policies

    catalog = catalog_of(services)
    failed = 0
    for suite in _suites(cases, policy):
        under = load_policies([policy or _policy_of(suite)], catalog)
        tried = list(run(suite.cases, under, catalog))
        _report(suite, under, tried)
        failed += sum(bool(one.wrong) for one in tried)
    if failed:
        raise typer.Exit(1)


@app.command()
def suggest(
    log: Annotated[Path | None, typer.Argument(metavar="LOG", help="A folder of logs; default: this machine's.")] = None,
    *,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this agent did.")] = None,
    services: Services = None,
) -> None:
    """Write a least-privilege policy from what was seen, with comments. Nothing dangerous is simply allowed."""
    from outgate.analysis.suggest import suggest as write
    from outgate.errors import UnavailableError

    folder = log or _own_log()
    text = write(_decisions(folder, agent), catalog_of(services))
    if text is None:
        raise UnavailableError(f"no decisions are in {folder} yet, run your agent first: outgate run -- CMD…")
    typer.echo(text, nl=False)


@app.command()
def replay(  # noqa: PLR0913  # one parameter an option
    log: Annotated[
        Path | None, typer.Argument(metavar="LOG", help="A state folder, or a folder of logs; default: this machine's.")
    ] = None,
    *,
    policy: Annotated[list[str], typer.Option(metavar="NEW", help="What to decide by: a file or a starter policy. Repeatable.")],
    bound: Annotated[
        int | None,
        typer.Option(
            "--max-new-blocks",
            metavar="N",
            min=0,
            help="Exit with 1 if more that were let out would be stopped, or can't be told.",
        ),
    ] = None,
    as_written: Annotated[bool, typer.Option("--as-written", help="Keep the policy's mode; else it is enforced.")] = False,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this agent did.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, for programs.")] = False,
    services: Services = None,
) -> None:
    """Decide again, under another policy, what was recorded: what would change, and where a receipt does not say enough."""
    import asyncio

    from outgate.analysis.replay import replay as again
    from outgate.cli.replay_lines import fields, lines
    from outgate.errors import UnavailableError
    from outgate.policy.effect import Mode
    from outgate.stores.memory import MemoryLedger
    from outgate.stores.policy_files import load_policies

    under = load_policies(policy, catalog_of(services), mode=None if as_written else Mode.ENFORCE)
    folder = _logs_in(log) if log else _own_log()
    report = asyncio.run(again(_reading(_recorded(folder, agent)), under, MemoryLedger()))
    if not report.decisions:
        raise UnavailableError(f"no decisions are in {folder} yet, run your agent first: outgate run -- CMD…")
    text = json.dumps(fields(report, under), indent=2) if as_json else "\n".join(lines(report, under, bound=bound))
    typer.echo(text)
    if bound is not None and report.stopped + report.untold > bound:
        raise typer.Exit(1)


class Form(StrEnum):
    """What people write, each file with a form of its own."""

    POLICY = "policy"
    SETTINGS = "settings"
    AGENTS = "agents"
    PEOPLE = "people"


@app.command()
def schema(form: Annotated[Form, typer.Argument(help="The file that is written.")] = Form.POLICY) -> None:
    """Print the JSON Schema of a file that people write, for editors."""
    typer.echo(json.dumps(_schema_of(form), indent=2, ensure_ascii=False))


def _schema_of(form: Form) -> dict[str, Json]:
    from outgate import settings
    from outgate.policy.form import policy_schema
    from outgate.stores import agent_files, people_files

    match form:
        case Form.POLICY:
            return policy_schema()
        case Form.SETTINGS:
            return settings.json_schema()
        case Form.AGENTS:
            return agent_files.json_schema()
        case Form.PEOPLE:
            return people_files.json_schema()


def settings_of() -> Settings:
    """The user's own settings, where there are any."""
    import os

    from outgate.settings import load

    return load(None, os.environ)


def catalog_of(services: Sequence[Path] | None) -> Catalog:
    """What is shipped, what the settings name, and what was given."""
    from outgate.stores.catalog_files import load_catalog
    from outgate.stores.plugins import load_plugins

    settings = settings_of()
    return load_catalog(*settings.services, *(services or ()), plugins=load_plugins(settings.plugins))


def _complain(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201  # standard output is for what was asked


def _summary(policy: Policy) -> str:
    allow = sum(not rule.effect.restricts for rule in policy.rules)
    restrict = len(policy.rules) - allow
    counted = (
        f"{restrict} {'rule restricts' if restrict == 1 else 'rules restrict'}, {allow} {'allows' if allow == 1 else 'allow'}"
    )
    return f"policy {policy.name}, {policy.mode}: {counted}; {policy.digest[:19]}"


def _suites(cases: Sequence[Path] | None, policy: str | None) -> list[Suite]:
    """The suites in these files, else the shipped ones: all, or those of one policy."""
    from outgate.errors import ConfigError
    from outgate.policy.cases import read_cases
    from outgate.stores.texts import text_of

    suites = [read_cases(text_of(path), str(path)) for path in _files(cases)]
    if cases or policy is None:
        return suites
    own = [suite for suite in suites if suite.policy == Path(policy).stem]
    if not own:
        raise ConfigError(f"no cases come with policy {policy!r}, give files of cases")
    return own


def _files(cases: Sequence[Path] | None) -> list[Path]:
    from outgate.stores.shipped import shipped

    asked = list(cases or [shipped("rules", "cases")])
    return [file for path in asked for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


def _policy_of(suite: Suite) -> str:
    """A starter policy's name, or a path seen from the file of cases."""
    from outgate.errors import ConfigError

    if not suite.policy:
        raise ConfigError(f"{suite.source} does not say which policy it is for, add `policy:` or give --policy")
    beside = Path(suite.source).parent / suite.policy
    return str(beside) if beside.is_file() else suite.policy


def _report(suite: Suite, policy: Policy, tried: Sequence[Tried]) -> None:
    failed = [one for one in tried if one.wrong]
    typer.echo(f"{suite.source}: {len(tried)} cases of policy {policy.name}, {len(failed) or 'none'} failed")
    for one in failed:
        typer.echo(f"  failed  {one.case.name}  (line {one.case.place.line})")
        for wrong in one.wrong:
            typer.echo(f"          {wrong}")
    matched = frozenset[str]().union(*(one.matched for one in tried))
    unmatched = sorted(rule.id for rule in policy.rules if rule.id not in matched)
    if unmatched:
        typer.echo(f"  no case matches {', '.join(unmatched)}")


def decisions_in(log: Path | None, agent: str | None) -> tuple[Path, Iterator[Mapping[str, Json]]]:
    """The folder of logs that is meant, and what an agent, or everybody, did; says how far it is."""
    folder = _logs_in(log) if log else _own_log()
    return folder, _reading(_decisions(folder, agent))


def _own_log() -> Path:
    import os

    from outgate.settings import state_folder
    from outgate.stores.logs import log_folder

    return log_folder(state_folder(os.environ))


def _logs_in(place: Path) -> Path:
    """The folder of logs, where the state folder around it may be named as well."""
    from outgate.stores.logs import log_folder

    return log_folder(place) if log_folder(place).is_dir() else place


def _recorded(folder: Path, agent: str | None) -> Iterator[Mapping[str, Json]]:
    """Decisions of an agent, or all; and every outcome, for the one that it belongs to."""
    from outgate.stores.logs import all_receipts

    for receipt in all_receipts(folder):
        asked = receipt.fields.get("agent")
        if agent is None or receipt.type == "outcome" or (isinstance(asked, dict) and asked.get("id") == agent):
            yield receipt.fields


def _reading(receipts: Iterator[Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    """Says how far it is, on a terminal, once it takes longer than a second."""
    from time import monotonic

    began = said = monotonic()
    shown = sys.stderr.isatty()
    for number, fields in enumerate(receipts, 1):
        if shown and number % 1000 == 0 and (now := monotonic()) - began > 1 and now - said > 0.2:
            said = now
            print(f"\r{number:,} receipts", end="", file=sys.stderr, flush=True)  # noqa: T201
        yield fields
    if shown and said > began:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201


def _decisions(folder: Path, agent: str | None) -> Iterator[Mapping[str, Json]]:
    from outgate.stores.logs import all_receipts

    for receipt in all_receipts(folder):
        asked = receipt.fields.get("agent")
        if agent is None or (isinstance(asked, dict) and asked.get("id") == agent):
            yield receipt.fields
