"""What a gate has in memory stays there: no core dump, and no other process of its user reads it."""

from __future__ import annotations

import resource
import sys

from outgate.fence.kernel import PR_SET_DUMPABLE, prctl


def keep_to_oneself() -> None:
    """From here on. What this process starts may dump no core either."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 0)
