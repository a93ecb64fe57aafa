"""How one exchange ends early: halted, over a limit, its client or its upstream gone. Its siblings go on."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import DropStream, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ErrorCode, RequestProtocolError, ResponseProtocolError

from outgate.intake.request import NoBody, Unreadable
from outgate.mitm.enforce import Failure
from outgate.mitm.messages import Messages
from outgate.mitm.pace import Patience
from outgate.mitm.wire import BadBody, Cut, CutOff, wire_of

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.answer.reply import Reply
    from outgate.mitm.enforce import Call
    from outgate.mitm.keeping import Gathering
    from outgate.mitm.pace import Overdue
    from outgate.mitm.wire import Upstream

_SLOW: Final = Unreadable(status=408, why="The request's body comes too slowly to be read whole before it is decided.")


class Ending(HttpStream):
    """What an exchange has of its end. How it goes on is `exchange.py`'s."""

    call: Call

    def __init__(self, context: Context, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self.wire = wire_of(context)
        self.upstream: Upstream | None = None
        self._gathering: Gathering | None = None
        self._answered = False
        self._dropped = 0
        self._patience = Patience()

    @abstractmethod
    def _gather(self, event: Any) -> CommandGenerator[None]:
        """A body comes in that is read whole."""

    @abstractmethod
    def _discard(self, event: Any) -> CommandGenerator[None]:
        """A body comes in that nobody wants."""

    @abstractmethod
    def _over(self, event: Any) -> CommandGenerator[None]:
        """This side is done."""

    @abstractmethod
    def _decide(self) -> CommandGenerator[None]:
        """Have it decided, and do what is said."""

    @abstractmethod
    def _answer(self, reply: Reply) -> CommandGenerator[None]:
        """Answer in the upstream's stead."""

    @abstractmethod
    def _let_go(self) -> None:
        """Hold no body."""

    def _cut(self, event: Cut) -> CommandGenerator[None]:
        """Halted: it ends here, on both sides. Nothing in here waits, so that it may happen while this one is paused."""
        reply = self.wire.addon.halted(self.call)
        if isinstance(self.child_layer, Messages):
            yield from self.passthrough(event)
            yield from self._leave_upstream()
        else:
            yield from self._sever(reply, "halted")

    def _look(self, now: float) -> CommandGenerator[None]:
        """End what has stood still for too long."""
        limits, body = self.wire.limits, self._patience.body
        if self.client_state == self._gather:
            assert self._gathering is not None
            if body.too_slow(self._gathering.size, now, limits.body_rate):
                self.wire.addon.bounded("body_rate")
                yield from self._unreadable(_SLOW)
        elif self.client_state == self._discard:
            if body.too_slow(self._dropped, now, limits.body_rate):
                self.wire.addon.bounded("body_rate")
                yield from self._hang_up("what nobody wants comes too slowly")
        elif self.call in self.wire.link.calls and (late := self._patience.overdue(self.call, now, limits)) is not None:
            yield from self._overdue(late)

    def _overdue(self, late: Overdue) -> CommandGenerator[None]:
        """An admitted one is over a limit."""
        reply = self.wire.addon.overdue(self.call, late)
        self._answered = self._answered or isinstance(self.child_layer, Messages)
        yield from self._sever(reply, late[1])

    def _unreadable(self, problem: Unreadable) -> CommandGenerator[None]:
        """No end can come of a body that was to be read whole: nothing was decided, nothing has left, and this is refused."""
        call = self.call
        call.opening = replace(call.opening, reading=problem, wants_body=False)
        self._let_go()
        call.body, call.ended = NoBody(), True
        self.client_state = self._over
        yield from self._decide()

    def _client_failed(self, event: RequestProtocolError) -> CommandGenerator[None]:
        if isinstance(event, BadBody):
            if self.client_state == self._gather:
                yield from self._unreadable(event.problem)
                return
            self.wire.addon.malformed(self.wire.link, "body")
            yield self._closed()
        self._end()
        if self.upstream is not None:
            yield SendHttp(event, self.upstream)
        yield DropStream(self.stream_id)

    def _closed(self) -> commands.Command:
        """End what the client has of this: in HTTP/2 its stream, else its connection."""
        if self.context.client.alpn != b"h2":
            return commands.CloseConnection(self.context.client)
        return SendHttp(ResponseProtocolError(self.stream_id, "malformed body", ErrorCode.CANCEL), self.context.client)

    def _upstream_failed(self, event: ResponseProtocolError) -> CommandGenerator[None]:
        if self.server_state == self._over:
            return
        reply = self.wire.addon.error(self.call, Failure.CLOSED, event.message)
        if not self._answered:
            yield from self._answer(reply)
            return
        self.client_state = self.server_state = self._over
        yield SendHttp(event, self.context.client)
        yield DropStream(self.stream_id)

    def _end(self) -> None:
        self.client_state = self.server_state = self._over
        self._let_go()
        self.wire.addon.client_left(self.call)

    def _sever(self, reply: Reply, why: str) -> CommandGenerator[None]:
        """End it, now, on both sides: with a reply where the client got nothing yet."""
        if not self._answered:
            yield from self._answer(reply)
        else:
            yield from self._hang_up(why)
        yield from self._leave_upstream()

    def _hang_up(self, why: str) -> CommandGenerator[None]:
        self.client_state = self.server_state = self._over
        self._let_go()
        if self.upstream is not None:
            yield SendHttp(RequestProtocolError(self.stream_id, why, ErrorCode.CANCEL), self.upstream)
        if self.context.client.alpn == b"h2":
            yield SendHttp(ResponseProtocolError(self.stream_id, why, ErrorCode.CANCEL), self.context.client)
            yield DropStream(self.stream_id)
        else:
            yield CutOff(self.context.client)

    def _leave_upstream(self) -> CommandGenerator[None]:
        if self.upstream is not None and self.upstream.http2 is None:
            yield CutOff(self.upstream.carrier or self.upstream)
