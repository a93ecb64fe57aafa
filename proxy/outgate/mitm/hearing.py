"""What is said in a body, message by message: calls of gRPC, both ways, and events. Passed on, held, or the end of it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import http
from mitmproxy.proxy.layers.http import DropStream, SendHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseTrailers,
)

from outgate.answer.grpc import percent
from outgate.intake import grpc, sse
from outgate.intake.pieces import Piece
from outgate.mitm.enforce import BreachError
from outgate.mitm.forward import Forwarding
from outgate.mitm.keeping import EACH, NO_ROOM, Charged
from outgate.mitm.pace import Patience
from outgate.mitm.wire import Begin, OfCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate import conversing
    from outgate.intake.pieces import Cutter
    from outgate.mitm.enforce import Call

REFUSED: Final = "a message was refused"
_KIND: Final = b"content-type"
_NAME: Final = len(_KIND)
_IN_A_FILE: Final = "This call is too large for its messages to be decided one by one, so it was not sent."
_ENCODED: Final = "What is sent is compressed as a whole, so that its messages can't be read."


@dataclass(slots=True, kw_only=True, eq=False)
class Lane(Charged):
    """One direction of a body. `waiting` is what did not go on yet, in its order, and `held` its bytes.

    `heard` says whether a message is decided on, now. `passing`: its end is on its way, and waits for nothing any more.
    """

    cutter: Cutter
    sends: bool
    heard: Callable[[], bool]
    waiting: deque[Any] = field(default_factory=deque)
    held: int = 0
    weighing: bool = False
    ended: bool = False
    passing: bool = False
    cut: conversing.Cut | None = None

    @property
    def holds(self) -> int:
        return self.held + self.cutter.kept

    def forget(self) -> None:
        self.waiting.clear()


class Weighed(OfCall):
    """A message of this lane was decided."""

    def __init__(self, call: Call, lane: Lane) -> None:
        super().__init__(call)
        self.lane = lane


class Hearing(Forwarding):
    """What an exchange has to do with messages in bodies. Where nobody decides on them, bytes pass as they come."""

    def __init__(self, context: Context, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._conversation: conversing.Conversation | None = None
        self._says: Lane | None = None
        self._hears: Lane | None = None

    @property
    def weighs(self) -> bool:
        """Whether a message waits to be decided: that is not its peers' doing."""
        return any(lane is not None and lane.weighing for lane in (self._says, self._hears))

    @property
    def held_up(self) -> int:
        """Bytes of the request that wait to be decided."""
        return self._says.held if self._says is not None else 0

    @property
    def held_down(self) -> int:
        """Bytes of the answer that do."""
        return self._hears.held if self._hears is not None else 0

    @property
    def _said_all(self) -> bool:
        """Whether the end of the request came, and perhaps waits."""
        return self._says is not None and self._says.ended

    def unheard(self) -> None:
        """Nothing more of it goes on."""
        for lane in (self._says, self._hears):
            if lane is not None:
                self._release(lane, lane.held)
                lane.over()

    # where it begins

    def _listen_to_request(self) -> str:
        """Cut what is sent into messages, where it is. Gives why it can't be sent, where its messages can't be decided."""
        admitted = self.call.admitted
        if not (admitted.by_message or grpc.is_cut(admitted.request)):
            return ""
        self._conversation = conversation = self.wire.addon.conversation(self.call)
        if conversation is None:
            if admitted.by_message:
                raise BreachError("messages that nobody decides on")
            return ""
        codings = [value.strip().lower() for name, value in admitted.request.headers if name == "grpc-encoding"]
        if self._gathering is not None and self._gathering.in_file:
            packed = any(coding != "identity" for coding in codings)  # else it was searched as it is
            return _IN_A_FILE if _is_heard(conversation, both=not packed) else ""
        heard, coding = partial(_is_heard, conversation, both=False), next(iter(codings), "")
        self._says = self._lane(grpc.Frames(coding, self.wire.limits.message), heard, sends=True)
        return ""

    def _listen_to_answer(self, response: http.Response) -> str:
        """The same of an answer, by what its head says that it is."""
        cutter = _cutter_of(response, self.wire.limits.message)
        if cutter is None:
            return ""
        conversation = self._conversation or self.wire.addon.conversation(self.call)
        if conversation is None:
            return ""
        if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            cutter.broken = _ENCODED
        self._conversation = conversation
        self._hears = lane = self._lane(cutter, partial(_is_heard, conversation, both=True), sends=False)
        return cutter.broken if lane.heard() else ""

    def _lane(self, cutter: Cutter, heard: Callable[[], bool], *, sends: bool) -> Lane:
        return Lane(cutter=cutter, sends=sends, heard=heard, link=self.wire.link, room=self.wire.addon.room)

    # what goes through

    def _upload(self, data: bytes) -> CommandGenerator[None]:
        if self._says is None:
            yield from super()._upload(data)
        else:
            yield from self._feed(self._says, data)

    def _give(self, data: bytes) -> CommandGenerator[None]:
        if self._hears is None:
            yield SendHttp(ResponseData(self.stream_id, data), self.context.client)
        else:
            yield from self._feed(self._hears, data)

    def _feed(self, lane: Lane, data: bytes) -> CommandGenerator[None]:
        heard = lane.heard()
        for one in lane.cutter.feed(data, whole=heard):
            self._keep(lane, one)
        if heard and lane.cutter.broken:
            yield from self._stop(lane.cutter.broken)
            return
        yield from self._go_through(lane)
        if heard and self._goes(lane) and not lane.charge():
            yield from self._stop(NO_ROOM)

    def _waits(self, lane: Lane | None, event: Any) -> CommandGenerator[bool]:
        """Whether an end, or trailers, wait for messages before."""
        if lane is None or lane.passing:
            return False
        if not lane.ended:
            lane.ended = True
            if (rest := lane.cutter.end()) is not None:
                self._keep(lane, rest)
            if lane.cutter.broken and lane.heard():
                yield from self._stop(lane.cutter.broken)
                return True
        if not lane.waiting:
            return False
        lane.waiting.append(event)
        yield from self._go_through(lane)
        return True

    def _go_through(self, lane: Lane) -> CommandGenerator[None]:
        while lane.waiting and not lane.weighing and self._goes(lane):
            first = lane.waiting[0]
            if isinstance(first, Piece) and lane.heard():
                lane.weighing = True
                yield Begin(self._weigh(lane, first), Weighed(self.call, lane), "deciding on a message")
                return
            yield from self._pass(lane)

    def _weigh(self, lane: Lane, piece: Piece) -> Begin.Doing:
        conversation = self._conversation
        assert conversation is not None

        async def weigh() -> None:
            if piece.packed:
                message = await asyncio.to_thread(lane.cutter.message, piece, sent=lane.sends)
            else:
                message = lane.cutter.message(piece, sent=lane.sends)
            lane.cut = await conversation.decide(message)

        return weigh

    def _weighed(self, lane: Lane) -> CommandGenerator[None]:
        lane.weighing = False
        if not self._goes(lane):
            self.unheard()
        elif lane.cut is not None:
            yield from self._stop(lane.cut.tell)
        else:
            yield from self._pass(lane)
            yield from self._go_through(lane)
            lane.charge()

    def _pass(self, lane: Lane) -> CommandGenerator[None]:
        first = lane.waiting.popleft()
        if not isinstance(first, Piece | bytes):
            lane.passing = True
            yield from (self.client_state if lane.sends else self.server_state)(first)
            return
        raw = first.raw if isinstance(first, Piece) else first
        self._release(lane, _size(first))
        if lane.sends:
            yield from super()._upload(raw)
        else:
            yield SendHttp(ResponseData(self.stream_id, raw), self.context.client)

    def _goes(self, lane: Lane) -> bool:
        """Whether this direction is still open."""
        return bool(self.client_state == self._stream if lane.sends else self.server_state == self._answer_body)

    def _keep(self, lane: Lane, one: Piece | bytes) -> None:
        size = _size(one)
        lane.waiting.append(one)
        lane.held += size
        if lane.sends and self.context.client.alpn != b"h2":
            self.wire.link.queued += size
        if not lane.sends:
            self.wire.link.forwarding.add(self)

    def _release(self, lane: Lane, size: int) -> None:
        lane.held -= size
        if lane.sends and self.context.client.alpn != b"h2":
            self.wire.link.queued -= size
        if not lane.sends and not lane.held:
            self._forwarded()
        self.wire.link.room.set()

    def _have_patience(self) -> None:
        """What waits here for people or for a limit did not stand still."""
        self._patience = Patience()

    # where it ends

    def _stop(self, tell: str) -> CommandGenerator[None]:
        """End it on both sides. Who calls by gRPC is told why, also where the answer has begun."""
        self.unheard()
        reply = self.wire.addon.message_refused(self.call, tell)
        lane = self._hears
        if self._answered and lane is not None and isinstance(lane.cutter, grpc.Frames) and self.context.client.alpn == b"h2":
            yield from self._end_call(tell)
        else:
            yield from self._sever(reply, REFUSED)

    def _end_call(self, tell: str) -> CommandGenerator[None]:
        trailers = http.Headers([(b"grpc-status", b"7"), (b"grpc-message", percent(tell).encode())])
        if self.upstream is not None:
            yield SendHttp(RequestProtocolError(self.stream_id, REFUSED, ErrorCode.CANCEL), self.upstream)
        self._let_go()
        over = self.client_state == self._over or self._said_all
        self.client_state, self.server_state = self._over if over else self._discard, self._over
        yield SendHttp(ResponseTrailers(self.stream_id, trailers), self.context.client)
        if over:
            yield DropStream(self.stream_id)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
        yield from self._leave_upstream()


def _size(one: Piece | bytes) -> int:
    return EACH + (len(one.raw) if isinstance(one, Piece) else len(one))


def _cutter_of(response: http.Response, most: int) -> Cutter | None:
    """What cuts an answer; None where it is no stream of messages, as most are not."""
    kinds = [value.decode("latin-1") for name, value in response.headers.fields if len(name) == _NAME and name.lower() == _KIND]
    if any(map(grpc.speaks, kinds)):
        return grpc.Frames(response.headers.get("grpc-encoding", ""), most)
    return sse.Events(most) if any(map(sse.speaks, kinds)) else None


def _is_heard(conversation: conversing.Conversation, *, both: bool) -> bool:
    """As rules are now. `both`: by those for messages alone, as with what an upstream says.

    What was read whole before it was let out is heard by all of them: nobody unpacked the messages in it.
    """
    return conversation.both_heard if both else conversation.heard
