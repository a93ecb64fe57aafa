"""What the documents say is what the program has: command lines, files, series, policies, settings."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from outgate.cli.main import COMMANDS, app
from outgate.settings import FORM
from outgate.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
DOCUMENTS = [ROOT / name for name in LISTED.split("\0") if name and (ROOT / name).is_file()]
GROUP = typer.main.get_command(app)

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
TYPED = re.compile(r"^\s*(?:- )?(?:run: )?(?:\$ )?(?:(?:uv run|uvx) )?outgate ([a-z-].*)$")
"""What a person, or a step of a workflow, types; the rest of a block is what comes back."""
OUR_OWN = re.compile(r"^[\w.-]+ ended \(")
"""The first words of our summary look like a command line, and are none."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command line in a document, after `outgate`. `whole`: to be typed as it is; else it names a command and its options."""

    document: Path
    text: str
    whole: bool

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}: outgate {self.text}"

    @property
    def words(self) -> list[str]:
        """As a shell would give them: without comments, and up to where another program or a file begins."""
        words = shlex.split(self.text, comments=True)
        ends = [n for n, word in enumerate(words) if word in {">", ">>", "|", "2>", "&&", ";"}]
        return words[: ends[0]] if ends else words

    @property
    def named(self) -> list[str]:
        """The words before the agent's own, without brackets."""
        return re.split(r"[\s\[\]|\\]+", self.text.partition(" -- ")[0])


def command_lines() -> Iterator[Line]:
    for document in DOCUMENTS:
        text = document.read_text()
        blocks = [line for block in FENCED.findall(text) for line in block.splitlines()]
        for line, whole in [(line, True) for line in blocks] + [(line, False) for line in INLINE.findall(FENCED.sub("", text))]:
            if (found := TYPED.search(line)) and not OUR_OWN.search(found[1]):
                yield Line(document, found[1], whole)


LINES = list(dict.fromkeys(command_lines()))


def command_of(words: list[str]):
    """The command that words lead to, what is left for it, and what is around it. Raises the parser's own error."""
    name, command, rest, around = "outgate", GROUP, list(words), None
    while hasattr(command, "resolve_command"):
        around = command.make_context(name, rest, parent=around)
        name, command, rest = command.resolve_command(around, [*around._protected_args, *around.args])
    return name, command, rest, around


def options_of(command) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def test_there_are_command_lines_to_look_at():
    assert {line.document.relative_to(ROOT).as_posix() for line in LINES if line.whole} >= {"README.md", "rules/README.md"}
    assert {line.named[0] for line in LINES} >= {*COMMANDS}


@pytest.mark.parametrize("line", [line for line in LINES if line.whole], ids=str)
def test_a_command_line_in_a_document_can_be_typed(line: Line):
    name, command, rest, around = command_of(line.words)
    assert command.make_context(name, rest, parent=around)


@pytest.mark.parametrize("line", [line for line in LINES if not line.whole], ids=str)
def test_a_command_that_a_document_names_has_the_options_that_it_names(line: Line):
    commands = [GROUP.get_command(None, line.named[0])]
    assert commands[0] is not None, f"there is no command {line.named[0]}"
    commands += getattr(commands[0], "commands", {}).values()
    named = {word for word in line.named if re.fullmatch(r"--?[a-z][a-z-]*", word)}
    assert named <= set().union({"--help"}, *map(options_of, commands))


def test_the_readme_has_every_command():
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"outgate {name}" not in text] == []


def test_every_series_is_in_the_table_and_nothing_else_is():
    text = (ROOT / "proxy/outgate/telemetry/README.md").read_text()
    rows = dict(re.findall(r"^\| `(outgate_\w+)` \|([^|]*)\|", text, re.MULTILINE))
    metrics = Metrics()
    assert set(rows) == {name for name, _ in metrics.series()}
    families = {name: family for name, family in metrics.registry._names_to_collectors.items() if name in rows}
    for name, labels in rows.items():
        wanted = getattr(families[name], "_labelnames", ()) or (("version",) if name == "outgate_build_info" else ())
        assert re.findall(r"`(\w+)`", labels) == [*wanted], name


def test_every_starter_policy_is_named_in_the_readme():
    text = (ROOT / "README.md").read_text()
    assert [path.stem for path in (ROOT / "rules/policies").glob("*.yaml") if f"`{path.stem}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_link_leads_somewhere(document: Path):
    text = FENCED.sub("", document.read_text())
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_of_ours_that_a_document_names_is_there(document: Path):
    named = re.findall(r"`((?:proxy|rules|certs|tests|deploy|\.ci)/[\w./-]+)`", document.read_text())
    never = {"proxy/__init__.py"}  # named because it must not be
    assert [path for path in named if not (ROOT / path).exists() and path not in never] == []


def test_settings_that_documents_show_are_settings():
    shown = {
        key
        for document in DOCUMENTS
        for block in FENCED.findall(document.read_text())
        if "outgate: settings/" in block
        for key in re.findall(r"^([a-z_]+):", block, re.MULTILINE)
    }
    assert shown <= set(FORM.keys)


def test_every_status_that_an_agent_can_read_is_on_the_map():
    said = {
        int(status)
        for file in ("answer/refuse", "answer/grpc", "answer/status", "intake/request", "mitm/told")
        for status in re.findall(r"\b[45]\d\d\b", (ROOT / f"proxy/outgate/{file}.py").read_text())
    } - {443}  # the port
    text = (ROOT / "proxy/README.md").read_text()
    assert {403, 408, 502, 504} <= said
    assert {int(status) for status in re.findall(r"\| ([45]\d\d) ", text)} == said
