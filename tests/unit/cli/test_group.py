"""outgate.cli.group"""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from outgate.cli import agent, approvals, ca, mock, people, policy
from outgate.cli.group import Commands

LONG = "Say something about a thing, and about another thing, and what becomes of it, and of what came before"


def test_a_command_is_listed_by_its_whole_first_sentence():
    app = typer.Typer(cls=Commands, rich_markup_mode=None, add_completion=False)
    app.command("one", help=f"{LONG}. Not this one.")(lambda: None)
    app.command("two", help="Short.")(lambda: None)
    shown = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).output.split())
    assert LONG in shown
    assert "Not this one" not in shown


@pytest.mark.parametrize("module", [agent, approvals, ca, mock, people, policy])
def test_no_group_of_ours_cuts_what_its_commands_do(module):
    shown = CliRunner().invoke(module.app, ["--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert "..." not in shown.output.partition("Commands:")[2]
    assert max(map(len, shown.output.splitlines())) <= 80
