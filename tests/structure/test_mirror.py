"""tests/unit mirrors the package: where a module is tried is where one looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "proxy" / "outgate"
UNIT = ROOT / "tests" / "unit"

VALUES = {
    *(
        "actions/action.py",
        "actions/languages.py",
        "actions/operation.py",
        "actions/protocols/aws/asked.py",
        "actions/vocabulary.py",
        "approvals/approval.py",
        "answer/reply.py",
        "intake/message.py",
        "intake/pieces.py",
        "intake/request.py",
        "policy/decision.py",
        "policy/effect.py",
        "policy/facts.py",
    ),
    "mock/book.py",
    *("policy/part.py", "policy/rule.py", "ports.py"),
}
"""Types, and next to nothing that they do: proven wherever they are used."""
TOGETHER = {
    "actions/catalog.py": "unit/actions/test_service_file.py",
    "actions/entries.py": "unit/actions/test_service_file.py",
    "actions/guessing.py": "unit/actions/test_identify.py",
    "actions/operation_entries.py": "unit/actions/test_service_file.py",
    "actions/written.py": "unit/actions/test_service_file.py",
    "actions/arguments.py": "unit/actions/test_identify.py",
    "answer/problem.py": "unit/answer/test_render.py",
    "cli/action_lines.py": "unit/cli/test_actions.py",
    "cli/signing.py": "unit/cli/test_approve.py",
    "judging.py": "unit/test_gate.py",
    "policy/load_rule.py": "unit/policy/test_load.py",
    "policy/load_tables.py": "unit/policy/test_load.py",
    "policy/names.py": "unit/policy/test_conditions.py",
}
"""Parts of something that is proven whole."""
WHOLE = {"mitm": "wire", "fence": "fence", "cli/demo": "clients/test_demo.py", "cli/doctor.py": "fence/test_doctor.py"}
"""What can only be proven as a whole program: real sockets, real namespaces."""


def tried(module: str) -> list[Path]:
    """Where a module of the package is tried, by its name."""
    path = Path(module)
    name = f"test_{path.stem}.py"
    folders = (UNIT / path.parent, UNIT / path.parent.parent, UNIT / path.stem)  # a module may be many cases, a folder of them
    return [folder / name for folder in folders if (folder / name).is_file()]


def modules() -> list[str]:
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name not in {"__init__.py", "__main__.py"})
    return sorted(path.as_posix() for path in paths if not any(path.is_relative_to(whole) for whole in WHOLE))


@pytest.mark.parametrize("module", modules())
def test_a_module_has_its_unit_tests(module: str):
    assert tried(module) or module in VALUES or module in TOGETHER


@pytest.mark.parametrize("module", sorted(VALUES | TOGETHER.keys()))
def test_what_is_excused_is_there_and_needs_it(module: str):
    assert (PACKAGE / module).is_file()
    assert not tried(module)


@pytest.mark.parametrize("place", sorted({*TOGETHER.values(), *WHOLE.values()}))
def test_where_it_is_tried_instead_is_there(place: str):
    assert (ROOT / "tests" / place).exists()


def test_what_is_tried_is_a_module():
    places = {place for module in [*modules(), *_of_whole()] for place in tried(module)}
    stray = [path.relative_to(UNIT).as_posix() for path in UNIT.rglob("test_*.py") if path not in places]
    known = {"receipts/test_readme.py", "policy/test_shipped.py", "actions/test_service_files.py"}
    assert set(stray) <= known, "of documents and data, not of modules"


def _of_whole() -> list[str]:
    return [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]
