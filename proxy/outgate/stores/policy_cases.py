"""Cases that come with an operator's policy: `finance.cases.yaml` beside `finance.yaml`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from outgate.errors import ConfigError, Problem
from outgate.policy.cases import read_cases, run
from outgate.stores.policy_files import load_policies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from outgate.actions.catalog import Catalog

SUFFIX = ".cases.yaml"


def cases_beside(policies: Iterable[str]) -> tuple[Path, ...]:
    """Where the cases of these policies are, or would be; a starter policy's name is no file, and its cases are ours."""
    files = (Path(name) for name in policies)
    return tuple(path.with_name(path.stem + SUFFIX) for path in files if path.is_file())


def try_cases_beside(policies: Iterable[str], catalog: Catalog) -> tuple[Problem, ...]:
    """Try each policy's own cases on it alone. Gives what does not come out as it says."""
    return tuple(problem for name in policies for path in cases_beside([name]) for problem in _tried(name, path, catalog))


def _tried(policy: str, cases: Path, catalog: Catalog) -> Iterator[Problem]:
    try:
        text = cases.read_text(encoding="utf-8")
        suite = read_cases(text, str(cases))
        for tried in run(suite.cases, load_policies([policy], catalog), catalog):
            for wrong in tried.wrong:
                yield replace(tried.case.place, message=f"case '{tried.case.name}': {wrong}")
    except FileNotFoundError:
        return
    except ConfigError as error:
        yield from error.problems
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(source=str(cases), message=f"can't be read: {error}")
