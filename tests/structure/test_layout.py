"""The folders are the architecture: what the map promises of them is checked, not remembered."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "proxy" / "outgate"
MODULES = sorted(PACKAGE.rglob("*.py"))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_proxy_is_a_source_root_and_never_a_package():
    assert not (ROOT / "proxy" / "__init__.py").exists(), "another project owns the import name 'proxy'"


def test_the_top_level_is_what_was_asked_for():
    tops = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {"pyproject.toml", "proxy", "rules", "certs", "tests", "deploy", "README.md"} <= tops
    folders = {top for top in tops if (ROOT / top).is_dir() and not top.startswith(".")}
    assert folders == {"proxy", "rules", "certs", "tests", "deploy"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_opens_with_one_sentence(module: Path):
    first = module.read_text().lstrip().splitlines()[0]
    assert first.startswith('"""'), f"{module} has no docstring"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_read_in_one_sitting(module: Path):
    assert len(module.read_text().splitlines()) <= 450, f"{module} is two things: split it"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_mitmproxy_is_imported_in_mitm_alone(module: Path):
    if module.parent.name != "mitm":
        assert not re.search(r"^\s*(?:from|import) mitmproxy", module.read_text(), re.MULTILINE)


def test_no_function_is_left_empty():
    assert [path for path in MODULES if re.search(r"\bNotImplemented(?:Error)?\b", path.read_text())] == []


def test_every_package_is_on_the_map():
    on_the_map = (ROOT / "proxy" / "README.md").read_text()
    packages = [path.parent.name for path in MODULES if path.name == "__init__.py" and path.parent != PACKAGE]
    missing = [name for name in packages if not re.search(rf"\b{name}/", on_the_map)]
    assert not missing, f"proxy/README.md does not say what {missing} are for"
    singles = [path.name for path in PACKAGE.glob("*.py") if path.name not in {"__init__.py", "__main__.py"}]
    assert [name for name in singles if name not in on_the_map] == []
