"""Who may connect where: an open admission, and nothing else, is a pass; and every admission gets one outcome."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from outgate.gate import Admitted
from outgate.intake.request import NoBody
from outgate.mitm.streams import Download, Upload
from outgate.mitm.taps import used
from outgate.receipts.receipt import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from outgate.answer.reply import Reply
    from outgate.conversing import Conversation
    from outgate.digest import Json
    from outgate.gate import Admission, Opening
    from outgate.inspect import usage
    from outgate.intake.agents import Agent
    from outgate.intake.request import Body, RawRequest
    from outgate.mitm.link import Link
    from outgate.mitm.taps import Said, Tap
    from outgate.mitm.tls import Trust
    from outgate.ports import Pin


class Judge(Protocol):
    """What the plane asks of the gate."""

    def open(self, raw: RawRequest, agent: Agent) -> Opening: ...
    async def admit(self, opening: Opening, body: Body) -> Admission: ...
    def converse(self, admitted: Admitted) -> Conversation | None: ...
    async def review(self, admitted: Admitted, status: int, headers: Said, body: Body) -> Reply | None: ...
    def conclude(self, admitted: Admitted, outcome: Outcome) -> None: ...
    async def note(self, what: str, agent: Agent | None, about: Mapping[str, Json]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the operator and the resolver know of upstreams. All by canonical host, but `unreached`.

    `trust`: what vouches for it. `credentials`: `user:password` for the proxy before it, or nothing. `called` gives the name
    that an agent was told has this address, for notes; else the address itself. `unreached` is told the address at which
    nobody answered, `untrusted` the host whose certificate does not verify, `bounded` the limit that was run into. `unread`
    says up to how many bytes a host's TLS is passed on without being read, if it is. `recorder`
    gives who reads the answer to a request along, if anybody does. `now` is the time by which what a model used is priced.
    """

    trust: Callable[[str], Trust]
    credentials: Callable[[str], str] = lambda _host: ""
    called: Callable[[str], str] = lambda address: address
    unreached: Callable[[Pin], None] = lambda _pin: None
    untrusted: Callable[[str], None] = lambda _host: None
    bounded: Callable[[str], None] = lambda _limit: None
    unread: Callable[[str], int | None] = lambda _host: None
    recorder: Callable[[Admitted], Tap | None] | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


_WHOLE = frozenset({Result.EXECUTED, Result.MOCKED})


class BreachError(Exception):
    """Something was about to leave, or to go on, without a pass. The connection is aborted."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where one upstream connection leads; a connection is used again only for the very same way."""

    host: str
    port: int
    tls: bool
    pin: Pin


class Failure(StrEnum):
    """What went wrong with an upstream. The value is what the record says."""

    UNREACHED = "no connection"
    UNTRUSTED = "certificate does not verify"
    HANDSHAKE = "no TLS with the upstream"
    PROXY = "the upstream proxy refused"
    CLOSED = "closed before the answer was whole"
    MALFORMED = "not a valid answer"
    SWITCHED = "switched to another protocol"
    SILENT = "no answer in time"
    STALLED = "the client stopped in the middle"
    ENDLESS = "over a limit on answers"


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One request on its way. `body` is None while it is gathered; `left` once a byte of it may have gone.

    `give_up` stops the deciding, while it is decided. `complete` when the whole answer came, `said` are its headers. `taps` read
    it along; `meter` is the one that counts what a model used.
    """

    link: Link
    raw: RawRequest
    opening: Opening
    ended: bool
    length: int | None = None
    body: Body | None = None
    admission: Admission | None = None
    way: Way | None = None
    upload: Upload = field(default_factory=Upload)
    download: Download = field(default_factory=Download)
    status: int | None = None
    left: bool = False
    concluded: bool = False
    complete: bool = False
    give_up: Callable[[], None] | None = None
    taps: tuple[Tap, ...] = ()
    meter: usage.Tap | None = None
    said: Said = ()

    @property
    def admitted(self) -> Admitted:
        """The admission. Raises BreachError where there is none, or where it was used up."""
        if not isinstance(self.admission, Admitted) or self.concluded:
            raise BreachError("no open admission")
        return self.admission

    def open_way(self, admission: Admission) -> None:
        """Take the gate's word. Raises BreachError if it names another host than it decided."""
        self.admission = admission
        if not isinstance(admission, Admitted):
            return
        request, pin = admission.request, admission.pin
        if (pin.name, pin.port) != (request.host, request.port):
            raise BreachError(f"decided {request.host}:{request.port}, pinned {pin.name}:{pin.port}")
        self.way = Way(request.host, request.port, request.scheme == "https", pin)
        self.link.calls.add(self)

    def forget_body(self) -> None:
        """Hold no body any longer: an answer may stream for hours."""
        self.body = None
        if isinstance(self.admission, Admitted) and not isinstance(self.admission.request.body, NoBody):
            self.admission = replace(self.admission, request=replace(self.admission.request, body=NoBody()))


def check_pass(link: Link, way: Way) -> Pin:
    """Give the address to connect to. Raises BreachError unless an open admission of this client names that very way."""
    if any(call.way == way for call in link.calls):
        return way.pin
    raise BreachError(f"no pass to {way.host}:{way.port}")


def conclude(gate: Judge, call: Call, result: Result, *, error: str = "") -> None:
    """Record what became of a call, if it was admitted and nothing was recorded yet."""
    if call.concluded or not isinstance(call.admission, Admitted):
        return
    admitted, call.concluded = call.admission, True
    call.link.calls.discard(call)
    whole = result in _WHOLE
    for tap in call.taps:
        tap.end(call.status or 0, call.said, whole=whole)
    outcome = Outcome(
        result=result,
        status=call.status,
        sent=call.upload.count,
        received=call.download.count,
        body=call.upload.digest,
        error=error,
        usage=used(call.meter, whole=call.complete),
        least=call.meter.least if call.meter is not None else 0,
    )
    gate.conclude(admitted, outcome)


def unfinished(call: Call) -> Result:
    """What to record of a call that ends here, without an answer."""
    return Result.UNKNOWN if call.left else Result.ABANDONED
