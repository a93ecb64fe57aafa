"""Who owns a state folder: what root leaves there, a gate that is not root must be able to use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from outgate.digest import canonical

if TYPE_CHECKING:
    from pathlib import Path


def as_owner(state: Path) -> None:
    """Go on as the one whose state folder it is, where root does something in it; for good.

    And whoever owns the folder could lead root anywhere, with links in it.
    """
    try:
        owner = state.stat()
    except OSError:
        return  # it is made by us, then
    if os.geteuid() == 0 and owner.st_uid != 0:
        canonical({"": ""})  # what is imported late may be root's alone to read
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
