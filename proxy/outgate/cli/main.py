"""`outgate`: finds the command and imports that one alone."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from outgate.errors import ConfigError, EvidenceError, UnavailableError

SECTIONS = {
    "Begin": {
        "demo": "See it at work: half a minute on loopback.",
        "run": "Run a command with its requests mapped, decided and recorded.",
        "doctor": "Try to get around the gate, and see which programs here go through it.",
    },
    "Policies": {
        "explain": "Say what a request is, and what the policy would answer.",
        "actions": "See what is known of services; add what an OpenAPI document says of yours.",
        "policy": "Check, test, suggest and replay policies.",
        "mock": "See, check and try what answers in the sandbox; record answers for it.",
    },
    "See, and step in": {
        "status": "Show what runs, who is halted, what waits for people, what is over its limit.",
        "log": "Read the decisions, newest last; -f follows.",
        "approvals": "See what waits for people; watch it come.",
        "approve": "Sign with your SSH key that a paused request may pass, once.",
        "deny": "Sign that it must not.",
        "halt": "Stop an agent, a team, a service or everything, now; restarts keep it.",
        "resume": "Lift a halt.",
        "verify": "Check a log: chain, signatures, completeness.",
    },
    "Many agents": {
        "serve": "Serve many agents, each with a name and a token.",
        "agent": "Write agents down, revoke them, trust them.",
        "people": "Say who may approve, and with which keys.",
        "ca": "Show, export and rotate the CA of a gate that serves.",
    },
}
"""As `--help` shows them. `outgate.cli.<name>` has `app`, a `typer.Typer`."""
COMMANDS = {name: said for section in SECTIONS.values() for name, said in section.items()}
"""Name to one line of help."""


class LazyGroup(TyperGroup):
    """Lists every command, imports the one that is run. `Any` where the base class names private types."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"outgate.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name, command.short_help = cmd_name, COMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        widest = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), said) for name, said in commands.items()])


app = typer.Typer(
    cls=LazyGroup, add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)


@app.callback(invoke_without_command=True)
def _root(*, version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """Stand on an AI agent's only way out: map, decide, prove."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"outgate {installed('outgate')}")
        raise typer.Exit


def main() -> None:
    """Run, and turn what went wrong into a sentence and an exit code: 2 for what was asked, 1 for what could not be done."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    except (UnavailableError, EvidenceError) as error:
        print(f"outgate: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
