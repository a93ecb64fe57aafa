"""What happens at each point of a connection: the gate is asked, and what it says is done."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from outgate.answer.render import render
from outgate.answer.reply import Refusal
from outgate.gate import HALTED, Opening, Refused
from outgate.inspect.prices import warm
from outgate.intake.request import NoBody, Unreadable, UnreadBody
from outgate.mitm import told, translate
from outgate.mitm.allowance import Allowance, size_of
from outgate.mitm.enforce import BreachError, Call, Failure, check_pass, conclude, unfinished
from outgate.mitm.keeping import Budget, Gathering, Shelf
from outgate.mitm.leaves import leaf_name
from outgate.mitm.original import tunnel_for
from outgate.mitm.pool import Pool
from outgate.mitm.taps import meter_for
from outgate.policy.decision import Reason, refusal
from outgate.receipts.receipt import Result

if TYPE_CHECKING:
    from pathlib import Path

    from mitmproxy import http

    from outgate.answer.reply import Reply
    from outgate.conversing import Conversation
    from outgate.gate import Admitted
    from outgate.intake.agents import Agent
    from outgate.intake.certificates import Shown
    from outgate.intake.request import Body, Tunnel
    from outgate.mitm.doors import Doors, TurnedAway
    from outgate.mitm.enforce import Judge, Outside, Way
    from outgate.mitm.link import Limits, Link
    from outgate.mitm.notes import Notes
    from outgate.mitm.pace import Overdue
    from outgate.mitm.sessions import Resumable
    from outgate.mitm.tls import Handshakes
    from outgate.mitm.wire import Upstream
    from outgate.policy.decision import Decision
    from outgate.ports import Pin

_H2: Final = b"h2"
_H1: Final = b"http/1.1"
_KNOWN_UPSTREAMS: Final = 4096
_BODY_AND_NONE: Final = Unreadable(status=400, why="The request declares a body and ends without one.")


class Addon:
    """One method a point. What raises in any of them aborts the connection: see `handler.py`."""

    def __init__(  # noqa: PLR0913  # what the points share
        self,
        *,
        gate: Judge,
        outside: Outside,
        handshakes: Handshakes,
        notes: Notes,
        doors: Doors,
        limits: Limits,
        spool: Path | None = None,
    ) -> None:
        self.handshakes = handshakes
        self.pool = Pool()
        self.doors = doors
        self._outside = outside
        self._gate = gate
        self._notes = notes
        self._limits = limits
        self._budget = Budget(limits.bodies, limits.agent_bodies)
        self._shelf = Shelf(memory=self._budget, disk=Budget(limits.spool, limits.agent_spool), folder=spool)
        self._allowance = Allowance(bytes=limits.refusals)
        self._h2: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._priced = False

    # the client's connection

    def client_connected(self, link: Link) -> None:
        """A client is there. Whose it is follows from where it came in, or from what it proves, and from nothing else."""

    def identify(self, link: Link, request: http.Request) -> TurnedAway | None:
        """Tell whose a request is that came outside of tunnels. None: known; nothing else happens to it before that."""
        return self.doors.identify(link, request.headers.fields)

    def identify_by_place(self, link: Link) -> TurnedAway | None:
        """Tell whose a connection is that was turned to us: nobody can show there who it is."""
        return self.doors.identify_by_place(link)

    def unreadable(self, link: Link, problem: Unreadable) -> Reply:
        """Something that is no request came from somebody whom nobody knows."""
        return self.doors.unreadable(link, problem)

    def introduced(self, link: Link, login: tuple[bytes, bytes] | None) -> TurnedAway | None:
        """Tell whose a tunnel is that is asked for with a name and a token, or with nothing."""
        return self.doors.introduced(link, login)

    def certified(self, link: Link, shown: Shown) -> None:
        """Tell whose a connection is by the certificate that was shown on it, and proven."""
        self.doors.certified(link, shown.marks if shown.holds(self._outside.now()) else frozenset())

    def entry_refused(self, link: Link, what: str) -> None:
        """What somebody sent to come in is not followed. `what` is in our own words."""
        if link.known is None:
            self.doors.garbled(link, what)
        else:
            self._notes.add("tunnel-refused", link.known, host="", port=0, detail=what)

    def client_disconnected(self, link: Link) -> None:
        """Give every admission that is still open its outcome."""
        for kept in tuple(link.kept):
            kept.over()
        link.holds(0)
        errors = []
        for call in tuple(link.calls):
            try:
                conclude(self._gate, call, unfinished(call), error=link.ending)
            except Exception as error:  # noqa: BLE001  # each of the others is still owed its own
                errors.append(error)
        if errors:
            raise ExceptionGroup("outcomes were not recorded", errors)

    def http_connect(self, link: Link, tunnel: Tunnel) -> None:
        """A well-formed CONNECT: its requests are refused or not inside, where clients read the answer."""
        link.tunnel = tunnel

    def unread(self, link: Link) -> int | None:
        """Say up to how many bytes a tunnel's TLS is passed on unread. None: it is ours to read."""
        return self._outside.unread(_leads_to(link)[0])

    def unnamed(self, link: Link, why: str) -> None:
        """TLS that would be passed on unread names no host: nothing says where it leads."""
        host, port = _leads_to(link)
        self._notes.add("tunnel-refused", link.agent, host=host, port=port, detail=why)

    def named(self, link: Link, name: str) -> None:
        """It names this one."""
        if link.tunnel is None:
            raise BreachError("TLS outside a tunnel")
        link.tunnel = replace(link.tunnel, sni=name.encode("ascii"), tls=True)

    def tunnel_refused(self, link: Link, data: bytes) -> None:
        """Something else than TLS or HTTP came through a tunnel."""
        host, port = _leads_to(link)
        self._notes.add("tunnel-refused", link.agent, host=host, port=port, detail=told.kind_of(data))

    def transparent_refused(self, link: Link, why: str) -> None:
        """A connection that was turned to us names nobody that could be decided on."""
        host, port = _leads_to(link)
        self._notes.add("tunnel-refused", link.agent, host=host, port=port, detail=why)

    def called(self, address: str) -> str:
        """What the agent was told that an address is the address of; else the address. For notes alone."""
        return self._outside.called(address)

    def malformed(self, link: Link, what: str) -> None:
        """What came on a connection broke its protocol, so that it ends without an answer."""
        host, port = _leads_to(link)
        self._notes.add("tunnel-refused", link.known, host=host, port=port, detail=f"malformed {what}")

    def bounded(self, limit: str) -> None:
        """A limit was run into. What is refused or ended for it is on record by itself."""
        self._outside.bounded(limit)

    def bounded_unasked(self, link: Link, limit: str) -> None:
        """The same, where nothing was asked that could be refused: a connection ends, and that is noted."""
        self.bounded(limit)
        host, port = _leads_to(link)
        self._notes.add("limit-reached", link.known, host=host, port=port, detail=limit)

    def turned_off(self, agent: Agent | None, limit: str) -> None:
        """Somebody more came than a limit lets in, and is hung up on."""
        self.bounded(limit)
        self._notes.add("limit-reached", agent, host="", port=0, detail=limit)

    def overdue(self, call: Call, late: Overdue) -> Reply:
        """An admitted call is over a limit of time or size. Give what the client gets, where it got nothing yet."""
        failure, limit = late
        self.bounded(limit)
        return self.error(call, failure, f"{failure.value}: {limit}")

    def tls_clienthello(self, link: Link, sni: bytes | None) -> str:
        """Remember what was asked for. Give the one name for the leaf."""
        if link.tunnel is None:
            raise BreachError("TLS outside a tunnel")
        link.tunnel = replace(link.tunnel, sni=sni, tls=True)
        asked = sni.decode("ascii", "replace") if sni else None
        name = leaf_name(asked, link.tunnel.host.decode("ascii"))
        if name is None:
            raise BreachError("a tunnel to no name")
        return name

    def alpn(self, link: Link, offers: list[bytes]) -> bytes | None:
        """Agree on HTTP/2 where the client has nothing else, or where the upstream is known to have it."""
        host, port = _leads_to(link)
        if _H2 in offers and (_H1 not in offers or (host, port) in self._h2):
            return _H2
        return _H1 if _H1 in offers else None

    def tls_failed_client(self, link: Link, reason: str) -> None:
        """The client hung up on our certificate."""
        host, port = _leads_to(link)
        self._notes.add("trust-failed", link.agent, host=host, port=port, detail=reason[:80])

    # the request

    def requestheaders(self, link: Link, request: http.Request, *, ended: bool, problem: Unreadable | None) -> Call:
        """Read a head. Where a body is not wanted, or can't be had, it is ready to be decided."""
        raw = translate.raw_request(request, tunnel_for(link, request))
        length = translate.declared_length(raw.headers)
        if ended and length:
            problem = _BODY_AND_NONE
        if problem is not None:
            opening = Opening(agent=link.agent, reading=problem, wants_body=False)
        else:
            opening = self._gate.open(raw, link.agent)
        call = Call(link=link, raw=raw, opening=opening, ended=ended, length=length)
        if (wait := self._allowance.wait(link.agent.id, time.monotonic())) > 0:
            self._refuse_unrecorded(call, wait)
            return call
        if link.share is not None and not link.share.has_room:
            self.bounded("requests")
            self._refuse_unrecorded(call, 1.0, "requests", told.AT_ONCE)
            return call
        too_large = length is not None and length > self._limits.body
        if ended:
            call.body = NoBody()
        elif not opening.wants_body or too_large:
            call.body = UnreadBody(length=length, too_large=opening.wants_body)
        return call

    def gathering(self, link: Link) -> Gathering:
        """Begin to keep a body."""
        return Gathering(self._shelf, link, self._limits.body)

    async def request(self, call: Call) -> None:
        """Decide. What comes back is an admission, with its receipt on disk, or a refusal."""
        if call.body is None:
            raise BreachError("decided before its body was there")
        if call.admission is not None:
            await asyncio.sleep(0)  # thousands of these may come at once: others have their turn in between
            return
        try:
            admission = await self._gate.admit(call.opening, call.body)
        except asyncio.CancelledError:
            self._spend(call)  # given up, and on record all the same
            raise
        if isinstance(admission, Refused):
            self._spend(call, admission.decision)
        call.open_way(admission)
        if call.link.gone:
            self.client_left(call)

    def _spend(self, call: Call, decision: Decision | None = None) -> None:
        """Charge what a receipt took."""
        self._allowance.spend(call.link.agent.id, size_of(decision, len(call.raw.target)), time.monotonic())

    def client_left(self, call: Call) -> None:
        """The client gave this one up."""
        conclude(self._gate, call, unfinished(call), error=call.link.ending)

    def halted(self, call: Call) -> Reply:
        """A halt covers it: record what became of it. Give what the client gets, where it got nothing yet."""
        admitted = call.admitted
        conclude(self._gate, call, unfinished(call), error="halted")
        tell = told.HALTED_LATE if call.left else HALTED
        return render(
            Refusal(status=403, answer="block", kind="halted", tell=tell, receipt=str(admitted.stamp)), admitted.request
        )

    def opaque(self, link: Link) -> Call:
        """A tunnel whose bytes nobody will read: it is decided as one request, for what its ClientHello and CONNECT say."""
        raw = translate.opaque_request(link.tunnel)
        opening = replace(self._gate.open(raw, link.agent), wants_body=False)
        call = Call(link=link, raw=raw, opening=opening, ended=True, body=NoBody())
        if (wait := self._allowance.wait(link.agent.id, time.monotonic())) > 0:
            self._refuse_unrecorded(call, wait)
        elif link.share is not None and not link.share.has_room:
            self.bounded("requests")
            self._refuse_unrecorded(call, 1.0, "requests", told.AT_ONCE)
        return call

    def may_pass_unread(self, call: Call) -> bool:
        """Whether no rule would have to read what passes, and nothing stands in for the host. Else it is over: nothing left."""
        admitted, conversation = call.admitted, self._gate.converse(call.admitted)
        enforced = conversation is None or (conversation.enforced and not admitted.agent.observe)
        read = admitted.review or (conversation is not None and conversation.both_heard)
        if admitted.mocked or (enforced and read):
            conclude(self._gate, call, Result.REFUSED, error="a rule must read what passes, and here nobody can")
            return False
        return True

    def opaque_over_bound(self, call: Call) -> None:
        """More passed than may pass unread."""
        self.bounded("max_bytes")
        conclude(self._gate, call, Result.UNKNOWN, error="over max_bytes")

    # the upstream

    def server_connect(self, link: Link, way: Way) -> Pin:
        """Check the pass."""
        return check_pass(link, way)

    def server_connected(self, link: Link, way: Way, peername: Any) -> None:
        """Check, before a byte is sent, that this is the address that was judged."""
        pin = check_pass(link, way)
        if (ipaddress.ip_address(peername[0]), peername[1]) != (ipaddress.ip_address(pin.address), pin.address_port):
            raise BreachError("connected to another address than was judged")

    def tls_start_server(self, link: Link, upstream: Upstream, name: str, client_alpn: bytes | None) -> Resumable:
        """Offer what the client's side speaks: no request is turned into HTTP/2 for an upstream."""
        both = client_alpn == _H2 and name == upstream.way.pin.name
        return self.handshakes.resumable(link.agent.id, name, upstream.way, (_H2, _H1) if both else (_H1,))

    def proxy_credentials(self, way: Way) -> list[tuple[bytes, bytes]]:
        """Give the lines that an upstream proxy, and nobody else, is shown."""
        return translate.proxy_credentials(way.pin.via or "", self._outside.credentials(way.host))

    def tls_established_server(self, upstream: Upstream) -> None:
        """Remember who speaks HTTP/2."""
        if upstream.alpn == _H2:
            self._remember_h2(upstream.way)

    def tls_refused_alpn(self, upstream: Upstream) -> None:
        """It has no HTTP/1.1: the next client that can gets HTTP/2."""
        self._remember_h2(upstream.way)

    def server_connect_error(self, call: Call, error: str) -> Reply:
        """No connection was had: not one byte of the request left."""
        failure = next((f for f in Failure if error.startswith(f.value)), Failure.HANDSHAKE)
        if failure is Failure.UNREACHED:
            self._outside.unreached(call.admitted.pin)
        elif failure is Failure.UNTRUSTED:
            self._outside.untrusted(call.admitted.request.host)
        return self.error(call, failure, error if error.startswith(failure.value) else f"{failure.value}: {error}")

    # the answer

    def request_leaves(self, call: Call) -> None:
        """From here on, bytes may have left."""
        _ = call.admitted
        call.left = True

    def responseheaders(self, call: Call, response: http.Response, request: http.Request, *, ended: bool) -> http.Response:
        """Write the head for the client. Raises BadAnswerError for what can't be passed on."""
        admitted = call.admitted
        if response.status_code == 101:
            answer = translate.switched(response, admitted.request)
        else:
            answer = translate.answer_response(response, request, ended=ended)
        call.status = response.status_code
        if admitted.usage or admitted.review or self._outside.recorder is not None:
            self._read_along(call, admitted, response)
        return translate.mocked(answer, str(admitted.stamp)) if admitted.mocked else answer

    async def review(self, call: Call, body: Body) -> Reply | None:
        """Have the gate read a whole answer of which the client got nothing yet. A reply: the answer is withheld for it."""
        reply = await self._gate.review(call.admitted, call.status or 0, call.said, body)
        if reply is not None:
            conclude(self._gate, call, Result.WITHHELD)
        return reply

    def response(self, call: Call) -> None:
        """The whole answer came."""
        conclude(self._gate, call, Result.MOCKED if call.admitted.mocked else Result.EXECUTED)

    def error(self, call: Call, failure: Failure, detail: str = "") -> Reply:
        """Record what became of it. Give what the client gets, where it got nothing yet."""
        admitted = call.admitted
        conclude(self._gate, call, Result.UNKNOWN if call.left else Result.REFUSED, error=detail[:200] or failure.value)
        receipt = str(admitted.stamp)
        if admitted.mocked:
            said = Refusal(status=403, answer="block", kind="sandbox-only", tell=told.NO_MOCK, receipt=receipt)
        else:
            status = told.STATUS.get(failure, 502)
            said = Refusal(status=status, answer="allow", kind="upstream", tell=told.TOLD[failure], receipt=receipt)
        return render(said, admitted.request)

    def websocket_start(self, call: Call) -> Conversation | None:
        """An admitted WebSocket begins. Gives who decides on what is said in it, if anybody does."""
        return self._gate.converse(call.admitted)

    def websocket_message(self, call: Call) -> None:
        """A message passes."""
        _ = call.admitted

    def conversation(self, call: Call) -> Conversation | None:
        """Who decides on the messages of a body, one by one, if anybody does. It keeps no body of its own."""
        admitted = call.admitted
        return self._gate.converse(replace(admitted, request=replace(admitted.request, body=NoBody())))

    @property
    def room(self) -> Budget:
        """What is held whole in memory, by all and by each agent: bodies, and messages that wait."""
        return self._budget

    def message_refused(self, call: Call, tell: str) -> Reply:
        """A message is not passed on, and ends its call. Gives what the client gets, where it got nothing yet."""
        admitted = call.admitted
        done = Result.MOCKED if admitted.mocked else Result.EXECUTED if call.status is not None else Result.UNKNOWN
        conclude(self._gate, call, done if call.left else Result.REFUSED, error="a message was refused")
        said = Refusal(status=403, answer="block", kind="blocked", tell=tell, receipt=str(admitted.stamp))
        return render(said, admitted.request)

    def websocket_end(self, call: Call, *, error: str = "") -> None:
        """It is over."""
        conclude(self._gate, call, Result.MOCKED if call.admitted.mocked else Result.EXECUTED, error=error)

    def _read_along(self, call: Call, admitted: Admitted, response: http.Response) -> None:
        call.said = translate.said(response)
        call.meter = meter_for(admitted, response.status_code, call.said, self._outside.now())
        if call.meter is not None and not self._priced:
            self._priced = True
            asyncio.get_running_loop().run_in_executor(None, warm)  # before the first answer is whole, and beside the loop
        recorder = self._outside.recorder and self._outside.recorder(admitted)
        call.taps = (recorder,) if recorder is not None else ()

    def _refuse_unrecorded(self, call: Call, wait: float, why: str = "refusals", tell: str = told.TOO_MANY) -> None:
        """Refuse without asking the gate, whose every answer takes room on the disk. It is counted, and the count recorded."""
        agent = call.link.agent
        self._notes.add("unrecorded", agent, why=why)
        opening = replace(call.opening, wants_body=False)
        said = Refusal(
            status=429, answer="throttle", kind="over-limit", tell=tell, receipt="", retry_after=timedelta(seconds=wait)
        )
        reply = render(said, opening.reading)
        call.opening, call.body = opening, NoBody() if call.ended else UnreadBody(length=call.length)
        call.admission = Refused(reply=reply, decision=refusal(Reason.AGENT, tell), stamp=None)

    def _remember_h2(self, way: Way) -> None:
        self._h2[way.host, way.port] = None
        if len(self._h2) > _KNOWN_UPSTREAMS:
            self._h2.popitem(last=False)


def _leads_to(link: Link) -> tuple[str, int]:
    if link.tunnel is None:
        return "", 0
    return link.tunnel.host.decode("ascii").strip("[]").lower(), link.tunnel.port
