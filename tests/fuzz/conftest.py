"""Gates as the wire tests make them, each stopped and checked at the end."""

from wire.conftest import make

__all__ = ["make"]
