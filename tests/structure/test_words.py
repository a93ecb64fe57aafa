"""What is kept here is about Outgate alone: no word of the place where it was made, and nothing that only that place has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
FILES = [ROOT / name for name in LISTED.split("\0") if name and (ROOT / name).is_file()]


def _words(text: str) -> list[str]:
    """Each is written with a dot in it, so that this file may be looked through as well."""
    return [word.strip().replace("·", "") for word in text.split(",")]


PLACES = _words("/wo·rk/, /ro·ot/, /ho·me/user/, C:·\\Users\\, /opt/wh·eels, /opt/py·pi, .lib·rary/")
PAPERS = _words("CON·TRACT.md, DES·IGN.md, DES·IGN section, STY·LE.md, rese·arch/, la·b/, trans·cripts.txt")
PEOPLE = _words("sub·agent, co-·authored-by, genera·ted with, genera·ted by an, fir·st wave, as an a·i, this ses·sion")
LATER = _words("TO·DO, FIX·ME, XX·X:, HA·CK:, W·IP:")
LICENCES = {"LICENSE"}
MADE = {"uv.lock", "rules/services/mined/SOURCES.json"}


def texts(*, without: set[str] = frozenset()) -> list[tuple[str, str]]:
    """Every tracked text with its name."""
    found = []
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        content = path.read_bytes()
        if name not in without and b"\0" not in content:
            found.append((name, content.decode()))
    return found


def said(word: str) -> re.Pattern[str]:
    """The word, not as the end of a longer one."""
    return re.compile(rf"(?<![\w.-]){re.escape(word)}" if word[0].isalpha() else re.escape(word), re.IGNORECASE)


@pytest.mark.parametrize("word", [*PLACES, *PAPERS, *PEOPLE])
def test_no_word_of_where_it_was_made(word: str):
    assert [name for name, text in texts(without=LICENCES | MADE) if said(word).search(text)] == []


@pytest.mark.parametrize("word", [*PLACES, *PAPERS, *PEOPLE])
def test_no_message_of_a_commit_has_one_either(word: str):
    log = subprocess.run(["git", "log", "--format=%h %B%x00"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert [message for message in log.split("\0") if said(word).search(message)] == []


@pytest.mark.parametrize("word", LATER)
def test_nothing_is_left_for_later(word: str):
    assert [name for name, text in texts(without=LICENCES | MADE) if re.search(rf"\b{word}", text)] == []


def test_what_is_locked_comes_from_the_public_index():
    lock = (ROOT / "uv.lock").read_text()
    hosts = set(re.findall(r"\b[a-z]+://([^/\"\s]+)", lock))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
    assert re.findall(r"source = \{ (?:path|directory|url|git)\b", lock) == []


def test_no_key_and_no_token_is_kept():
    private = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]{40}")
    assert [name for name, text in texts() if private.search(text)] == []


def test_lines_end_as_lines_do():
    assert [name for name, text in texts() if "\r\n" in text] == []
    assert [name for name, text in texts() if text and not text.endswith("\n")] == []
