"""The same tests, whichever way an agent came in: what holds of a tunnel after CONNECT holds of every other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from wire import test_halt, test_one_reading, test_streaming, test_tunnels, test_websocket
from wire.gateway import Gateway

if TYPE_CHECKING:
    from outgate.intake.listening import WayIn

_SUITES = (test_one_reading, test_tunnels, test_websocket, test_halt)
_STREAMS = (
    test_streaming.test_server_sent_events_pass_one_by_one,
    test_streaming.test_a_large_download_passes_in_little_memory,
    test_streaming.test_a_client_that_does_not_read_holds_up_its_upstream_and_fills_no_memory,
    test_streaming.test_an_upload_passes_while_it_comes,
    test_streaming.test_a_slow_upstream_holds_up_its_client_and_fills_no_memory,
    test_streaming.test_what_a_client_sends_ahead_of_a_decision_is_bounded,
)
WITH_A_SOCKET_OF_ITS_OWN = frozenset(
    {
        "test_a_client_that_does_not_trust_us_is_noted",
        "test_who_reads_slowly_gets_no_more_of_what_was_on_its_way",
        "test_no_message_is_kept",
        "test_a_download_is_cut_with_what_was_still_to_be_written",
        "test_a_websocket_whose_client_does_not_read_is_cut_too",
    }
)
"""These come in by a way of their own, or look at the layers themselves."""
OF_A_PROXY_IN_HTTP = frozenset(
    {
        "test_what_comes_to_the_gates_own_port_is_held_to_the_same",
        "test_credentials_for_the_proxy_are_never_passed_on",
        "test_tls_in_the_segment_of_the_connect_is_held_to_the_same",
        "test_server_sent_events_pass_one_by_one",
        "test_a_slow_upstream_holds_up_its_client_and_fills_no_memory",
    }
)
"""Requests outside of any tunnel, and CONNECT in its own bytes."""


def same(way: WayIn, *, but: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Everything that a test module needs, to try all of it on gates whose listener is of that kind."""

    @pytest.fixture
    async def make(tmp_path):
        made = []

        async def one(**said):
            folder = tmp_path / f"gate-{len(made)}"
            folder.mkdir()
            gateway = Gateway(folder, way=way, **said)
            made.append(gateway)
            return await gateway.start()

        yield one
        for gateway in made:
            await gateway.stop()
        for gateway in made:
            gateway.check()

    @pytest.fixture
    async def gateway(make):
        return await make()

    fixtures: dict[str, Any] = {}
    tests: dict[str, Any] = {}
    tests |= {test.__name__: test for test in _STREAMS if test.__name__ not in but}
    for module in _SUITES:
        found = {name: value for name, value in vars(module).items() if not name.startswith("_")}
        tests |= {
            name: value for name, value in found.items() if name.startswith("test_") and callable(value) and name not in but
        }
        fixtures |= {name: value for name, value in found.items() if type(value).__name__ == "FixtureFunctionDefinition"}
    assert len(tests) > 40
    return {**fixtures, **tests, "make": make, "gateway": gateway}
