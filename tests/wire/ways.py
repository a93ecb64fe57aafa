"""Which tests run by which way in: all by each, but those that are named here with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from outgate.intake.listening import WayIn

WAYS: Final[tuple[WayIn, ...]] = ("http", "https", "socks5", "transparent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Tests that don't run by these ways: some of a module, or all of it where none is named."""

    why: str
    module: str
    tests: tuple[str, ...] = ()
    ways: tuple[WayIn, ...] = WAYS[1:]


@dataclass(frozen=True, slots=True)
class Way:
    name: WayIn
    slow: bool


_INSIDE: Final[tuple[WayIn, ...]] = ("socks5", "transparent")
"""Ways that know no requests outside of tunnels."""
APART: Final = (
    Apart(module="test_socks", why="this way's own suite: what is said to come in"),
    Apart(module="test_https_listener", why="this way's own suite: its TLS, and who shows what in it"),
    Apart(module="test_transparent", why="this way's own suite: where a connection was going, and what it names"),
    Apart(module="test_reload", why="of what people write down: what comes in is the same before and after"),
    Apart(module="test_switch", why="of how a gate is told: what it does to connections is test_halt's, by every way"),
    Apart(module="test_mitmproxy", why="contracts of the pinned version: no agent is in them"),
    Apart(module="test_flat_memory", why="a client program of its own, which is told of its proxy by a variable"),
    Apart(module="test_many_agents", ways=_INSIDE, why="credentials in HTTP: theirs are in test_socks and test_transparent"),
    Apart(
        module="test_many_agents",
        ways=("https",),
        tests=(
            "test_requests_comes_in_by_the_name_in_its_proxys_url",
            "test_httpx_comes_in_and_two_agents_at_once_are_two",
            "test_curl_comes_in_whether_it_shows_its_token_at_once_or_when_asked",
            "test_pythons_own_client_reads_why_its_tunnel_is_refused",
            "test_who_says_nothing_and_leaves_is_noted",
        ),
        why="real clients that are told of a proxy without TLS (with it: clients/test_ways_in); who says nothing says its TLS",
    ),
    Apart(module="test_httpx", ways=_INSIDE, why="it has SOCKS with a package more, and a client that is turned has no proxy"),
    Apart(
        module="test_changing",
        ways=_INSIDE,
        why="a connection that asked in the clear, and then opens a tunnel",
    ),
    Apart(
        module="test_one_reading",
        tests=("test_what_comes_to_the_gates_own_port_is_held_to_the_same", "test_credentials_for_the_proxy_are_never_passed_on"),
        ways=_INSIDE,
        why="requests outside of any tunnel, and CONNECT in its own bytes",
    ),
    Apart(
        module="test_one_reading",
        tests=(
            "test_a_server_name_other_than_the_tunnels_is_refused_where_the_client_can_read_it",
            "test_a_leaf_has_exactly_one_name",
        ),
        ways=("transparent",),
        why="no tunnel names a host: what TLS names is the host, and it can't be an address",
    ),
    Apart(
        module="test_upstreams",
        tests=("test_an_address_is_pinned_like_a_name", "test_an_ipv6_address_is_pinned_like_a_name"),
        ways=("transparent",),
        why="no tunnel names a host: what TLS names is the host, and it can't be an address",
    ),
    Apart(
        module="test_opaque",
        tests=("test_tls_for_another_host_than_the_tunnels_is_refused_with_a_receipt",),
        ways=("transparent",),
        why="what TLS names is the host: for another host it is another host's",
    ),
    Apart(
        module="test_tunnels",
        tests=("test_tls_in_the_segment_of_the_connect_is_held_to_the_same",),
        ways=_INSIDE,
        why="CONNECT in its own bytes",
    ),
    Apart(
        module="test_tunnels",
        tests=("test_http_without_tls_in_a_tunnel_is_decided", "test_what_is_tried_with_ever_new_names_is_counted_under_one"),
        ways=("transparent",),
        why="nothing names a host before the request does, and each for itself",
    ),
    Apart(
        module="test_time",
        tests=("test_a_tunnel_in_which_nothing_is_said_is_closed",),
        ways=("transparent",),
        why="who says nothing has not come in: test_transparent has them",
    ),
    Apart(
        module="test_tunnels",
        tests=("test_a_client_that_does_not_trust_us_is_noted",),
        why="a socket of its own, over which it says CONNECT",
    ),
    Apart(
        module="test_halt",
        tests=("test_who_reads_slowly_gets_no_more_of_what_was_on_its_way",),
        why="a socket of its own, with little room to receive",
    ),
    Apart(
        module="test_sessions",
        tests=("test_early_data_is_not_taken_and_reaches_nobody", "test_renegotiation_is_refused_and_reaches_nobody"),
        why="a program of its own, which is told of a proxy without TLS",
    ),
    Apart(
        module="test_answers",
        tests=("test_a_client_of_http_1_0_gets_what_it_can_read",),
        ways=_INSIDE,
        why="requests outside of any tunnel",
    ),
)


EVERY_TIME: Final = ("test_fails_closed", "test_malformed", "test_one_reading", "test_opaque", "test_tunnels", "test_websocket")
"""Modules that run by every way each time; the rest of them under `tests/run --all`."""


def ways_of(module: str, test: str) -> tuple[Way, ...]:
    """By which ways a test runs that comes in by any."""
    but = {way for one in APART if one.module == module and test in (one.tests or (test,)) for way in one.ways}
    return tuple(Way(way, slow=way != "http" and module not in EVERY_TIME) for way in WAYS if way not in but)
