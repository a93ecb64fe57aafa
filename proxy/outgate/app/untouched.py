"""What people wrote, where the agent could have written it: a fence keeps what was there when it was made, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from outgate.app.installation import links_on
from outgate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RESTART = "the agent that runs could have written this, so it counts from the next start on"


def check_untouched(files: Iterable[Path], kept: Iterable[Path]) -> None:
    """Raise ConfigError unless each of these names can only mean what it meant when the fence was made.

    `kept` are the files and folders that the agent can't write. A name in none of them may be the agent's, also where nothing
    is there now: it may have been a moment ago. So may one that goes through a link which can be replaced.
    """
    places = [path.resolve() for path in kept]
    wrong = [path for path in dict.fromkeys(files) if not _is_kept(path, places)]
    if wrong:
        raise ConfigError(*(Problem(source=str(path), message=RESTART) for path in wrong))


def _is_kept(path: Path, places: Iterable[Path]) -> bool:
    if any(os.access(link.parent, os.W_OK) for link in links_on(path)):
        return False
    whole = path.resolve()
    return any(whole == place or place in whole.parents for place in places)
