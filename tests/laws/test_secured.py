"""What is secured is what was said, in its order, before what is done next; and little of it waits."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.tunnel import TunnelState
from OpenSSL import SSL

from outgate.ca.authority import make_authority
from outgate.mitm.tls import _Tls

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = 16 * 1024
MOST = 64 * 1024


@cache
def contexts() -> tuple[SSL.Context, SSL.Context]:
    now = datetime.now(UTC)
    authority = make_authority(now)
    ours, theirs = SSL.Context(SSL.TLS_SERVER_METHOD), SSL.Context(SSL.TLS_CLIENT_METHOD)
    leaf = authority.leaf("api.test", now)
    ours.use_certificate(leaf.certificate)
    ours.use_privatekey(leaf.key)
    return ours, theirs


class Speaker(Layer):
    """A layer that says what it is given, whatever happens, and looks at what waits before it says the next."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.script: list[list[Any]] = []
        self.said = b""
        self.given: list[int] = []
        self.heard = b""

    def handle_event(self, event: events.Event) -> Iterator[commands.Command]:
        self.heard += event.data if isinstance(event, events.DataReceived) else b""
        for command in self.script.pop(0) if self.script else ():
            if isinstance(command, commands.SendData) and command.connection is self.context.client:
                self.said += command.data
            yield command
            self.given.append(len(self.said))


class Pair:
    """Our end with a speaker on it, and the peer's end, after their handshake: real ones, over memory."""

    def __init__(self) -> None:
        ours, theirs = contexts()
        client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0, state=ConnectionState.OPEN)
        context = Context(client, SimpleNamespace())  # type: ignore[arg-type]
        self.client, self.other = client, Server(address=None)
        self.layer = _Tls(context, client)
        self.layer.tls = SSL.Connection(ours, None)
        self.layer.tls.set_accept_state()
        self.peer = SSL.Connection(theirs, None)
        self.peer.set_connect_state()
        self.layer.child_layer = self.speaker = Speaker(context)
        self._agree()
        self.layer.tunnel_state = TunnelState.OPEN
        self.read = b""
        self.records = 0

    def _agree(self) -> None:
        ends = self.peer, self.layer.tls
        for end, other in (ends, ends[::-1], ends, ends[::-1]):
            with suppress(SSL.WantReadError):
                end.do_handshake()
            while data := _drawn(end):
                other.bio_write(data)
        with pytest.raises(SSL.WantReadError):
            self.peer.recv(1)  # what came with the handshake

    def happens(self) -> events.Event:
        """Something of another connection's, on which the speaker says something."""
        return events.DataReceived(self.other, b"!")

    def hears(self, command: commands.SendData) -> None:
        self.records += 1
        self.peer.bio_write(command.data)
        while True:
            try:
                self.read += self.peer.recv(MOST)
            except (SSL.WantReadError, SSL.ZeroReturnError):
                return


def _drawn(end: SSL.Connection) -> bytes:
    try:
        return end.bio_read(MOST)
    except SSL.WantReadError:
        return b""


sizes = st.one_of(st.integers(1, 200), st.integers(RECORD - 3, RECORD + 3), st.integers(1, 3 * RECORD))
done = st.lists(st.one_of(sizes, st.just("other"), st.just("something"), st.just("again")), max_size=12)


def spoken(pair: Pair, what: list[int | str], ending: str) -> list[commands.Command]:
    found: list[commands.Command] = []
    for number, one in enumerate(what):
        match one:
            case int(size):
                found.append(commands.SendData(pair.client, bytes([number % 251]) * size))
            case "other":
                found.append(commands.SendData(pair.other, b"elsewhere"))
            case "something":
                found.append(commands.RequestWakeup(1))
            case "again":
                found.append(commands.RequestWakeup(2))
    if ending == "close":
        found.append(commands.CloseConnection(pair.client))
    return found


@given(done, st.sampled_from(["", "close"]))
def test_all_that_is_said_arrives_in_its_order_before_what_is_done_next(what, ending):
    """Also where what is done next has more said in between, before the speaker has finished."""
    pair = Pair()
    pair.speaker.script = [spoken(pair, what, ending), *([commands.SendData(pair.client, b"between")] for _ in what)]
    elsewhere, closed = 0, 0

    def runs(event: events.Event) -> None:
        nonlocal elsewhere, closed
        for command in pair.layer.handle_event(event):
            match command:
                case commands.SendData(connection=to) if to is pair.client:
                    pair.hears(command)
                case commands.SendData():
                    elsewhere += 1
                case commands.RequestWakeup(delay=delay):
                    assert pair.read == pair.speaker.said, "something is done while what was said before it waits"
                    if delay == 2:
                        runs(pair.happens())
                case commands.CloseConnection():
                    closed += 1
                    assert pair.read == pair.speaker.said, "closed with something unsaid"
                    assert pair.peer.get_shutdown() & SSL.RECEIVED_SHUTDOWN, "the peer can't tell that this was all"

    runs(pair.happens())
    assert pair.read == pair.speaker.said
    assert (elsewhere, closed) == (what.count("other"), ending == "close")


@given(st.lists(sizes, min_size=1, max_size=30))
def test_less_than_a_record_waits_for_the_next_piece(what):
    pair = Pair()
    pair.speaker.script = [spoken(pair, what, "")]
    waits: list[int] = []
    for command in pair.layer.handle_event(pair.happens()):
        assert isinstance(command, commands.SendData)
        waits.append(len(pair.speaker.said) - len(pair.read))
        pair.hears(command)
    largest = max(what)
    assert pair.read == pair.speaker.said
    assert max(waits) < RECORD + largest
    assert pair.records <= sum(what) // RECORD + 1


def test_little_pieces_of_one_turn_are_one_write_and_those_of_two_are_two():
    pair = Pair()
    pair.speaker.script = [spoken(pair, [10] * 50, ""), spoken(pair, [10], "")]
    for command in pair.layer.handle_event(pair.happens()):
        pair.hears(command)
    assert (pair.records, len(pair.read)) == (1, 500)
    for command in pair.layer.handle_event(pair.happens()):
        pair.hears(command)
    assert (pair.records, len(pair.read)) == (2, 510)


def test_what_the_peer_says_and_its_end_are_heard_and_answered_after_its_tcp_connection_is_half_closed():
    pair = Pair()
    pair.peer.send(b"asked")
    for _ in pair.layer.handle_event(events.DataReceived(pair.client, _drawn(pair.peer))):
        pass
    assert pair.speaker.heard == b"asked"
    pair.speaker.script = [[], spoken(pair, [10, 20, 30], "close")]
    for _ in pair.layer.handle_event(events.ConnectionClosed(pair.client)):
        pass
    for command in pair.layer.handle_event(pair.happens()):
        if isinstance(command, commands.SendData):
            pair.hears(command)
    assert len(pair.read) == 60
    assert pair.peer.get_shutdown() & SSL.RECEIVED_SHUTDOWN
