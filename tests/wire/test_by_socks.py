"""Agents that come in by SOCKS 5: everything that holds of a tunnel after CONNECT holds of theirs."""

from __future__ import annotations

from wire.ways import OF_A_PROXY_IN_HTTP, WITH_A_SOCKET_OF_ITS_OWN, same

globals().update(same("socks5", but=OF_A_PROXY_IN_HTTP | WITH_A_SOCKET_OF_ITS_OWN))
