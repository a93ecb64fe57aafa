"""`outgate mock`: see, check and try what answers in the sandbox; record real answers for it."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgate.cli.group import Commands
from outgate.cli.text import clean, columns, wrapped
from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.document import Document
    from outgate.mock.exchange import Answer, Asked
    from outgate.settings import Settings

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False, cls=Commands)

_TIME = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_LONGEST = timedelta(days=7)
_METHOD = re.compile(r"[A-Za-z]{1,16}")

Files = Annotated[list[Path] | None, typer.Option("--mocks", metavar="PATH", help="More of your own files, or folders of them.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
State = Annotated[Path | None, typer.Option(metavar="DIR", help="The state folder. Default: yours.")]


@app.command("list")
def show(*, mocks: Files = None, as_json: AsJson = False) -> None:
    """List the services that have canned answers, and how many."""
    from outgate.mock.load import load

    found = {service: (documents, load(documents)) for service, documents in sorted(_all(mocks).items())}
    if as_json:
        said = {
            service: {
                "routes": list(book.listed),
                "collections": sorted(book.collections),
                "files": [document.source for document in documents],
            }
            for service, (documents, book) in found.items()
        }
        typer.echo(json.dumps(said, indent=2))
        return
    rows = [
        (service, f"{len(book.listed)} routes", ", ".join(sorted(book.collections)) or "nothing is kept", _whose(documents))
        for service, (documents, book) in found.items()
    ]
    for line in columns(rows, (20, 12, 34, 8)):
        typer.echo(line)
    for line in wrapped("Any other service is answered by what most APIs do. Write answers: canned under mocks in a policy.", ""):
        typer.echo(line)


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="Files of canned answers; default: the shipped ones and yours.")
    ] = None,
) -> None:
    """Say everything that is wrong, with file, line and remedy. Exits with 2 if anything is."""
    from outgate.app.mocks import Books
    from outgate.stores.mock_files import own_mock_files

    own = tuple(files) if files else _settings().mocks
    books, problems = Books(*own), list[Problem]()
    for service, documents in (own_mock_files(*own) if files else _all(None)).items():
        try:
            book = books.of(service)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        for document in documents:
            typer.echo(f"{document.source}: ok. {service}, {len(book.listed) if book else 0} routes in all")
    if problems:
        raise ConfigError(*sorted(set(problems)))


@app.command("try")
def attempt(  # noqa: PLR0913  # one parameter an option
    service: Annotated[str, typer.Argument(help="A service of the catalog, or any name.")],
    method: Annotated[str, typer.Argument(help="As in POST.")],
    path: Annotated[str, typer.Argument(help="A path with its query, or a whole address.")],
    *,
    body: Annotated[str | None, typer.Option(metavar="TEXT", help="The body, or @FILE.")] = None,
    kind: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Its Content-Type. Default: JSON or a form.")] = None,
    openapi: Annotated[Path | None, typer.Option(metavar="FILE", help="Answer from an OpenAPI document.")] = None,
    mocks: Files = None,
    as_json: AsJson = False,
) -> None:
    """Show what the sandbox would answer. Nothing is sent anywhere, and nothing is remembered."""
    from outgate.app.mocks import Books, read_openapi_file
    from outgate.mock.answers import Answers

    document = None if openapi is None else read_openapi_file(openapi)
    asked = _asked(service, method, path, _content(body), kind)
    answer = Answers(Books(*_settings().mocks, *(mocks or ())).of).answer(asked, document)
    if as_json:
        typer.echo(json.dumps(_said(answer)))
        return
    typer.echo(f"{answer.status}")
    for name, value in answer.headers:
        typer.echo(clean(f"{name}: {value}"))
    for line in _shown(answer):
        typer.echo(line)


@app.command()
def schema() -> None:
    """Print the JSON Schema of files of canned answers, for editors."""
    from outgate.mock.form import mocks_schema

    typer.echo(json.dumps(mocks_schema(), indent=2, ensure_ascii=False))


@app.command()
def record(
    *,
    service: Annotated[
        list[str] | None, typer.Option(metavar="S", help="Whose answers to keep; more than one may be named.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to.")] = Path("recorded"),
    lasting: Annotated[str, typer.Option("--for", metavar="TIME", help="How long: 30m, 1h, 2d; at most 7d.")] = "1h",
    stop: Annotated[bool, typer.Option("--stop", help="End it.")] = False,
    state: State = None,
) -> None:
    """Keep real answers that pass the gates of this state folder, as canned ones; credentials and people are taken out.

    Gates that run begin within a second. Only what was let out is kept, only JSON and text, and nothing over 256 KiB.
    """
    from outgate.settings import state_folder
    from outgate.stores.recordings import RecordingSwitch

    switch = RecordingSwitch(state or state_folder(os.environ))
    if stop:
        typer.echo("Recording has ended." if switch.stop() else "Nothing was being recorded.")
        return
    _record(switch, service or [], out, _time(lasting))


def _record(switch: Any, services: list[str], out: Path, lasting: timedelta) -> None:
    from outgate.policy.shapes import meant
    from outgate.stores.catalog_files import load_catalog
    from outgate.stores.recordings import Recording

    known = load_catalog(*_settings().services).services()
    if not services:
        raise ConfigError("name a service whose answers to keep, with --service NAME, or end it with --stop")
    for service in services:
        if service not in known:
            raise ConfigError(f"no service '{clean(service)}' is known{meant(service, known)}")
    until = datetime.now(UTC) + lasting
    switch.start(Recording(services=frozenset(services), folder=out.absolute(), until=until))
    names = ", ".join(f"{out / service}.yaml" for service in services)
    for line in wrapped(
        f"Recording until {until:%Y-%m-%d %H:%M} UTC, to {names}. End it sooner with outgate mock record --stop.", ""
    ):
        typer.echo(line)


def _time(text: str) -> timedelta:
    match = _TIME.fullmatch(text)
    lasting = int(match[1]) * _UNITS[match[2]] if match else timedelta()
    if not timedelta() < lasting <= _LONGEST:
        raise ConfigError(f"'{clean(text)}' is no time to record for: a number and s, m, h or d, at most 7d", source="--for")
    return lasting


def _settings() -> Settings:
    from outgate.settings import load

    return load(None, os.environ)


def _all(more: list[Path] | None) -> dict[str, tuple[Document, ...]]:
    from outgate.stores.mock_files import mock_files

    return mock_files(*_settings().mocks, *(more or ()))


def _whose(documents: tuple[Document, ...]) -> str:
    from outgate.stores.shipped import shipped

    folder = str(shipped("rules", "mocks"))
    ours = [document.source.startswith(folder) for document in documents]
    return "shipped" if all(ours) else "both" if any(ours) else "yours"


def _content(body: str | None) -> bytes:
    if body is None:
        return b""
    if not body.startswith("@"):
        return body.encode()
    try:
        return sys.stdin.buffer.read() if body == "@-" else Path(body[1:]).read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read {body[1:]}: {error.strerror or error}", source="--body") from error


def _asked(service: str, method: str, path: str, content: bytes, kind: str | None) -> Asked:
    from outgate.mock.exchange import Asked
    from outgate.stores.catalog_files import load_catalog

    if not _METHOD.fullmatch(method):
        raise ConfigError(f"'{clean(method)}' is no method, write it as in POST")
    origin, target = _place(service, path, load_catalog(*_settings().services).hosts(service))
    plain, _, query = target.partition("?")
    kind = kind or ("application/json" if content[:1] in {b"{", b"["} else "application/x-www-form-urlencoded")
    return Asked(
        service=service,
        agent="try",
        origin=origin,
        method=method.upper(),
        path=plain,
        query=query,
        headers=(("content-type", kind),) if content else (),
        body=content,
        now=datetime.now(UTC),
    )


def _place(service: str, path: str, known: tuple[str, ...]) -> tuple[str, str]:
    """Where it would go: as it is written, else the first host that the catalog knows of the service."""
    match = re.fullmatch(r"(https?://[^/?#\s]+)(/[^#\s]*)?", path)
    if match is not None:
        return match[1], match[2] or "/"
    if not re.fullmatch(r"/[^#\s]*", path):
        raise ConfigError(f"'{clean(path)}' is no path, write it as in /v1/customers")
    hosts = [host for host in known if "*" not in host and "{" not in host]
    return f"https://{hosts[0] if hosts else f'{service}.example'}", path


def _said(answer: Answer) -> dict[str, Any]:
    from outgate.intake.bodies import Undecodable, strict_json

    value = strict_json(answer.body)
    text = answer.body.decode("utf-8", "replace")
    return {"status": answer.status, "headers": dict(answer.headers), "body": text if isinstance(value, Undecodable) else value}


def _shown(answer: Answer) -> Iterator[str]:
    if not answer.body:
        return
    yield ""
    body = _said(answer)["body"]
    text = body if isinstance(body, str) and "json" not in answer.kind else json.dumps(body, indent=2, ensure_ascii=False)
    yield from (clean(line) for line in text.rstrip("\n").split("\n"))
