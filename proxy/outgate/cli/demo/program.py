"""The demo's own use of this very program, as anybody would use it from a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 120


def config_of(folder: Path) -> Path:
    """The settings that the demo wrote."""
    return folder / "config.yaml"


def outgate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this very program, with the demo's state."""
    return subprocess.run(  # noqa: S603  # our own program, words of ours
        command(*words), env=environ(folder), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def command(*words: str) -> list[str]:
    """This very program."""
    return [sys.executable, "-m", "outgate", *words]


def environ(folder: Path) -> dict[str, str]:
    """Where the demo's state is, and a terminal as wide as its tables."""
    return {**os.environ, "OUTGATE_STATE": str(folder / "state"), "NO_COLOR": "1", "COLUMNS": "80"}
