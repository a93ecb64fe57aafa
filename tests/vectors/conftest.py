"""Gates as the wire tests make them, each stopped and checked at the end."""

from wire.conftest import gateway, make

__all__ = ["gateway", "make"]
