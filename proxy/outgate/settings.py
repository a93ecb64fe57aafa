"""Every setting of a gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where logs, keys and the ledger are kept: OUTGATE_STATE, else the user's state folder."""
    return Path(environ.get("OUTGATE_STATE") or platformdirs.user_state_path("outgate"))
