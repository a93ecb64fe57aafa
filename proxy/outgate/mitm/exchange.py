"""One request and its answer, from the head that came in to the last byte that went back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mitmproxy import http
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import DropStream, SendHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)

from outgate.gate import Admitted, Refused, Told
from outgate.intake.request import NoBody, Unreadable
from outgate.mitm import translate
from outgate.mitm.enforce import BreachError, Failure
from outgate.mitm.forward import GoOn
from outgate.mitm.hearing import Hearing, Weighed
from outgate.mitm.holding import Held
from outgate.mitm.messages import Messages
from outgate.mitm.pace import TOO_LARGE
from outgate.mitm.wire import Connect, Cut, DecideHook, Look, RefusedHead, Unanswered, WaitHook

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.answer.reply import Reply
    from outgate.intake.request import Body
    from outgate.mitm.enforce import Call, Way

_FRAMING_UNSURE: Final = frozenset({400, 408, 411, 431, 501})
"""Where one of these was the reading's word, nobody knows where the next request begins."""
_ASKED: Final = (RequestHeaders, RequestData, RequestTrailers, RequestEndOfMessage)
_ANSWERED: Final = (ResponseHeaders, ResponseData, ResponseTrailers, ResponseEndOfMessage)
_PARTS: Final = frozenset({*_ASKED, *_ANSWERED})


class Exchange(Hearing):
    """States of one exchange. The client's: head, (gather), decide, (stream), done. The upstream's: head, (hold), body, done.

    Nothing is sent upstream but by `_send`, which takes an open admission and no other word for it. An exception
    anywhere in here reaches the handler, which aborts both connections.
    """

    request: http.Request

    def __init__(self, context: Context, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self._held: Held | None = None
        self._silent = False
        self._again = False
        self._asked_again = False
        self._switching: http.Response | None = None
        self.client_state = self._head
        self.server_state = self._not_yet

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """Count what waits while this one is paused; the handler stops reading the client when it is too much.

        A halt waits for nothing, and who leaves while it is decided need not be decided about.
        """
        if self._paused is None and type(event) in _PARTS:  # most of what happens
            return super().handle_event(event)
        if isinstance(event, Cut):
            return self._cut(event)
        if isinstance(event, Look | GoOn) and self._paused is not None:
            return self._over(event)  # what waits for people, or for a connection, is theirs to end
        if isinstance(event, Look) and self.weighs:
            self._have_patience()
            return self._over(event)
        if isinstance(event, Look) and isinstance(self.child_layer, Messages):
            return self._look(event.now)
        if self._paused is not None and isinstance(event, RequestData):
            self.queued += len(event.data)
            self.wire.link.queued += len(event.data)
        elif self._paused is not None and isinstance(event, RequestProtocolError) and self.call.give_up is not None:
            self.call.give_up()
        return super().handle_event(event)

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        asked = isinstance(event, _ASKED)
        if not asked and not isinstance(event, _ANSWERED):
            return self._happened(event)
        handled: CommandGenerator[None] = (self.client_state if asked else self.server_state)(event)
        return handled

    def _happened(self, event: events.Event) -> CommandGenerator[None]:
        """Something that is no part of a request or an answer."""
        if isinstance(event, RequestProtocolError):
            yield from self._client_failed(event)
        elif isinstance(event, Unanswered) and self._is_stale():
            yield from self._ask_again()
        elif isinstance(event, ResponseProtocolError):
            self._silent = True
            if self.down is None or not self.call.complete:
                yield from self._upstream_failed(event)
                self._let_go()
        elif isinstance(event, GoOn | Weighed):
            yield from self._go_on(event) if isinstance(event, GoOn) else self._weighed(event.lane)
        elif isinstance(event, Look):
            yield from self._look(event.now)
        elif not isinstance(event, events.Start):
            raise BreachError(f"unexpected {type(event).__name__}")

    # the client's side

    def _head(self, event: RequestHeaders) -> CommandGenerator[None]:
        self.request = event.request
        problem = event.problem if isinstance(event, RefusedHead) else None
        self.call = call = self.wire.addon.requestheaders(self.wire.link, event.request, ended=event.end_stream, problem=problem)
        if call.opening.wants_body and call.body is None:
            yield from self._ask_for_body()
            self._gathering = self.wire.addon.gathering(self.wire.link)
            self.client_state = self._gather
        else:
            self.client_state = self._stream
            yield from self._decide()

    def _ask_for_body(self) -> CommandGenerator[None]:
        if translate.expects_continue(self.call.raw) and not self.call.ended:
            go_on = translate.continue_response(self.request)
            yield SendHttp(ResponseHeaders(self.stream_id, go_on), self.context.client)

    def _gather(self, event: Any) -> CommandGenerator[None]:
        """Keep the body until it is whole, or too large to be read."""
        gathering = self._gathering
        assert gathering is not None
        if isinstance(event, RequestData) and not gathering.add(event.data):
            self.call.body = gathering.cut(self.call.length)
            self.client_state = self._stream
            yield from self._decide()
        elif isinstance(event, RequestEndOfMessage):
            self.call.body = gathering.whole()
            self.call.ended = True
            self.client_state = self._stream
            yield from self._decide()
            yield from self.client_state(event)

    def _decide(self) -> CommandGenerator[None]:
        """Nothing has left, and nothing leaves, before this comes back with an admission."""
        yield DecideHook(self.call)
        self._resumed()
        match self.call.admission:
            case _ if self._client_left():
                self._end()
            case Admitted():
                yield from self._send()
            case Refused(reply=reply) | Told(reply=reply):
                yield from self._answer(reply)
            case None:
                raise BreachError("asked, and not answered")

    def _send(self) -> CommandGenerator[None]:
        """Let it out: connect the admitted way, write what was decided."""
        call = self.call
        admitted, way, body = call.admitted, call.way, call.body
        assert way is not None
        assert body is not None
        if why := self._listen_to_request():
            yield from self._answer(self.wire.addon.message_refused(call, why))
            return
        self._again = self.request.method in {"GET", "HEAD"} and isinstance(body, NoBody)  # RFC 9110, section 9.2.2
        if not self._asked_again and (at_hand := self.wire.link.at_hand(way)) is not None:
            self.upstream = at_hand
        elif not (yield from self._connected(call, way)):
            return
        if self._gathering is None:
            yield from self._ask_for_body()
        upstream = self.upstream
        assert upstream is not None
        self.context.server = upstream
        proxied = way.pin.via is not None and not way.tls
        credentials = self.wire.addon.proxy_credentials(way) if proxied else ()
        out = translate.outgoing(admitted.request, body, way.pin, credentials, http2=upstream.alpn == b"h2")
        self.server_state = self._answer_head
        self.wire.addon.request_leaves(call)
        yield SendHttp(RequestHeaders(self.stream_id, out, end_stream=isinstance(body, NoBody)), upstream)
        yield from self._send_kept()

    def _connected(self, call: Call, way: Way) -> CommandGenerator[bool]:
        """Wait for a connection. False: nobody waits for this any more, or it was answered."""
        self.upstream, failure = yield Connect(
            (way.host, way.port), way.tls, None, way=way, again=self._again, fresh=self._asked_again
        )
        self._resumed()
        if self._answered:  # halted meanwhile
            return False
        if self._client_left():
            self._end()
            return False
        if failure is not None:
            yield from self._answer(self.wire.addon.server_connect_error(call, failure))
            return False
        return True

    def _is_stale(self) -> bool:
        """Whether a server closed a connection just when it was used once more. It may be asked again, once."""
        used = self.upstream is not None and self.upstream.asked > 1
        return used and self._again and not self._asked_again and self.server_state == self._answer_head

    def _ask_again(self) -> CommandGenerator[None]:
        self._asked_again, self.call.body = True, NoBody()
        yield from self._send()
        if self.client_state == self._over and self.server_state == self._answer_head and self.upstream is not None:
            yield SendHttp(RequestEndOfMessage(self.stream_id), self.upstream)

    def _stream(self, event: Any) -> CommandGenerator[None]:
        if self.upstream is None:
            raise BreachError("a body without a decision")
        if isinstance(event, RequestData):
            yield from self._upload(event.data)
        elif isinstance(event, RequestEndOfMessage):
            self.call.ended = True
            if (yield from self._waits(self._says, event)):
                return
            self.client_state = self._over
            yield SendHttp(event, self.upstream)

    def _discard(self, event: Any) -> CommandGenerator[None]:
        """The answer is out: what the client still sends is read and dropped, so that its connection stays usable."""
        if isinstance(event, RequestData):
            self._dropped += len(event.data)
        if isinstance(event, RequestEndOfMessage):
            self.client_state = self._over
            yield DropStream(self.stream_id)

    # our own answers

    def _answer(self, reply: Reply) -> CommandGenerator[None]:
        """Answer in the upstream's stead. Whatever an upstream still says of this is not heard."""
        call, unsent = self.call, self.up is not None
        self._let_go()
        unheard = not call.ended and translate.expects_continue(call.raw) and self._gathering is None and self.upstream is None
        unsure = isinstance(call.opening.reading, Unreadable) and call.opening.reading.status in _FRAMING_UNSURE
        heard = call.complete and self.client_state == self._over and not unsent
        if self.upstream is not None and not self._silent and not heard:
            yield SendHttp(RequestProtocolError(self.stream_id, "answered", ErrorCode.CANCEL), self.upstream)
        response, body = translate.reply_response(reply, self.request, close=unheard or unsure)
        self.server_state = self._over
        self._answered = True
        self.client_state = self._over if self.client_state == self._over or self._said_all else self._discard
        yield SendHttp(ResponseHeaders(self.stream_id, response, end_stream=not body), self.context.client)
        if body:
            yield SendHttp(ResponseData(self.stream_id, body), self.context.client)
        if self.client_state == self._over:
            yield DropStream(self.stream_id)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    # the upstream's side

    def _answer_head(self, event: ResponseHeaders) -> CommandGenerator[None]:
        try:
            response = self.wire.addon.responseheaders(self.call, event.response, self.request, ended=event.end_stream)
        except translate.BadAnswerError as error:
            failure = Failure.SWITCHED if event.response.status_code == 101 else Failure.MALFORMED
            yield from self._answer(self.wire.addon.error(self.call, failure, str(error)))
            return
        most = self.wire.limits.answer_size
        if most is not None and (translate.declared_length(event.response.headers.fields) or 0) > most and not event.end_stream:
            yield from self._overdue(TOO_LARGE)
        elif self.call.admitted.review:
            yield from self._hold(response, ended=event.end_stream)
        else:
            yield from self._pass_on(response, ended=event.end_stream)

    def _pass_on(self, response: http.Response, *, ended: bool) -> CommandGenerator[None]:
        self.server_state = self._answer_body
        if self.up is None:
            self._let_go()
        if response.status_code == 101:
            self._switching = response
            return
        if not ended and (why := self._listen_to_answer(response)):
            yield from self._stop(why)
            return
        self._answered = True
        yield SendHttp(ResponseHeaders(self.stream_id, response, ended), self.context.client)

    def _hold(self, response: http.Response, *, ended: bool) -> CommandGenerator[None]:
        """Give the client nothing before the gate has read it."""
        self._held = held = Held(response, ended, self.wire.addon.gathering(self.wire.link))
        self.server_state = self._hold_body
        if held.hopeless:
            yield from self._review(held, held.cut_short())

    def _hold_body(self, event: Any) -> CommandGenerator[None]:
        held = self._held
        assert held is not None
        if isinstance(event, ResponseData):
            if not all(map(held.add, self._came(event.data))):
                yield from self._review(held, held.cut_short())
        elif isinstance(event, ResponseTrailers):
            yield from self._answer_trailers(event)
        else:
            self.call.complete = True
            yield from self._review(held, held.whole())
            if not self.call.concluded:
                yield from self.server_state(event)

    def _review(self, held: Held, body: Body) -> CommandGenerator[None]:
        """Withhold it, or pass on what was held, byte for byte."""
        replies: list[Reply | None] = []

        async def read() -> None:
            replies.append(await self.wire.addon.review(self.call, body))

        yield WaitHook(read, "reading an answer")
        self._resumed()
        if self._answered:  # halted meanwhile
            return
        (reply,) = replies
        if reply is not None:
            yield from self._answer(reply)
            return
        self._held = None
        yield from self._pass_on(held.response, ended=held.ended)
        yield from self._give_kept(held)

    def _came(self, data: bytes) -> list[bytes]:
        for tap in self.call.taps:
            tap.feed(data)
        if self.call.meter is not None:
            self.call.meter.feed(data)
        return self.call.download(data)

    def _answer_body(self, event: Any) -> CommandGenerator[None]:
        if isinstance(event, ResponseData):
            came, most = self._came(event.data), self.wire.limits.answer_size
            if most is not None and self.call.download.count > most:
                yield from self._overdue(TOO_LARGE)
                return
            for chunk in came:
                yield from self._give(chunk)
        elif (yield from self._waits(self._hears, event)):
            return
        elif isinstance(event, ResponseTrailers):
            yield from self._answer_trailers(event)
        elif self._switching is not None:
            yield from self._switch(self._switching)
        else:
            yield from self._answer_end()

    def _answer_trailers(self, event: ResponseTrailers) -> CommandGenerator[None]:
        try:
            trailers = translate.answer_trailers(event.trailers.fields)
        except translate.BadAnswerError as error:
            yield from self._upstream_failed(ResponseProtocolError(self.stream_id, str(error), ErrorCode.GENERIC_SERVER_ERROR))
        else:
            if self._held is not None:
                self._held.trailers.append(trailers)
            else:
                yield SendHttp(ResponseTrailers(self.stream_id, trailers), self.context.client)

    def _answer_end(self) -> CommandGenerator[None]:
        self.server_state = self._over
        self.call.complete = True
        self.wire.addon.response(self.call)  # before the client learns that it is over
        unsent = self.client_state != self._over
        if self.up is not None:
            self._stop_forwarding()
        if unsent:
            assert self.upstream is not None
            self.client_state = self._over if self.client_state == self._over or self._said_all else self._discard
            yield SendHttp(RequestProtocolError(self.stream_id, "answered", ErrorCode.CANCEL), self.upstream)
        if self.client_state == self._over:
            yield DropStream(self.stream_id)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    def _switch(self, response: http.Response) -> CommandGenerator[None]:
        """From here on the exchange is a WebSocket."""
        flow = http.HTTPFlow(self.context.client, self.context.server)
        flow.request, flow.response = self.request, response
        self.flow = flow
        yield SendHttp(ResponseHeaders(self.stream_id, response), self.context.client)
        self.child_layer = Messages(self.context, self.call)
        self._handle_event = self.passthrough  # type: ignore[method-assign]  # mitmproxy's own way to switch
        yield from self.child_layer.handle_event(events.Start())
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    # when things end early: see `ending.py`

    def _let_go(self) -> None:
        """The body has gone on, or never will."""
        self._stop_forwarding()
        if self._gathering is not None:
            self._gathering.over()
        if self._held is not None:
            self._held.gathering.over()
            self._held = None
        self.call.forget_body()

    def _client_left(self) -> bool:
        return any(isinstance(event, RequestProtocolError) for event in self._paused_event_queue)

    def _not_yet(self, event: Any) -> CommandGenerator[None]:
        raise BreachError(f"{type(event).__name__} before anything was sent")
        yield

    def _over(self, _event: Any) -> CommandGenerator[None]:
        yield from ()
