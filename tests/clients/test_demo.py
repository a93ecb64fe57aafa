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


pytestmark = pytest.mark.xdist_group("demo")  # told once


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
    return [line for line in told[start:end] if re.match(r"  (?:GET|POST|DEL) ", line)]


def test_it_fits_a_terminal(told: list[str]):
    assert [line for line in told if len(line) > 80] == []


def test_observed_everything_is_seen_by_its_service(told: list[str]):
    observed = rows(told, after="1. ")
    assert len(observed) == 5
    assert [saw(line) for line in observed] == ["1 request", "25 of 25", "1 request", "2 of 2", "1 request"]


def test_enforced_each_call_gets_another_answer_and_its_service_sees_what_was_let_out(told: list[str]):
    enforced = rows(told, after="2. ")
    answers = [re.search(r" (allow|throttle|escalate|sandbox|block) ", line)[1] for line in enforced]
    assert answers == ["allow", "throttle", "sandbox", "escalate", "block"]
    seen = [saw(line) for line in enforced]
    assert seen[:1] + seen[2:] == ["1 request", "nothing", "1 of 2", "nothing"]
    assert 20 <= int(seen[1].split()[0]) < 25, "what a slow machine takes longer for, a rate lets through"


def test_two_people_sign_with_their_own_keys_and_one_says_no_to_the_next(told: list[str]):
    text = " ".join(" ".join(told).split())
    assert re.search(r"1 of 2 ann SSH key SHA256:\S+ signed (\S+) .* 2 of 2 ben SSH key SHA256:\S+ signed \1 ", text)
    assert 'They said: "Once was enough."' in text


def saw(line: str) -> str:
    return re.split(r" {2,}", line)[-1]


def test_the_log_verifies_until_one_word_of_it_is_changed(told: list[str]):
    verdicts = [line.split()[0] for line in told if re.match(r"  (?:ok|bad) ", line)]
    assert verdicts == ["ok", "bad"]
