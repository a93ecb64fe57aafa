"""SOCKS 5 with an agent: it says who it is and where to; from there on it is a tunnel like after CONNECT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mitmproxy.proxy import commands, events, layer

from outgate.intake import socks
from outgate.intake.request import Tunnel
from outgate.intake.socks import Answer, Bad
from outgate.mitm.enforce import BreachError
from outgate.mitm.wire import Becomes, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.proxy.context import Context
    from mitmproxy.proxy.layer import CommandGenerator

    from outgate.mitm.doors import TurnedAway

_NOWHERE: Final = b"\x00\x01" + bytes(6)
"""Where we are bound to: nobody needs to know (RFC 1928, section 6)."""
_LOGGED_IN: Final = bytes([socks.LOGIN_VERSION, 0])
_NOT_LOGGED_IN: Final = bytes([socks.LOGIN_VERSION, 1])
_LINGER: Final = 2.0
"""Seconds that a client gets to read our last word, before what it still sends resets the connection."""


class Socks(layer.Layer):
    """Greeting, login, request; each may trickle in, and whoever takes too long for all of them is dropped by the engine.

    Nothing is looked up and nothing is connected here: 'granted' says that the tunnel is there, as 200 does to CONNECT.
    What is refused of it is refused inside, where clients read the answer.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._wire = wire_of(context)
        self._data = b""
        self._step: Callable[[], CommandGenerator[bool]] = self._greeting
        self._last_word = b""
        self._over = False

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        match event:
            case events.Start():
                return
            case events.ConnectionClosed():
                self._over = True
                yield commands.CloseConnection(self.context.client)
            case events.Wakeup():
                yield from self._part()
            case events.DataReceived(data=data):
                if not self._over:
                    self._data += data
                    yield from self._read()
            case _:
                raise BreachError(f"unexpected {type(event).__name__}")

    def _read(self) -> CommandGenerator[None]:
        """Take one message after the other, as long as they are whole: no message is longer than 515 bytes."""
        while (yield from self._step()):
            if self._over:
                return

    def _greeting(self) -> CommandGenerator[bool]:
        match socks.greeting(self._data):
            case None:
                return False
            case Bad(what=what):
                yield from self._refuse(what, b"")
            case socks.Greeting(methods=methods, size=size):
                self._data = self._data[size:]
                yield from self._choose(methods)
        return True

    def _choose(self, methods: bytes) -> CommandGenerator[None]:
        """Who has a door of its own is known by that; everybody else shows a name and a token."""
        link = self._wire.link
        if link.door is None and socks.BY_LOGIN in methods:
            self._step = self._login
            yield self._say(bytes([socks.VERSION, socks.BY_LOGIN]))
        elif link.door is None or not {socks.NO_LOGIN, socks.BY_LOGIN} & {*methods}:
            yield from self._turn_away(self._wire.addon.introduced(link, None), bytes([socks.VERSION, socks.NO_METHOD]))
        elif (turned := self._wire.addon.introduced(link, None)) is not None:
            yield from self._turn_away(turned, bytes([socks.VERSION, socks.NO_METHOD]))
        else:
            method = socks.NO_LOGIN if socks.NO_LOGIN in methods else socks.BY_LOGIN
            self._step = self._login if method == socks.BY_LOGIN else self._asked
            yield self._say(bytes([socks.VERSION, method]))

    def _login(self) -> CommandGenerator[bool]:
        match socks.login(self._data):
            case None:
                return False
            case Bad(what=what):
                yield from self._refuse(what, _NOT_LOGGED_IN)
            case socks.Login(name=name, token=token, size=size):
                self._data = self._data[size:]
                turned = self._wire.addon.introduced(self._wire.link, (name, token))
                if turned is not None:
                    yield from self._turn_away(turned, _NOT_LOGGED_IN)
                else:
                    self._step = self._asked
                    yield self._say(_LOGGED_IN)
        return True

    def _asked(self) -> CommandGenerator[bool]:
        match socks.asked(self._data):
            case None:
                return False
            case Bad(what=what, answer=answer):
                yield from self._refuse(what, _answer(answer))
            case socks.Asked(host=host, port=port, size=size):
                rest, self._data, self._over = self._data[size:], b"", True
                self._wire.link.entering = False
                self._wire.addon.http_connect(self._wire.link, Tunnel(host=host.encode("ascii"), port=port, tls=False))
                yield self._say(_answer(Answer.GRANTED))
                yield Becomes(rest)
        return True

    def _say(self, data: bytes) -> commands.SendData:
        return commands.SendData(self.context.client, data)

    def _refuse(self, what: str, last_word: bytes) -> CommandGenerator[None]:
        self._wire.addon.entry_refused(self._wire.link, what)
        self._last_word = last_word
        yield from self._leave(0.0)

    def _turn_away(self, turned: TurnedAway | None, last_word: bytes) -> CommandGenerator[None]:
        self._last_word = last_word
        yield from self._leave(turned.delay if turned is not None else 0.0)

    def _leave(self, delay: float) -> CommandGenerator[None]:
        """Understand nothing more; say why in a while, and wait until that was read."""
        self._over, self._data = True, b""
        if delay:
            yield commands.RequestWakeup(delay)
        else:
            yield from self._part()

    def _part(self) -> CommandGenerator[None]:
        last_word, self._last_word = self._last_word, b""
        if not last_word:
            yield commands.CloseConnection(self.context.client)
            return
        yield self._say(last_word)
        yield commands.CloseTcpConnection(self.context.client, half_close=True)
        yield commands.RequestWakeup(_LINGER)


def _answer(answer: Answer) -> bytes:
    return bytes([socks.VERSION, answer]) + _NOWHERE
