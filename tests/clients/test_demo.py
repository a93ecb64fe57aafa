"""`outgate demo`: what a newcomer types first is true from its first line to its last."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from clients.under_gate import OUTGATE, PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What it prints in a folder and a home of its own, without a terminal."""
    home: Path = tmp_path_factory.mktemp("home")
    (home / "empty").mkdir()
    done = subprocess.run(
        [OUTGATE, "demo"],
        cwd=home / "empty",
        env={"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((home / "empty").iterdir()) == [], "nothing is left behind"
    return done.stdout.splitlines()


def rows(told: list[str], *, after: str) -> list[str]:
    """The table's rows of one part."""
    start = next(n for n, line in enumerate(told) if line.startswith(after))
    end = next((n for n, line in enumerate(told) if n > start and re.match(r"\d\. ", line)), len(told))
    return [line for line in told[start:end] if re.match(r"  (?:GET|POST|DELETE) ", line)]


def test_it_fits_a_terminal(told: list[str]):
    assert [line for line in told if len(line) > 80] == []


def test_observed_everything_is_seen_by_its_service(told: list[str]):
    observed = rows(told, after="1. ")
    assert len(observed) == 6
    assert all(line.endswith("1 request") for line in observed)


def test_enforced_a_service_sees_what_was_allowed_and_nothing_else(told: list[str]):
    enforced = rows(told, after="2. ")
    assert len(enforced) == 6
    for line in enforced:
        assert (" allow " in line) == line.endswith("1 request"), line
        assert (" allow " in line) != line.endswith("nothing"), line
    assert {"escalate", "block", "allow"} <= set(" ".join(enforced).split())


def test_the_log_verifies_until_one_word_of_it_is_changed(told: list[str]):
    verdicts = [line.split()[0] for line in told if re.match(r"  (?:ok|bad) ", line)]
    assert verdicts == ["ok", "bad"]
