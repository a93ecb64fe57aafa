"""What was kept in a file goes on piece by piece, as fast as it is taken; what comes behind it waits its turn."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import SendHttp
from mitmproxy.proxy.layers.http._events import RequestData, RequestEndOfMessage, ResponseData, ResponseTrailers

from outgate.intake.request import SpooledBody
from outgate.mitm.ending import Ending
from outgate.mitm.enforce import BreachError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.connection import Connection
    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.holding import Held
    from outgate.mitm.keeping import Gathering


class GoOn(events.Event):
    """A peer may have room: what is kept for it goes on as long as `takes` says that it has."""

    def __init__(self, takes: Callable[[Forwarding, Connection], bool]) -> None:
        self.takes = takes


@dataclass(slots=True, eq=False)
class Forward:
    """Something kept, on its way. `digest`: what must come out, where that was decided on. `after` came behind it."""

    kept: Gathering
    digest: str = ""
    after: list[Any] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """Bytes that wait behind it."""
        return sum(len(event.data) for event in self.after if isinstance(event, RequestData))

    @property
    def ended(self) -> bool:
        """Whether the end of the request waits behind it."""
        return any(isinstance(event, RequestEndOfMessage) for event in self.after)


class Forwarding(Ending):
    """What an exchange has to do with that, up to the upstream and down to the agent."""

    def __init__(self, context: Context, stream_id: int) -> None:
        super().__init__(context, stream_id)
        self.queued = 0
        self.up: Forward | None = None
        self.down: Forward | None = None

    @abstractmethod
    def _stream(self, event: Any) -> CommandGenerator[None]:
        """What comes of a decided request goes on as it comes."""

    @abstractmethod
    def _answer_body(self, event: Any) -> CommandGenerator[None]:
        """What comes of an answer goes on as it comes."""

    def _upload(self, data: bytes) -> CommandGenerator[None]:
        for chunk in self.call.upload(data):
            assert self.upstream is not None
            yield SendHttp(RequestData(self.stream_id, chunk), self.upstream)

    def _send_kept(self) -> CommandGenerator[None]:
        """Send what was kept of the request: at once what is in memory."""
        kept, body = self._gathering, self.call.body
        if kept is None:
            return
        if not kept.in_file:
            yield from self._upload(kept.next())
            return
        self.up = Forward(kept, body.digest if isinstance(body, SpooledBody) else "")
        self.client_state = self._behind
        self.wire.link.forwarding.add(self)

    def _give_kept(self, held: Held) -> CommandGenerator[None]:
        """Give the client what was held of the answer: at once what is in memory."""
        trailers = [ResponseTrailers(self.stream_id, trailers) for trailers in held.trailers]
        if held.gathering.in_file:
            self.down = Forward(held.gathering, after=list(trailers))
            self.server_state = self._behind_answer
            self.wire.link.forwarding.add(self)
            return
        content = held.gathering.next()
        held.gathering.over()
        if content:
            yield SendHttp(ResponseData(self.stream_id, content), self.context.client)
        for one in trailers:
            yield SendHttp(one, self.context.client)

    def _behind(self, event: Any) -> CommandGenerator[None]:
        """Wait until what came before has gone on. The handler stops reading the client when it is too much."""
        assert self.up is not None
        self.up.after.append(event)
        if isinstance(event, RequestData):
            self.queued += len(event.data)
            self.wire.link.queued += len(event.data)
        yield from ()

    def _behind_answer(self, event: Any) -> CommandGenerator[None]:
        assert self.down is not None
        self.down.after.append(event)
        yield from ()

    def _go_on(self, event: GoOn) -> CommandGenerator[None]:
        while self.up is not None and self.upstream is not None and event.takes(self, self.upstream):
            yield from self._piece_up(self.up)
        while self.down is not None and event.takes(self, self.context.client):
            yield from self._piece_down(self.down)

    def _piece_up(self, up: Forward) -> CommandGenerator[None]:
        """Send one more. Before the last, what was sent is compared with what was decided on."""
        piece = up.kept.next()
        if piece:
            chunks = self.call.upload(piece)
            if up.digest and self.call.upload.count >= up.kept.size and self.call.upload.digest != up.digest:
                raise BreachError("a body that was kept is not what was decided on")
            for chunk in chunks:
                assert self.upstream is not None
                yield SendHttp(RequestData(self.stream_id, chunk), self.upstream)
            return
        self.up = None
        up.kept.over()
        self._forwarded()
        self._resumed()
        self.client_state = self._stream
        for event in up.after:
            yield from self.client_state(event)

    def _piece_down(self, down: Forward) -> CommandGenerator[None]:
        piece = down.kept.next()
        if piece:
            yield SendHttp(ResponseData(self.stream_id, piece), self.context.client)
            return
        self.down = None
        down.kept.over()
        self._forwarded()
        self.server_state = self._answer_body
        for event in down.after:
            yield from self.server_state(event)

    def _forwarded(self) -> None:
        if self.up is None and self.down is None:
            self.wire.link.forwarding.discard(self)

    def _stop_forwarding(self) -> None:
        """Nothing more of it goes on. What waited behind the request is not read; if that was its end, nothing comes of it."""
        if self.up is not None:
            self.client_state = self._over if self.up.ended else self.client_state
            self.up.kept.over()
            self.up = None
        if self.down is not None:
            self.down.kept.over()
            self.down = None
        self._forwarded()

    def _resumed(self) -> None:
        """What waited here is taken, but for what waits behind something that goes on."""
        still = self.up.waiting if self.up is not None else 0
        self.wire.link.queued -= self.queued - still
        self.queued = still
        self.wire.link.room.set()
