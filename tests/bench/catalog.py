"""How much of what requests do is known, how well, and at what cost: `uv run python tests/bench/catalog.py [--only NAME ...]`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).parent
    sys.path[:1] = [
        str(here.parent),
        str(here.parents[1] / "rules" / "services" / "mined"),
    ]  # not this folder: it has a `catalog` too
    from catalog.tables import main

    main()
