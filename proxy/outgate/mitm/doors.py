"""The doors: who comes in, who is turned away and with which words, and how long that takes."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from outgate.answer.render import render
from outgate.answer.reply import Refusal
from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Denied, claim_of, login_of
from outgate.intake.request import Unreadable
from outgate.mitm.shares import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from outgate.answer.reply import Reply
    from outgate.intake.credentials import Claim
    from outgate.mitm.link import Limits, Link
    from outgate.mitm.notes import Notes

type Door = Agent | str | None
"""Whose everything is that comes in there: an agent's; that of the one who is written down under a name; or whose proves it."""

_HEADER: Final = b"proxy-authorization"
_LITTLE: Final = 64 * 1024
"""Bytes that every client may send ahead, whatever others of its agent do."""
_PATIENCE: Final = 8
"""How often one connection may be asked who it is."""
_TOLD: Final = {
    Denied.NONE: "This egress gate serves agents that it knows. Put the agent's name and token into the proxy's URL, as in"
    " http://NAME:TOKEN@host:port.",
    Denied.MALFORMED: "These proxy credentials can't be read. They are Basic, an agent's name and its token.",
    Denied.UNKNOWN: "The egress gate does not know this name with this token. Ask its operator for a new one.",
    Denied.TOKEN: "The egress gate does not know this name with this token. Ask its operator for a new one.",
    Denied.REVOKED: "This agent was revoked by the people who run it. Stop; do not try another way.",
    Denied.ELSEWHERE: "This agent may not come from this address. Ask the operator; do not try another way.",
    Denied.CERTIFICATE: "This egress gate does not know this client certificate. Ask its operator; do not try another way.",
    Denied.ANOTHER: "This connection belongs to another agent. Open one for each.",
    Denied.AMBIGUOUS: "An address alone does not say which agent this is. Come by the proxy, with a name and a token.",
    Denied.CROWDED: "This agent has too many connections open. Close some, then try again.",
}
_STATUS: Final = {Denied.REVOKED: 403, Denied.ELSEWHERE: 403, Denied.CERTIFICATE: 403, Denied.CROWDED: 429}
_OPEN_AFTER: Final = frozenset({Denied.NONE, Denied.MALFORMED, Denied.UNKNOWN, Denied.TOKEN})
"""After these the connection stays: who was not asked for credentials before shows them now (RFC 9110, section 11.7)."""
_SLOWED: Final = frozenset(Denied) - {Denied.NONE, Denied.CROWDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """What somebody is told, after `delay` seconds. `closes`: it is the last word on this connection."""

    why: Denied
    delay: float
    closes: bool

    def reply(self) -> Reply:
        """407 asks who it is; 403 and 429 know. Nothing in it depends on what was asked."""
        said = Refusal(
            status=_STATUS.get(self.why, 407),
            answer="throttle" if self.why is Denied.CROWDED else "block",
            kind="agent",
            tell=_TOLD[self.why],
            receipt="",
            retry_after=timedelta(seconds=5) if self.why is Denied.CROWDED else None,
        )
        return render(said, Unreadable(status=400, why=said.tell))


@dataclass(slots=True, kw_only=True)
class Slowing:
    """How long each address waits for its next refusal: longer each time, up to a bound, and forgotten after a while.

    Who is let in waits for nothing, also where others fail at the same address.
    """

    first: float = 0.125
    most: float = 8.0
    forgotten: float = 300.0
    known: int = 4096
    _failed: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def failed(self, peer: str, now: float) -> float:
        """Count one more, give its delay in seconds."""
        place = _place_of(peer)
        count, last = self._failed.pop(place, (0, now))
        count = 1 if now - last > self.forgotten else count + 1
        self._failed[place] = (count, now)
        if len(self._failed) > self.known:
            self._failed.popitem(last=False)
        return float(min(self.most, self.first * 2 ** min(count - 1, 16)))


class Doors:
    """Knows who is inside, and who still stands at a door. What it keeps of either ends with the connection."""

    def __init__(  # what they go by
        self,
        *,
        notes: Notes,
        limits: Limits,
        agents: Agents,
        monotonic: Callable[[], float],
        bounded: Callable[[str], None] = lambda _limit: None,
    ) -> None:
        self.agents = agents
        self.bounded = bounded
        self._notes = notes
        self._limits = limits
        self._monotonic = monotonic
        self._slowing = Slowing()
        self._inside: defaultdict[str, set[Link]] = defaultdict(set)
        self._shares: dict[str, Share] = {}
        self._outside: dict[Link, None] = {}

    def arrive(self, link: Link) -> Link | None:
        """Somebody is at a door. Where too many stand there, give the one who has stood there longest, to be sent away."""
        if isinstance(link.door, Agent):
            self._let_in(link, link.door)
            return None
        self._outside[link] = None
        return next(iter(self._outside)) if len(self._outside) > self._limits.strangers else None

    def leave(self, link: Link) -> None:
        """Somebody is gone."""
        self._outside.pop(link, None)
        link.holds(0)
        link.share = None
        if link.known is not None:
            inside = self._inside[link.known.id]
            inside.discard(link)
            if not inside:
                del self._inside[link.known.id]
        elif link.asked and not link.refused:
            self._note(link, Denied.NONE)

    def identify(self, link: Link, fields: Iterable[tuple[bytes, bytes]]) -> TurnedAway | None:
        """Tell whose a request is that came outside of any tunnel. None: the connection's agent is known, and this is its.

        Who comes in by a door of its own is known by that, whatever it shows. Everybody else shows it with every request:
        a proxy between us may put requests of several agents on one connection, and none may go by the one before.
        """
        if link.turned is not None:
            return link.turned
        if link.door is not None:
            return self._by_door(link, link.door)
        shown = tuple(value for key, value in fields if key.lower() == _HEADER)
        if link.certified and not shown:
            return None
        return self._by_claim(link, claim_of(shown)) if shown else self._turned_away(link, Denied.NONE)

    def introduced(self, link: Link, login: tuple[bytes, bytes] | None) -> TurnedAway | None:
        """The same of somebody who shows a name and a token once, for one tunnel; None: they show nothing, or can't."""
        if link.door is not None:
            return self._by_door(link, link.door)
        return self._by_claim(link, login_of(*login)) if login is not None else self._turned_away(link, Denied.NONE)

    def _by_door(self, link: Link, door: Agent | str) -> TurnedAway | None:
        """Whose everything is that comes in there."""
        return None if isinstance(door, Agent) else self._by_name(link, door)

    def identify_by_place(self, link: Link) -> TurnedAway | None:
        """The same of a connection that was turned to us: its client knows of no gate, and is asked nothing."""
        if link.door is not None:
            return self._by_door(link, link.door)
        found = self.agents.at(link.peer)
        return self._turned_away(link, found) if isinstance(found, Denied) else self._admitted(link, found.agent)

    def unreadable(self, link: Link, problem: Unreadable) -> Reply:
        """What somebody is told who sent what is no request, before it was known who that is."""
        self.garbled(link)
        said = Refusal(status=problem.status, answer="block", kind="unreadable", tell=problem.why, receipt="")
        return render(said, problem)

    def certified(self, link: Link, marks: frozenset[str]) -> None:
        """Somebody proved to own a certificate with these marks. It is one agent's, or its first request is turned away.

        Where the door is one agent's, it must be that one's. Who shows a name and a token too shows the same agent's.
        """
        found = self.agents.whose(marks, link.peer)
        if isinstance(found, Denied):
            link.turned = self._turned_away(link, found)
            return
        name = found.agent.id
        match link.door:
            case None:
                link.turned = self._admitted(link, found.agent)
            case str() as own if own == name:
                link.turned = self._by_name(link, own)
            case Agent(id=own) if own == name:
                pass
            case _:
                link.turned = self._turned_away(link, Denied.ANOTHER, name)
        link.certified = name

    def garbled(self, link: Link, why: str = "unreadable") -> None:
        """Somebody of whom it is not known who they are sent what nobody can read, or did not prove to be anybody."""
        link.refused = True
        self._notes.add("stranger", None, host=link.peer, why=why, claimed="")

    def adopt(self, agents: Agents) -> tuple[Link, ...]:
        """Go by these from now on. Give the connections of those who may no longer be here; the others are as written now."""
        outdated = self.agents.outdated(agents)
        self.agents = agents
        for name, links in self._inside.items():
            if name in agents.by_name and name not in outdated:
                for link in links:
                    link.known = link.known if isinstance(link.door, Agent) else agents.by_name[name].agent
        here = ((name, link) for name, links in self._inside.items() for link in links if not isinstance(link.door, Agent))
        return tuple(link for name, link in here if name in outdated or self._is_anothers(link, name))

    def _is_anothers(self, link: Link, name: str) -> bool:
        """Whether who was known by an address alone is not known by it any more."""
        if link.scheme != "transparent" or link.door is not None:
            return False
        found = self.agents.at(link.peer)
        return isinstance(found, Denied) or found.agent.id != name

    def refuses(self, agent: str) -> str:
        """Give the limit that one more client of an agent is over; empty: it may come in."""
        return self._share(agent).refuses_client(self.count(agent), self._monotonic())

    def is_ahead(self, link: Link) -> bool:
        """Whether a client has sent so much ahead, by itself or with its agent's others, that it must not be read on."""
        if link.waiting <= _LITTLE:
            return False
        everybody = self._inside.get(link.agent.id, ())
        return link.waiting > self._limits.waiting or sum(one.waiting for one in everybody) > self._limits.agent_waiting

    def _share(self, agent: str) -> Share:
        if (found := self._shares.get(agent)) is None:
            found = self._shares[agent] = Share(limits=self._limits)
        return found

    def count(self, agent: str) -> int:
        """How many connections an agent has open."""
        return len(self._inside.get(agent, ()))

    @property
    def inside(self) -> tuple[str, ...]:
        """The agents that have a connection open."""
        return tuple(self._inside)

    def _by_name(self, link: Link, name: str) -> TurnedAway | None:
        if link.known is not None:
            return None
        found = self.agents.by_name.get(name)
        denied = Denied.REVOKED if found is None else found.denied(link.peer)
        if found is None or denied is not None:
            return self._turned_away(link, denied or Denied.REVOKED, name)
        return self._admitted(link, found.agent)

    def _by_claim(self, link: Link, claim: Claim | None) -> TurnedAway | None:
        if claim is None:
            return self._turned_away(link, Denied.MALFORMED)
        found = self.agents.who(claim, link.peer)
        if isinstance(found, Denied):
            named = claim.name if claim.name in self.agents.by_name else ""  # else it may be anything, a password too
            return self._turned_away(link, found, named)
        if link.known is None:
            return self._admitted(link, found.agent)
        return None if link.known.id == found.agent.id else self._turned_away(link, Denied.ANOTHER, found.agent.id)

    def _admitted(self, link: Link, agent: Agent) -> TurnedAway | None:
        if limit := self.refuses(agent.id):
            self.bounded(limit)
            return self._turned_away(link, Denied.CROWDED, agent.id)
        self._let_in(link, agent)
        return None

    def _let_in(self, link: Link, agent: Agent) -> None:
        link.known = agent
        link.share = self._share(agent.id)
        self._outside.pop(link, None)
        self._inside[agent.id].add(link)

    def _turned_away(self, link: Link, why: Denied, named: str = "") -> TurnedAway:
        link.asked += 1
        if why is not Denied.NONE:
            link.refused = True
            self._note(link, why, named)
        delay = self._slowing.failed(link.peer, self._monotonic()) if why in _SLOWED else 0.0
        closes = link.known is not None and why is not Denied.NONE
        return TurnedAway(why=why, delay=delay, closes=closes or why not in _OPEN_AFTER or link.asked >= _PATIENCE)

    def _note(self, link: Link, why: Denied, named: str = "") -> None:
        self._notes.add("stranger", None, host=link.peer, why=why.value, claimed=named)


def _place_of(peer: str) -> str:
    """An IPv6 network is one place: whoever has an address there has 2⁶⁴ of them."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return str(address)
