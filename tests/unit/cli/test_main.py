"""outgate.cli.main"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from outgate.cli import main as cli
from outgate.errors import ConfigError, EvidenceError, Problem, UnavailableError


def outgate(monkeypatch, capsys, *words):
    """What a shell would see: exit code, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["outgate", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    said = capsys.readouterr()
    return left.value.code or 0, said.out, said.err


def test_without_a_command_it_says_what_there_is(monkeypatch, capsys):
    code, out, err = outgate(monkeypatch, capsys)
    assert code in {0, 2}
    for name in cli.COMMANDS:
        assert name in out + err


def test_help_lists_every_command_in_a_few_words(monkeypatch, capsys):
    code, out, _ = outgate(monkeypatch, capsys, "--help")
    assert code == 0
    for name in cli.COMMANDS:
        assert f"\n  {name} " in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_that_is_listed_is_there_and_has_help(monkeypatch, capsys, name):
    code, out, _ = outgate(monkeypatch, capsys, name, "--help")
    assert code == 0
    assert out.startswith(f"Usage: outgate {name}")


def test_no_command_is_in_two_sections():
    assert sum(map(len, cli.SECTIONS.values())) == len(cli.COMMANDS)


def test_help_imports_no_command():
    heavy = ("outgate.app", "outgate.mitm", "mitmproxy", "cryptography", "yaml", "pydantic", "asyncio")
    script = (
        "import sys; sys.argv = ['outgate', '--help']\n"
        "from outgate.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_installed_one(monkeypatch, capsys):
    assert outgate(monkeypatch, capsys, "--version") == (0, f"outgate {version('outgate')}\n", "")


def test_an_unknown_command_is_one_sentence_and_2(monkeypatch, capsys):
    code, _, err = outgate(monkeypatch, capsys, "runn")
    assert code == 2
    assert "No such command 'runn'" in err
    assert "Traceback" not in err


def test_what_was_asked_wrongly_is_2_with_every_problem_on_a_line(monkeypatch, capsys):
    def app():
        raise ConfigError(Problem(source="a.yaml", line=3, column=5, message="one"), Problem(source="b.yaml", message="two"))

    monkeypatch.setattr(cli, "app", app)
    assert outgate(monkeypatch, capsys) == (2, "", "a.yaml:3:5: one\nb.yaml: two\n")


@pytest.mark.parametrize("error", [UnavailableError, EvidenceError])
def test_what_could_not_be_done_is_1_with_one_sentence(monkeypatch, capsys, error):
    def app():
        raise error("the disk is full")

    monkeypatch.setattr(cli, "app", app)
    assert outgate(monkeypatch, capsys) == (1, "", "outgate: the disk is full\n")
