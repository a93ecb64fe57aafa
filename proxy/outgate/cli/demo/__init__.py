"""`outgate demo`: the main job on loopback, in two readable minutes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def demo(*, step: Annotated[bool, typer.Option("--step", help="Wait for Enter between the parts.")] = False) -> None:
    """Run an unmodified script against look-alike services: observed, then enforced, then proven."""
    from outgate.cli.demo.show import Demo

    def pause() -> None:
        if step and sys.stdin.isatty():
            input("\n  (Enter goes on) ")

    Demo(say=lambda line: print(line, flush=True), pause=pause).tell()  # noqa: T201  # this command's output
