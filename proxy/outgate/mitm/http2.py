"""HTTP/2, both sides: heads left to the reading, and window given only for what has gone on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import h2.connection
import h2.events
import h2.exceptions
from h2.config import H2Configuration
from h2.errors import ErrorCodes
from h2.utilities import HeaderValidationFlags, validate_headers
from mitmproxy import http
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestHeaders,
    RequestProtocolError,
    ResponseEndOfMessage,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http2 import Http2Client, Http2Connection, Http2Server, StreamState, split_pseudo_headers
from mitmproxy.proxy.layers.http._http_h2 import BufferedH2Connection

from outgate.intake.request import Unreadable
from outgate.mitm.link import MIB
from outgate.mitm.shares import Bucket
from outgate.mitm.translate import declared_length, received
from outgate.mitm.wire import BadBody, LateHead, RefusedHead, Unanswered, Upstream, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperframe.frame import GoAwayFrame
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

_STREAM_WINDOW: Final = 2 * MIB
_CONNECTION_WINDOW: Final = 16 * MIB
MOST_RESET: Final = 200
"""Streams that an agent may have reset beyond those that it let end: opening and resetting costs it nothing, and us much."""
MOST_CHATTER: Final = 4000
"""Frames that ask for nothing (PING, SETTINGS, PRIORITY, windows that nobody waits for) that an agent may send at once."""
_CHATTER_A_SECOND: Final = 100.0
_FRAMES_A_PIECE: Final = 4
"""Windows that one piece of an answer may have opened: its stream's and its connection's, and as many again."""
_CHATTER: Final = (
    h2.events.PingReceived,
    h2.events.PingAckReceived,
    h2.events.RemoteSettingsChanged,
    h2.events.SettingsAcknowledged,
    h2.events.PriorityUpdated,
    h2.events.UnknownFrameReceived,
)
_FRAMES_A_TURN: Final = 64
_FRAME_HEAD: Final = 9
_HEADS: Final = frozenset({b"\x01", b"\x09"})
"""HEADERS and CONTINUATION (RFC 9113, sections 6.2 and 6.10)."""
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_WENT: Final = "the upstream took no more requests on this connection"
_ODD: Final = Unreadable(status=400, why="The request has a pseudo-header that is not for requests.")


_BROKEN: Final = Unreadable(status=400, why="The request's headers break the rules of HTTP/2.")
_BAD_BODY: Final = Unreadable(
    status=400, why="The request's body is not as long as its head says, or its trailers break the rules."
)


def _breaks_rules(headers: Any, *, trailers: bool = False) -> bool:
    """Whether a head is one that HTTP/2 forbids (RFC 9113, sections 8.2 and 8.3): h2's own rules."""
    flags = HeaderValidationFlags(is_client=False, is_trailer=trailers, is_response_header=False, is_push_promise=False)
    try:
        for _ in validate_headers(headers, flags):
            pass
    except h2.exceptions.ProtocolError:
        return True
    return False


def _nobody_counts(*_: Any, **__: Any) -> None:
    """Take a body as it comes: its length is compared where that can be answered."""


class Settle(events.Event):
    """Give back the window of each stream for which `may` says that what it brought has gone on."""

    def __init__(self, may: Callable[[int], bool]) -> None:
        self.may = may


class Windowed(BufferedH2Connection):
    """mitmproxy's has windows of 2 GiB and refills them at once: one peer that does not read fills our memory.

    `most` is what one head may take before it is whole. `chatter` counts frames that ask for nothing.
    """

    def __init__(self, config: H2Configuration, most: int) -> None:
        super().__init__(config)
        self._most = most
        self.chatter = 0
        self.local_settings.initial_window_size = _STREAM_WINDOW
        self.local_settings.acknowledge()
        self.owed: dict[int, int] = {}

    def initiate_connection(self) -> None:
        h2.connection.H2Connection.initiate_connection(self)
        self.increment_flow_control_window(_CONNECTION_WINDOW - self.inbound_flow_control_window)

    def receive_data(self, data: bytes) -> list[Any]:
        """Take what came. h2 keeps a frame until it is whole, and only then says that it is too large: up to 16 MiB of it."""
        found: list[Any] = super().receive_data(data)
        if len(self.incoming_buffer._data) > self.max_inbound_frame_size + _FRAME_HEAD:  # noqa: SLF001  # nothing public tells
            raise h2.exceptions.FrameTooLargeError("a frame is larger than was agreed")
        if sum(len(frame.data) for frame in self.incoming_buffer._headers_buffer) > self._most:  # noqa: SLF001
            raise h2.exceptions.DenialOfServiceError("a head is too large")
        return found

    def send_data(self, stream_id: int, data: bytes, end_stream: bool = False, pad_length: None = None) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002  # as mitmproxy has it
        """Send. What goes out is answered by windows that open: those are no chatter."""
        self.chatter = max(-MOST_CHATTER, self.chatter - _FRAMES_A_PIECE)
        super().send_data(stream_id, data, end_stream, pad_length)

    def _receive_window_update_frame(self, frame: Any) -> Any:
        self.chatter += 1
        return super()._receive_window_update_frame(frame)

    def length_of(self, frames: int, more: bytes) -> int:
        """Give how much of what comes next makes so many frames: all of it, where it makes no more."""
        if len(more) < frames * _FRAME_HEAD:
            return len(more)
        buffer = self.incoming_buffer
        begun = bytes(buffer._data)  # noqa: SLF001  # nothing public tells
        data, at = begun + more, buffer._preamble_len  # noqa: SLF001
        for _ in range(frames):
            if at >= len(data):
                break
            at += _FRAME_HEAD + int.from_bytes(data[at : at + 3])
        return min(len(more), at - len(begun))

    @property
    def head(self) -> int:
        """The stream of which a head came in part; 0 where none did. Nothing public tells."""
        buffer = self.incoming_buffer
        if buffer._headers_buffer:  # noqa: SLF001
            return int(buffer._headers_buffer[0].stream_id)  # noqa: SLF001
        begun = bytes(buffer._data[:_FRAME_HEAD])  # noqa: SLF001
        return int.from_bytes(begun[5:9]) or 1 if begun[3:4] in _HEADS else int(0 < len(begun) < 4)

    def acknowledge_received_data(self, acknowledged_size: int, stream_id: int) -> None:
        """Owe it."""
        self.owed[stream_id] = self.owed.get(stream_id, 0) + acknowledged_size

    def settle(self, may: Callable[[int], bool]) -> None:
        """Give back what may be."""
        for stream_id in [stream_id for stream_id in self.owed if may(stream_id)]:
            super().acknowledge_received_data(self.owed.pop(stream_id), stream_id)

    def unsent(self, stream_id: int) -> int:
        """How much waits for the peer's window."""
        return sum(len(chunk.data) for chunk in self.stream_buffers.get(stream_id, ()))


@dataclass(kw_only=True)
class Leaving(h2.events.Event):
    """A peer takes no new streams, and ends those up to the last that it names."""

    last_stream_id: int


class Inbound(Windowed):
    """From an agent. What is wrong with one request is said of that one: h2 would end everything, and nobody learn of what."""

    def _begin_new_stream(self, stream_id: int, allowed_ids: Any) -> Any:
        stream = super()._begin_new_stream(stream_id, allowed_ids)
        stream._initialize_content_length = _nobody_counts  # type: ignore[method-assign]  # noqa: SLF001  # we do
        stream._track_content_length = _nobody_counts  # type: ignore[method-assign]  # noqa: SLF001
        return stream


class Outbound(Windowed):
    """To an upstream. Where it goes away in peace (RFC 9113, section 6.8), what it took goes on: h2 would end everything."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Any], list[h2.events.Event]]:
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        return [], [Leaving(last_stream_id=frame.last_stream_id)]


class _Settling(Http2Connection):
    h2_conn: Windowed

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if not isinstance(event, Settle):
            yield from super()._handle_event(event)
            return
        self.h2_conn.settle(event.may)
        if data := self.h2_conn.data_to_send():
            yield commands.SendData(self.conn, data)


class AgentHttp2(_Settling, Http2Server):
    """The agent's side. What names nothing, or two things, is refused by the reading and not by a parser.

    `_promised`: what is still to come of each body whose length was said.
    """

    h2_conf: ClassVar[H2Configuration] = H2Configuration(**Http2Server.h2_conf_defaults, client_side=False)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        limits = wire_of(context).limits
        self.h2_conf.validate_inbound_headers = False  # done below, one stream at a time
        self.h2_conn = Inbound(self.h2_conf, limits.head)
        self._promised: dict[int, int] = {}
        self._unread = b""
        self._resting = False
        self.h2_conn.local_settings.max_concurrent_streams = limits.streams
        self.h2_conn.local_settings.acknowledge()
        self._hasty = 0
        self._chatter = Bucket(MOST_CHATTER, _CHATTER_A_SECOND)

    def unsent(self, stream_id: int) -> int:
        """How much of an answer waits for the agent's window."""
        return self.h2_conn.unsent(stream_id)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, LateHead):
            yield from self._over("head_time", "a head took too long")
            return
        if isinstance(event, ResponseEndOfMessage):
            self._hasty = max(0, self._hasty - 1)
        if isinstance(event, events.DataReceived):
            self._unread += event.data
            if not self._resting:
                yield from self._some()
            return
        if isinstance(event, events.Wakeup):
            self._resting = False
            yield from self._some()
            return
        yield from super()._handle_event(event)
        if isinstance(event, ResponseEndOfMessage | ResponseProtocolError) and self.is_closed(event.stream_id):
            self.streams.pop(event.stream_id, None)

    def _some(self) -> CommandGenerator[None]:
        """Take so many frames, and the next in another turn: thousands fit into one read, and each is work."""
        size = self.h2_conn.length_of(_FRAMES_A_TURN, self._unread)
        taken, self._unread = self._unread[:size], self._unread[size:]
        link = wire_of(self.context).link
        yield from super()._handle_event(events.DataReceived(self.conn, taken))
        link.head, link.pipelined = self.h2_conn.head, len(self._unread)
        if self.h2_conn.chatter > 0 and not self._may_chatter():
            yield from self._over("chatter", "too many frames that ask for nothing")
        elif self._unread:
            self._resting = True
            yield commands.RequestWakeup(0)

    def protocol_error(self, message: str, error_code: int = ErrorCodes.PROTOCOL_ERROR) -> CommandGenerator[None]:
        """Everything on this connection ends, and nothing of it is said to any stream: so it is noted."""
        wire = wire_of(self.context)
        wire.addon.malformed(wire.link, "http2")
        yield from super().protocol_error(message, error_code)

    def _may_chatter(self) -> bool:
        """Whether frames that no request needs may go on: each costs its sender next to nothing, and us a turn."""
        frames, self.h2_conn.chatter = self.h2_conn.chatter, 0
        now = time.monotonic()
        return all(self._chatter.take(now) for _ in range(frames))

    def _over(self, limit: str, message: str) -> CommandGenerator[None]:
        """The same, for a limit that the agent is over."""
        wire = wire_of(self.context)
        wire.link.head = 0
        wire.addon.bounded_unasked(wire.link, limit)
        yield from super().protocol_error(message, ErrorCodes.ENHANCE_YOUR_CALM)

    def handle_h2_event(self, event: h2.events.Event) -> CommandGenerator[bool]:
        match event:
            case h2.events.RequestReceived():
                yield from self._began(event)
                return False
            case h2.events.StreamEnded(stream_id=stream_id):
                yield from self._ended(stream_id)
                return False
            case h2.events.TrailersReceived(stream_id=stream_id, headers=headers) if _breaks_rules(headers, trailers=True):
                yield from self._broken(stream_id)
                return False
            case h2.events.DataReceived(data=b"", stream_ended=None):
                self.h2_conn.chatter += 1
            case h2.events.DataReceived(stream_id=stream_id, data=data) if stream_id in self._promised:
                self._promised[stream_id] -= len(data)
                if self._promised[stream_id] < 0:
                    yield from self._broken(stream_id)
            case h2.events.StreamReset(stream_id=stream_id) if stream_id in self.streams:
                self._promised.pop(stream_id, None)
                self._hasty += 1
                if self._hasty > MOST_RESET:
                    yield from self.protocol_error("too many streams were reset", ErrorCodes.ENHANCE_YOUR_CALM)
                    return True
            case _ if isinstance(event, _CHATTER):
                self.h2_conn.chatter += 1
            case _:
                pass
        return (yield from super().handle_h2_event(event))

    def _ended(self, stream_id: int) -> CommandGenerator[None]:
        """Pass it on. mitmproxy forgets here what is reset in the same breath, and its exchange never hears of the reset."""
        if self._promised.pop(stream_id, 0):
            yield from self._broken(stream_id)
        elif stream_id in self.streams:
            yield ReceiveHttp(self.ReceiveEndOfMessage(stream_id))

    def _broken(self, stream_id: int) -> CommandGenerator[None]:
        """A body is not what its head said. Nothing more is heard of this stream."""
        self._promised.pop(stream_id, None)
        if self.streams.pop(stream_id, None) is not None:
            yield ReceiveHttp(BadBody(stream_id, _BAD_BODY))

    def _began(self, event: h2.events.RequestReceived) -> CommandGenerator[None]:
        stream_id, ended = event.stream_id, bool(event.stream_ended)
        broken = _breaks_rules(event.headers)
        pseudo, headers = ({}, http.Headers()) if broken else split_pseudo_headers(event.headers)
        self.streams[stream_id] = StreamState.HEADERS_RECEIVED
        request = received(
            method=pseudo.get(b":method", b""),
            scheme=pseudo.get(b":scheme", b""),
            authority=pseudo.get(b":authority", b""),
            path=pseudo.get(b":path", b""),
            version=b"HTTP/2.0",
            fields=headers.fields,
        )
        problem = _BROKEN if broken else None if pseudo.keys() <= _PSEUDO else _ODD
        if problem is not None:
            yield ReceiveHttp(RefusedHead(stream_id, request, end_stream=ended, problem=problem))
            return
        if not ended and (length := declared_length(headers.fields)) is not None:
            self._promised[stream_id] = length
        yield ReceiveHttp(RequestHeaders(stream_id, request, end_stream=ended))


class UpstreamHttp2(_Settling, Http2Client):
    """The upstream's side."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.h2_conn = Outbound(self.h2_conf, wire_of(context).limits.response_head)
        self.leaving = False
        """Whether it takes no new streams."""
        self._closed: str | None = None
        self._unheard = 0
        self.h2_conn.local_settings.enable_push = 0
        self.h2_conn.local_settings.acknowledge()

    def unsent(self, stream_id: int) -> int:
        """How much of an agent's upload waits for the upstream's window, or for a free stream."""
        if queued := self.stream_queue.get(stream_id):
            return sum(len(event.data) for event in queued if isinstance(event, RequestData))
        return self.h2_conn.unsent(self.our_stream_id.get(stream_id, 0))

    def theirs(self, stream_id: int) -> int:
        """Give the agent's number of a stream."""
        return self.their_stream_id.get(stream_id, 0)

    def close_connection(self, msg: str) -> CommandGenerator[None]:
        """Tell each exchange, of which most forget their stream as they hear of it."""
        self._closed = msg
        yield commands.CloseConnection(self.conn)
        for stream_id in tuple(self.streams):
            yield ReceiveHttp(ResponseProtocolError(stream_id, msg, ErrorCode.GENERIC_SERVER_ERROR))
        self.streams.clear()
        self._handle_event = self.done  # type: ignore[method-assign]  # mitmproxy's own way to switch

    def forget(self, stream_id: int) -> None:
        """Keep nothing of a stream that is over."""
        ours = self.our_stream_id.pop(stream_id, None)
        if ours is not None:
            self.their_stream_id.pop(ours, None)
            self.streams.pop(ours, None)

    def _handle_event(self, event: Any) -> CommandGenerator[None]:
        """Mitmproxy gives a stream to whatever speaks of it first: what is late of one that was never opened is dropped."""
        late = hasattr(event, "stream_id") and not isinstance(event, RequestHeaders)
        if late and event.stream_id not in self.our_stream_id and event.stream_id not in self.stream_queue:
            return
        if isinstance(event, RequestProtocolError) and self.stream_queue.pop(event.stream_id, None) is not None:
            return  # it waited for a free stream, and never left
        yield from super()._handle_event(event)
        if self.leaving and self._closed is None and not self.streams:
            yield from self.close_connection(_WENT)
        while self._closed is not None and self.stream_queue:
            stream_id, _ = self.stream_queue.popitem()
            yield ReceiveHttp(ResponseProtocolError(stream_id, self._closed, ErrorCode.GENERIC_SERVER_ERROR))

    def handle_h2_event(self, event: h2.events.Event) -> CommandGenerator[bool]:
        if isinstance(event, _CHATTER) and self._talks_only():
            yield from self.protocol_error("it asks for words that it does not read", ErrorCodes.ENHANCE_YOUR_CALM)
            return True
        if not isinstance(event, Leaving):
            return (yield from super().handle_h2_event(event))
        self.leaving = True
        for stream_id in [stream_id for stream_id in self.streams if stream_id > event.last_stream_id]:
            yield ReceiveHttp(Unanswered(stream_id, _WENT, ErrorCode.GENERIC_SERVER_ERROR))
            self.streams.pop(stream_id, None)
        return False

    def _talks_only(self) -> bool:
        """Whether so much waits for it that it reads nothing, while each of its frames has us answer one."""
        wire, server = wire_of(self.context), self.context.server
        carrier = (server.carrier if isinstance(server, Upstream) else None) or server
        self._unheard = self._unheard + 1 if wire.backlog(carrier) > wire.limits.unsent else 0
        return self._unheard > MOST_CHATTER
