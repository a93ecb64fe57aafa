"""What mitmproxy offers beside passing traffic on is not there: no commands, no pages of its own, no option that lets bytes by."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from mitmproxy.options import Options
from wire.gateway import Clock

from outgate.mitm.wire import Wire

THERE = {
    "add_upstream_certs_to_client_chain": False,
    "body_size_limit": None,
    "connection_strategy": "lazy",
    "http2": True,
    "http2_ping_keepalive": 0,
    "http3": False,
    "http_connect_send_host_header": True,
    "keep_host_header": False,
    "normalize_outbound_headers": True,
    "proxy_debug": False,
    "rawtcp": False,
    "ssl_insecure": False,
    "store_streamed_bodies": False,
    "stream_large_bodies": None,
    "tcp_timeout": 0,
    "upstream_cert": False,
    "validate_inbound_headers": True,
    "websocket": True,
}
"""All of mitmproxy's options that its layers can see. What asks for another raises, which aborts the connection."""


def wire() -> Wire:
    return Wire(link=None, addon=None, limits=None, backlog=lambda _connection: 0)


def test_no_option_of_the_engine_lets_bytes_by():
    there = {option: getattr(wire(), option) for option in _options() if hasattr(wire(), option)}
    assert there == {option: value for option, value in THERE.items() if option in _options()}
    assert not {"ignore_hosts", "allow_hosts", "tcp_hosts", "udp_hosts"} & there.keys()


def _options() -> set[str]:
    """Of mitmproxy with all that it loads by itself: most options are their addons'."""
    from mitmproxy import addons, master  # it takes a second

    async def all_of_them() -> set[str]:
        whole = master.Master(Options())
        whole.addons.add(*addons.default_addons())
        return set(whole.options.keys())

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("name", ["ignore_hosts", "ssl_insecure", "rawtcp", "stream_large_bodies"])
def test_no_option_can_be_set(name):
    with pytest.raises((AttributeError, TypeError)):
        setattr(wire(), name, True)


@pytest.mark.parametrize("host", ["mitm.it", "mitmproxy.org", "control.mitm"])
@pytest.mark.parametrize("path", ["/", "/cert/pem", "/mitmproxy-0.crl", "/commands", "/flows"])
async def test_the_engine_has_no_page_of_its_own_and_takes_no_command(gateway, host, path):
    upstream = await gateway.upstream(host, tls=False)
    async with await gateway.plain() as client:
        await client.request("GET", f"http://{host}{path}", host)
        assert (await client.answer()).body == b"ok"
    assert [seen.target for seen in upstream.seen] == [path]
    assert len(gateway.decisions()) == 1


async def test_whatever_digest_a_request_says_the_receipts_is_of_the_bytes_that_were_sent(gateway):
    upstream = await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        wrong = "sha-256=:" + "A" * 43 + "=:"
        await client.request(
            "POST", "http://api.test/a", "api.test", b"these", Digest=wrong, Content_MD5="AAAA", Content_Digest=wrong
        )
        assert (await client.answer()).status == 200
    await gateway.stop()
    (outcome,) = gateway.outcomes()
    assert outcome["body"] == "sha256:" + hashlib.sha256(b"these").hexdigest()
    assert bytes(upstream.seen[0].body) == b"these"


async def test_a_clock_that_steps_back_changes_no_order_of_the_record(gateway, monkeypatch):
    await gateway.upstream(tls=False)
    async with await gateway.plain() as client:
        for back in (0, 1, 2):
            now = datetime.now(UTC) - timedelta(days=back)
            monkeypatch.setattr(Clock, "now", lambda _self, now=now: now)
            await client.request("GET", f"http://api.test/{back}", "api.test")
            assert (await client.answer()).status == 200
    await gateway.stop()
    receipts = gateway.receipts
    assert [receipt["seq"] for receipt in receipts] == list(range(len(receipts)))
    times = [receipt["at"] for receipt in receipts if receipt["type"] == "decision"]
    assert times == sorted(times, reverse=True)
    assert len(times) == 3


@pytest.mark.parametrize(
    "name", ["../../x", "..%2f..%2fx", "%2e%2e", "a%00b", "x" * 4000, "'; drop table", "\u202e".encode().decode("latin-1"), ""]
)
async def test_an_approval_of_an_odd_name_is_none(gateway, name):
    async with await gateway.plain() as client:
        await client.request("GET", f"http://outgate.internal/approvals/{name}", "outgate.internal")
        answer = await client.answer()
        assert answer.status in {400, 404, 414}
        assert "approval" not in json.loads(answer.body).get("state", "")
    await asyncio.sleep(0)
