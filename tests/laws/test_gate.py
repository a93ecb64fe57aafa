"""Laws of the path of one request: whatever is asked, and whatever breaks."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from gated import MOCK
from hypothesis import given, settings
from hypothesis import strategies as st
from policies import CATALOG, written

from outgate.errors import UnavailableError
from outgate.gate import Admitted, Gate, Ground, Refused
from outgate.intake.agents import Agent
from outgate.intake.destinations import Destinations
from outgate.intake.request import NoBody, RawRequest, Tunnel, UnreadBody, WholeBody
from outgate.net.lookup import Lookup
from outgate.net.resolver import SystemResolver
from outgate.policy.load import load
from outgate.receipts.receipt import Outcome, Result
from outgate.receipts.verify import LogCheck
from outgate.stores.memory import MemoryDesk, MemoryJournal, MemoryLedger
from outgate.telemetry.tally import Tally
from outgate.worker.inline import Inline

RULES = """
- {id: no-deletes, match: {access: delete}, effect: block}
- {id: no-secrets, match: {data: [secret]}, effect: block}
- {id: newcomers, match: {method: POST}, when: agent.age < days(7), effect: escalate}
- {id: rate, match: {method: PATCH}, limit: 60/min, effect: throttle}
- {id: played, match: {service: payments}, effect: sandbox}
"""
MOCKS = "mocks: {default: {url: 'http://mock.test:8099'}}"
ALLOW = "otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}"
POLICIES = [
    load([("law.yaml", written(RULES, mode=mode, otherwise=ALLOW, more=MOCKS))], CATALOG) for mode in ("enforce", "observe")
]
PORTS = ("resolver", "ledger", "desk", "switch", "mocks", "observer", "clock", "journal")

HOSTS = st.sampled_from([b"api.crm.test", b"api.payments.test", b"API.crm.test", b"10.0.0.1", b"169.254.169.254", b"[::1]"])
METHODS = st.sampled_from([b"GET", b"POST", b"DELETE", b"PATCH"])
TARGETS = st.sampled_from([b"/", b"/contacts/7", b"/a?b=c", b"/search?q=x"])
NOISE = st.binary(max_size=20) | st.sampled_from([b"", b"x y", b"api.crm.test.", b"a\r\nb"])
BODIES = (
    st.just(NoBody())
    | st.builds(WholeBody, st.binary(max_size=50))
    | st.builds(UnreadBody, st.none() | st.integers(0, 2**40), st.booleans())
)


@st.composite
def raw_requests(draw):
    """A request as clients make them, with nonsense in one place half of the time."""
    host, secure = draw(HOSTS), draw(st.booleans())
    said = {
        "method": draw(METHODS),
        "scheme": b"" if secure else b"http",
        "authority": b"" if secure else host,
        "target": draw(TARGETS),
        "version": b"HTTP/1.1",
        "headers": ((b"host", host), (b"x-a", draw(st.sampled_from([b"1", b"ghp_" + b"a" * 36])))),
        "tunnel": Tunnel(host=host, port=443, sni=host) if secure else None,
    }
    spoilt = draw(st.sampled_from([*[""] * (2 * len(said)), *said]))
    if spoilt == "headers":
        said["headers"] += ((draw(st.just(b"host") | NOISE), draw(HOSTS | NOISE)),)
    elif spoilt == "tunnel":
        said["tunnel"] = Tunnel(host=draw(HOSTS | NOISE), port=draw(st.integers(-1, 70000)), sni=draw(st.none() | NOISE))
    elif spoilt:
        said[spoilt] = draw(NOISE)
    return RawRequest(**said)


class Broken(Exception):  # noqa: N818  # what it is, not what it is about
    pass


class World:
    """A gate of which some ports raise."""

    def __init__(self, policy, broken):
        self.journal, self.told = MemoryJournal(), []
        ports = {
            "resolver": SystemResolver(
                destinations=Destinations(),
                lookup=Lookup(monotonic=lambda: 0.0, ask=lambda _: (ip_address("93.184.216.34"),)),
                own=(),
                fenced=True,
                monotonic=lambda: 0.0,
            ),
            "ledger": MemoryLedger(),
            "desk": MemoryDesk(),
            "switch": self,
            "mocks": self,
            "observer": Tally(),
            "clock": self,
            "examiner": Inline(),
            "journal": self.journal,
        }
        for port in broken - {"journal"}:
            ports[port] = _Raises()
        if "journal" in broken:
            self.journal.fail("the disk is full")
        self.gate = Gate(
            ground=Ground(policy=policy, catalog=CATALOG), alarm=self, entropy=os.urandom, hold=timedelta(0), **ports
        )

    def now(self):
        return datetime(2026, 1, 31, tzinfo=UTC)

    def monotonic(self):
        return 0.0

    def steady(self):
        return True

    def halted(self, agent, services=()):
        return None

    async def way(self, service, mock):
        return MOCK

    def raise_for(self, error, doing):
        self.told.append((error, doing))


class _Raises:
    def __getattr__(self, name):
        raise Broken(name)


@settings(max_examples=400)
@given(raw_requests(), BODIES, st.sampled_from(POLICIES), st.just(frozenset()) | st.frozensets(st.sampled_from(PORTS)))
def test_whatever_is_asked_and_whatever_breaks_only_what_is_on_record_is_let_out(raw, body, policy, broken):
    world = World(policy, broken)
    admission = asyncio.run(_asked(world, raw, body))
    check = LogCheck("memory", world.journal.key.public)
    for line in world.journal.lines:
        check.feed(line)
    report = check.finish()
    assert report.bad is None
    assert report.decisions <= 1
    match admission:
        case Admitted(stamp=stamp, pin=pin, request=request, mocked=mocked):
            assert not broken & {"switch", "observer", "clock", "journal", "mocks" if mocked else "resolver"}
            assert report.open == {stamp.seq}
            assert (pin.name, pin.port) == (request.host, request.port)
        case Refused(reply=reply):
            assert 400 <= reply.status < 600 or reply.status == 200, "git and JSON-RPC say it in a 200"
            assert report.open == set(), "what is not handed out owes nothing"
            assert (admission.stamp is None) == (report.decisions == 0)
            assert world.told or not broken & {"journal", "clock"}


async def _asked(world, raw, body):
    return await world.gate.admit(world.gate.open(raw, Agent(id="law")), body)


@given(raw_requests(), st.sampled_from(Result), st.booleans())
def test_every_admission_is_concluded_once_and_nothing_raises(raw, result, fails):
    async def all_of_it():
        world = World(POLICIES[1], frozenset())
        admission = await world.gate.admit(world.gate.open(raw, Agent(id="law")), NoBody())
        if isinstance(admission, Admitted):
            if fails:
                world.journal.fail("the disk is full")
            world.gate.conclude(admission, Outcome(result=result))
            assert [type(error) for error, _ in world.told] == [UnavailableError] * fails
            assert [receipt.type for receipt in world.journal.receipts] == ["decision"] + ["outcome"] * (not fails)
            await world.gate.settled()

    asyncio.run(all_of_it())
