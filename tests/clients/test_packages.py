"""pip and npm against look-alike indexes: they install what is allowed and say why the rest is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.under_gate import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "This package is not on our list. Ask platform@acme.example."
PIP = (PYTHON, "-m", "pip", "install", "--target", "site", "acme-tiny")
NPM = ("npm", "install", "acme-tiny")


def refuse(host: str) -> str:
    return f'{{id: unlisted, match: {{host: {host}}}, effect: block, tell: "{TELL}"}}'


def test_pip_installs(gate: Gate, work: Path):
    ran = gate.run(*PIP)
    assert ran.code == 0, ran.stderr
    assert (work / "site" / "acme_tiny.py").read_text() == 'VERSION = "1.0.0"\n'


def test_npm_installs(gate: Gate, work: Path):
    ran = gate.run(*NPM)
    assert ran.code == 0, ran.stderr
    assert (work / "node_modules" / "acme-tiny" / "index.js").exists()


def test_pip_says_why_a_file_is_refused_and_asks_once(gate: Gate, services: LookAlikes, work: Path):
    ran = gate.run(*PIP, options=("--policy", gate.policy(refuse("files.pythonhosted.org"))))
    assert ran.code == 1
    assert TELL in ran.own, ran.stderr
    assert not (work / "site").exists()
    assert [one.answer for one in gate.decisions() if "pythonhosted" in one.line] == ["block"]
    assert services.lines("files.pythonhosted.org") == []


def test_pip_says_why_an_index_page_is_refused_when_asked_for_details(gate: Gate, services: LookAlikes):
    """Without `-v` pip prints nothing of any index page that it can't get; our own summary does."""
    ran = gate.run(*PIP, "-vv", options=("--policy", gate.policy(refuse("pypi.org"))))
    assert ran.code == 1
    assert TELL in ran.stdout, ran.stderr
    assert "pypi.project  acme-tiny" in ran.summary
    assert [one.line for one in gate.decisions() if "/acme-tiny/" in one.line] == ["GET pypi.org/simple/acme-tiny/"]
    assert services.connections == 0


def test_npm_says_why_a_package_is_refused_and_asks_once(gate: Gate, services: LookAlikes):
    ran = gate.run(*NPM, options=("--policy", gate.policy(refuse("registry.npmjs.org"))))
    assert ran.code == 1
    assert TELL in ran.own, ran.stderr
    asked = [one.line for one in gate.decisions() if not one.line.endswith("/npm")]  # where it looks for a newer npm
    assert asked == ["GET registry.npmjs.org/acme-tiny"]
    assert services.connections == 0
