"""Agents that come in by TLS: everything that holds of a tunnel holds in here."""

from __future__ import annotations

from wire.ways import WITH_A_SOCKET_OF_ITS_OWN, same

globals().update(same("https", but=WITH_A_SOCKET_OF_ITS_OWN))
