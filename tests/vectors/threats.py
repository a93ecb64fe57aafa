"""Writes THREATS.md at the root out of catalogue.yaml and sentences.yaml: `uv run python tests/vectors/threats.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "THREATS.md"
_HEAD = """# What gets past Outgate, and what does not

An agent runs any code it likes behind the gate, sends any bytes, and has time. Below stands everything that we know it may try:
{count} vectors, out of what broke other proxies and sandboxes, and what each of them comes to here. This page is made of the tests by
`tests/vectors/threats.py`, and a test says when it is not up to date. How a vector is run, byte for byte, and what is held
against what the upstream saw: [tests/vectors](tests/vectors/README.md).

| | |
|---|---|
| promised and tested | {tested} |
| promised for the deployment | {deployed} |
| does not arise | {absent} |
| not stopped | {not_stopped} |
"""
_TESTED = """
## Promised and tested

Each is run in `bash tests/run`, with every guard on. *Vectors* are cases in `tests/vectors`; other places are under `tests/`.
"""
_DEPLOYED = """
## Promised for the deployment

A proxy can't stop who goes around it. `outgate run` brings its own fence, and what is promised of that is tested above. For
`outgate serve` these hold where the network and the platform see to them: `deploy/` has what to apply.
"""
_NOT_STOPPED = """
## Not stopped, and why
"""
_ABSENT = """
### What does not arise

There is nothing here that these could be tried on.
"""


def said() -> tuple[dict[str, str], dict[str, str]]:
    """Titles by letter, sentences by id."""
    titles, sentences = yaml.safe_load_all((HERE / "sentences.yaml").read_text())
    return titles, sentences


def ids(catalogue: dict[str, Any]) -> list[str]:
    """Every id of the catalogue, in its order."""
    spans = [(letter, str(span).split("-")) for letter, spans in catalogue["ids"].items() for span in spans]
    return [f"{letter}-{number}" for letter, ends in spans for number in range(int(ends[0]), int(ends[-1]) + 1)]


def page(catalogue: dict[str, Any], here: dict[str, int]) -> str:
    """The whole page. `here` says of each id how many vectors it has."""
    titles, sentences = said()
    every, elsewhere = ids(catalogue), catalogue["elsewhere"]
    tested = [one for one in every if one in here or one in elsewhere]
    not_stopped = {**catalogue["not_stopped"], **(catalogue["not_yet"] or {})}
    parts = [
        _HEAD.format(
            count=len(every),
            tested=len(tested),
            deployed=len(catalogue["deployment"]),
            absent=len(catalogue["not_here"]),
            not_stopped=len(not_stopped),
        ),
        _TESTED,
    ]
    for letter, title in titles.items():
        rows = [one for one in tested if one.startswith(f"{letter}-")]
        if rows:
            parts.append(f"\n### {title}\n\n| | | tried |\n|---|---|---|\n")
            parts += [f"| {one} | {sentences[one]} | {_where(one, here, elsewhere)} |\n" for one in rows]
    parts += [_DEPLOYED, *_reasons(every, catalogue["deployment"], sentences)]
    parts += [_NOT_STOPPED, "\n", *(f"- {one}\n" for one in catalogue["besides"]), *_reasons(every, not_stopped, sentences)]
    parts += [_ABSENT, *_reasons(every, catalogue["not_here"], sentences)]
    return "".join(parts)


def _where(one: str, here: dict[str, int], elsewhere: dict[str, list[str]]) -> str:
    count = here.get(one, 0)
    cases = [f"{count} vector{'s' * (count > 1)}"] if count else []
    files = dict.fromkeys(place.partition("::")[0] for place in elsewhere.get(one, ()))
    return ", ".join([*cases, *(f"[{file.removesuffix('.py')}](tests/{file})" for file in files)])


def _reasons(every: list[str], of: dict[str, str], sentences: dict[str, str]) -> list[str]:
    head = "\n| | | why |\n|---|---|---|\n"
    return [
        head,
        *(f"| {one} | {sentences[one]} | {of[one][0].upper()}{of[one][1:].rstrip('.')}. |\n" for one in every if one in of),
    ]


def made() -> str:
    """The page as it should stand."""
    from collections import Counter

    from vectors import test_steps
    from vectors.rig import cases

    here = Counter(case.id for case in cases())
    for test in vars(test_steps).values():
        here.update(getattr(test, "vectors", ()))
    return page(yaml.safe_load((HERE / "catalogue.yaml").read_text()), here)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    PAGE.write_text(made())
