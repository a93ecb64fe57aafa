"""The start-up canary: break the plane on purpose, and refuse to start if anything gets out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from outgate.errors import UnavailableError
from outgate.gate import Admitted, Opening
from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents
from outgate.intake.reading import read
from outgate.intake.request import Request
from outgate.mitm.addon import Addon
from outgate.mitm.doors import Doors
from outgate.mitm.enforce import Outside
from outgate.mitm.handler import Handler
from outgate.mitm.link import Link
from outgate.mitm.notes import Notes
from outgate.policy.decision import Decision, Reason
from outgate.policy.effect import Effect
from outgate.ports import Pin, Stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.digest import Json
    from outgate.intake.request import Body, RawRequest
    from outgate.mitm.link import Limits
    from outgate.mitm.taps import Said
    from outgate.mitm.tls import Handshakes
    from outgate.receipts.receipt import Outcome

_BREAKS = ("identify", "requestheaders", "request", "server_connect", "server_connected", "request_leaves")
"""At the door, before the decision, in it, in the pass, on the connection, in the layer that writes: each raises once."""
_PATIENCE = 5.0
_AGENT = Agent(id="canary")


class _BrokenOnPurposeError(Exception):
    pass


async def check_that_it_fails_closed(handshakes: Handshakes, limits: Limits) -> None:
    """Let one request through, then break each point before sending. Raises UnavailableError if one got out, or none did."""
    upstream = _Upstream()
    server = await _loopback(upstream.serve)
    port: int = server.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(_PATIENCE):
            if b" 204 " not in await _probe(port, None, handshakes, limits) or upstream.heads != 1:
                raise UnavailableError("the engine did not pass an admitted request on, so it could not be tested; not starting")
            for point in _BREAKS:
                if await _probe(port, point, handshakes, limits) or upstream.heads != 1:
                    raise UnavailableError(f"the engine let a request out although '{point}' had failed; not starting")
    except TimeoutError as error:
        raise UnavailableError("the engine hung when it was tested on loopback; not starting") from error
    finally:
        server.close()


async def _probe(port: int, point: str | None, handshakes: Handshakes, limits: Limits) -> bytes:
    """Ask once, over a plane that breaks at `point`. Gives what the client got."""
    told = _Told()
    judge = _LetsOut(port)
    notes = Notes(gate=judge, alarm=told)
    addon = Addon(
        gate=judge,
        outside=Outside(trust=_nobody),
        handshakes=handshakes,
        notes=notes,
        doors=Doors(notes=notes, limits=limits, agents=Agents(), monotonic=time.monotonic),
        limits=limits,
    )
    if point is not None:
        setattr(addon, point, _break)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Handler(reader, writer, link=Link(door=_AGENT, known=_AGENT), addon=addon, limits=limits, alarm=told).run()

    server = await _loopback(accept)
    try:
        got = await _ask(server.sockets[0].getsockname()[1], port)
    finally:
        server.close()
        addon.pool.close()
    if point is not None and not told.errors:
        raise UnavailableError(f"the engine did not notice that '{point}' had failed; not starting")
    return got


async def _ask(proxy: int, upstream: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
    host = f"127.0.0.1:{upstream}"
    writer.write(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def _loopback(serve: object) -> asyncio.Server:
    try:
        return await asyncio.start_server(serve, "127.0.0.1", 0)  # type: ignore[arg-type]  # a coroutine function
    except OSError as error:
        raise UnavailableError(f"can't listen on loopback to test the engine: {error.strerror or error}") from error


def _nobody(host: str) -> NoReturn:
    raise UnavailableError(f"the test of the engine speaks no TLS, but asked for {host}")


def _break(*_: object, **__: object) -> NoReturn:
    raise _BrokenOnPurposeError("on purpose")


@dataclass(slots=True)
class _Upstream:
    """Counts what reaches it: a byte is one too many."""

    heads: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.heads += data.count(b"HTTP/1.1\r\n") or 1
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()


@dataclass(slots=True)
class _Told:
    errors: list[BaseException] = field(default_factory=list)

    def raise_for(self, error: BaseException, doing: str) -> None:  # noqa: ARG002  # an Alarm
        self.errors.append(error)


@dataclass(slots=True)
class _LetsOut:
    """A judge that lets everything out, to one port of loopback: what then stays in was kept by the plane alone."""

    port: int

    def open(self, raw: RawRequest, agent: Agent) -> Opening:
        return Opening(agent=agent, reading=read(raw), wants_body=False)

    async def admit(self, opening: Opening, body: Body) -> Admitted:  # noqa: ARG002  # a Judge
        assert isinstance(opening.reading, Request)
        return Admitted(
            request=opening.reading,
            agent=opening.agent,
            decision=Decision(answer=Effect.ALLOW, would=Effect.ALLOW, reason=Reason.POLICY, tell=""),
            pin=Pin(name="127.0.0.1", port=self.port, address="127.0.0.1", address_port=self.port),
            stamp=Stamp(writer="canary", seq=0),
        )

    def converse(self, admitted: Admitted) -> None:
        """Nobody listens in a test."""

    async def review(self, admitted: Admitted, status: int, headers: Said, body: Body) -> None:
        """No answer is withheld in a test."""

    def conclude(self, admitted: Admitted, outcome: Outcome) -> None:
        """Nothing is recorded of a test."""

    async def note(self, what: str, agent: Agent | None, about: Mapping[str, Json]) -> None:
        """Nothing is recorded of a test."""
