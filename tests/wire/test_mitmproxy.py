"""What we lean on in mitmproxy, tried again with every version: a change there fails here first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import mitmproxy
import pytest
from mitmproxy.net import tls as net_tls
from mitmproxy.proxy.layers import tcp

from outgate.errors import ConfigError
from outgate.mitm.enforce import BreachError
from outgate.mitm.handler import Handler
from outgate.mitm.link import KIB, Limits
from outgate.mitm.wire import Wire

PROXY = Path(mitmproxy.__file__).parent / "proxy"
USED = (
    *("server.py", "layer.py", "tunnel.py", "context.py", "layers/tls.py", "layers/websocket.py"),
    *(f"layers/http/{name}.py" for name in ("__init__", "_base", "_events", "_http1", "_http2", "_http_h2", "_upstream_proxy")),
)


def test_it_is_the_version_that_was_read():
    assert version("mitmproxy") == "12.2.3"


def test_every_option_that_its_layers_read_is_one_of_ours():
    read = {name for file in USED for name in re.findall(r"\boptions\.(\w+)", (PROXY / file).read_text())}
    read -= {"Options", "add_option"}
    assert len(read) > 10
    assert {name for name in read if not hasattr(Wire, name)} == set()


def test_no_option_lets_traffic_by_us():
    assert (Wire.connection_strategy, Wire.rawtcp, Wire.ssl_insecure, Wire.http3) == ("lazy", False, False, False)
    assert (Wire.stream_large_bodies, Wire.body_size_limit, Wire.store_streamed_bodies) == (None, None, False)
    assert Wire.validate_inbound_headers is True
    for dangerous in ("ignore_hosts", "allow_hosts", "tcp_hosts", "mode", "scripts", "server_replay", "map_remote"):
        assert not hasattr(Wire, dangerous)


async def test_a_layer_that_asks_for_another_option_aborts(make, monkeypatch):
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream(alpn=("h2",))
    monkeypatch.delattr(Wire, "http2_ping_keepalive")
    async with await gateway.h2() as client:
        await client.request("GET", "/a", "api.test")
        await client.until(lambda: client.gone)
    assert upstream.seen == []
    assert [type(error) for error, _ in gateway.alarm.told] == [AttributeError]


async def test_a_layer_of_mitmproxys_own_aborts(make, monkeypatch):
    """Raw TCP, DNS and the like announce themselves with hooks of their own: there is nobody for them here."""
    gateway = await make(expects_alarms=True)
    upstream = await gateway.upstream(tls=False)
    monkeypatch.setattr("outgate.mitm.tunnel.Http", lambda context, _mode: tcp.TCPLayer(context))
    async with await gateway.plain() as client:
        await client.tunnel("api.test", 80)
        await client.request("GET", "/a", "api.test")
        assert await client.rest() == b""
    assert upstream.accepted == 0
    assert any(isinstance(error, BreachError) for error, _ in gateway.alarm.told)


async def test_no_hook_is_dispatched_as_mitmproxy_would(gateway):
    with pytest.raises(BreachError):
        await Handler.handle_hook(None, type("SomeHook", (), {"name": "request"})())


def python(code: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_tls_secrets_are_written_nowhere(tmp_path):
    code = "import outgate.mitm.engine; from mitmproxy.net import tls; print(tls.log_master_secret)"
    assert python(code, SSLKEYLOGFILE=str(tmp_path / "keys"), MITMPROXY_SSLKEYLOGFILE=str(tmp_path / "keys")) == "None"
    assert not (tmp_path / "keys").exists()


async def test_the_engine_does_not_start_where_tls_secrets_would_be_written(gateway, monkeypatch):
    monkeypatch.setattr(net_tls, "log_master_secret", object())
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE"):
        await gateway.engine.start()


def test_none_of_its_addons_is_even_loaded():
    code = "import outgate.mitm.engine, sys; print([m for m in sys.modules if m.startswith(('mitmproxy.addons', 'mitmproxy.master', 'flask', 'ldap3'))])"
    assert python(code) == "[]"


def test_limits_that_can_not_work_are_refused():
    with pytest.raises(ValueError, match="unsent"):
        Limits(unsent=KIB)
