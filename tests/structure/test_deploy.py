"""What deploy/ calls is there: commands and their options, files, users, times that fit together."""

from __future__ import annotations

import json
import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from outgate.cli.main import app
from outgate.settings import DRAIN

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
GROUP = typer.main.get_command(app)
UNIT = (DEPLOY / "systemd/outgate.service").read_text()
DOCKERFILE = (DEPLOY / "docker/Dockerfile").read_text()


def unit(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def docker(word: str) -> list[str]:
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.MULTILINE)


def parsed(words: list[str]) -> None:
    """Raises the parser's own error where this can't be typed."""
    command, rest, around, name = GROUP, list(words), None, "outgate"
    while hasattr(command, "resolve_command"):
        around = command.make_context(name, rest, parent=around)
        name, command, rest = command.resolve_command(around, [*around._protected_args, *around.args])
    command.make_context(name, rest, parent=around)


@pytest.mark.parametrize("line", [*unit("ExecStartPre"), *unit("ExecStart")])
def test_the_unit_calls_what_there_is(line):
    program, *words = shlex.split(line)
    assert program == "/usr/local/bin/outgate"
    parsed(words)


def test_the_image_calls_what_there_is():
    (entry,), (command,) = docker("ENTRYPOINT"), docker("CMD")
    assert json.loads(entry) == ["outgate"]
    parsed(json.loads(command))
    (health,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    program, *words = json.loads(health)
    assert program == "outgate"
    parsed(words)


def test_a_unit_stops_after_what_is_under_way_and_not_before():
    (stops,) = unit("TimeoutStopSec")
    assert timedelta(seconds=int(stops)) > DRAIN


def test_a_unit_runs_as_nobody_else_and_reads_what_its_commands_read():
    (user,), (group,) = unit("User"), unit("Group")
    assert re.search(rf"^u {user} ", (DEPLOY / "systemd/outgate.sysusers.conf").read_text(), re.MULTILINE)
    assert user == group != "root"
    environment = dict(one.split("=", 1) for one in unit("Environment"))
    assert environment == {"OUTGATE_STATE": "/var/lib/outgate", "OUTGATE_CONFIG": "/etc/outgate"}
    assert unit("StateDirectory") == ["outgate"]
    assert unit("StateDirectoryMode") == ["0700"]


@pytest.mark.parametrize(
    "line",
    ["NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "PrivateDevices=yes", "Type=notify"],
)
def test_a_unit_keeps_what_it_was_hardened_with(line):
    assert line in UNIT.splitlines()


def test_what_the_image_copies_is_there_and_let_through():
    copied = [words.split()[:-1] for words in docker("COPY") if not words.startswith("--from")]
    names = [name.removeprefix("./") for line in copied for name in line]
    assert [name for name in names if not (ROOT / name).exists()] == []
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in names} <= set(ignored)


def test_the_image_runs_as_nobody():
    assert docker("USER") == ["10001:10001"]


def test_what_never_ran_says_so():
    assert "never built" in DOCKERFILE
    assert "never ran" in UNIT
    assert "never built" in (DEPLOY / "README.md").read_text()
