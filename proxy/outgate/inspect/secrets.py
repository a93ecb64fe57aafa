"""Credentials in what goes out, outside the slot that their service declares for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Request


def classes_of(request: Request, catalog: Catalog) -> frozenset[str]:  # noqa: ARG001
    """Give the classes of data that go out with a request: `secret`, `unreadable`."""
    return frozenset()
