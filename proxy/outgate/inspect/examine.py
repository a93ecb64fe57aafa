"""Examine: what a request does, and which classes of data are in it, told from the request alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from outgate.actions.identify import identify
from outgate.inspect.secrets import classes_of

if TYPE_CHECKING:
    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.intake.request import Request


def examine(request: Request, catalog: Catalog, *, data: bool) -> tuple[Action, ...]:
    """Give every action, at least one; with the `data` in it where that is asked for."""
    actions = identify(request, catalog)
    found = classes_of(request, catalog) if data else frozenset[str]()
    return tuple(replace(action, data=action.data | found) for action in actions) if found else actions
