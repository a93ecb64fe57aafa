"""Quorum: whose signatures count, and whether they are enough. Pure: the same votes in any order stand the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from outgate.approvals.approval import State
from outgate.approvals.statement import NAMESPACE, to_sign, wants_hardware
from outgate.errors import EvidenceError
from outgate.keys import ssh

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from outgate.approvals.approval import Approval, Panel, Vote
    from outgate.keys.people import People
    from outgate.keys.ssh import SshSignature


class Wrong(StrEnum):
    """Why a vote does not count."""

    STATEMENT = "wrong-statement"
    """The approval's statement is not its own, or the signature is for the other decision."""
    PERSON = "not-on-the-panel"
    AGENT = "the-agent-itself"
    OWNER = "the-agents-owner"
    TIME = "late"
    """Received before it was asked for, or after it expired."""
    FORM = "no-signature"
    NAMESPACE = "wrong-namespace"
    KEY = "unknown-key"
    """None of this person's keys, now; or a key that more than one person claims."""
    HARDWARE = "not-a-hardware-key"
    SIGNATURE = "bad-signature"
    TWICE = "twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A vote that does not count, and why: a word for programs, a sentence for people."""

    vote: Vote
    wrong: Wrong
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far one panel is: who signed, and who else could."""

    panel: Panel
    have: frozenset[str] = frozenset()
    able: frozenset[str] = frozenset()

    @property
    def need(self) -> int:
        return max(1, self.panel.need)

    @property
    def missing(self) -> int:
        """How many signatures more."""
        return max(0, self.need - len(self.have))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an approval stands now. `denied` are the denials that count."""

    state: State
    tallies: tuple[Tally, ...] = ()
    refused: tuple[Refused, ...] = ()
    denied: tuple[Vote, ...] = ()


def judge(approval: Approval, people: People, now: datetime, *, hardware_only: bool = False) -> Standing:
    """Count what people said. A vote counts when all of this holds.

    1. the statement says what the approval says, byte for byte as it was written;
    2. its person is known, is not the agent, and stands on a panel;
    3. it was received between asking and expiry;
    4. its signature is whole, for our namespace, by a key that is this person's now and nobody else's;
    5. with `hardware_only`, or where the statement says so, an approval's key is in a device that was touched;
    6. the signature holds over this statement with this very decision in it.

    One denial that counts ends it, also that of the agent's owner. A grant can be used until it expires: after that
    nothing makes it one again.
    """
    bench = _Bench(approval, people, hardware_only=hardware_only)
    counted: dict[tuple[str, bool], Vote] = {}
    refused: list[Refused] = []
    for vote in sorted(approval.votes, key=lambda vote: (vote.at, vote.person, vote.deny, vote.key, vote.signature)):
        wrong = bench.wrong(vote)
        if wrong is None and (vote.person, vote.deny) in counted:
            wrong = (Wrong.TWICE, f"{vote.person} has signed already: two keys of one person are one person")
        if wrong is None:
            counted[vote.person, vote.deny] = vote
        else:
            refused.append(Refused(vote=vote, wrong=wrong[0], why=wrong[1]))
    tallies = tuple(bench.tally(panel, {person for person, deny in counted if not deny}) for panel in approval.panels)
    denied = tuple(vote for (_, deny), vote in counted.items() if deny)
    return Standing(state=_state(approval, tallies, denied, now), tallies=tallies, refused=tuple(refused), denied=denied)


def _state(approval: Approval, tallies: tuple[Tally, ...], denied: tuple[Vote, ...], now: datetime) -> State:
    if approval.used is not None:
        return State.USED
    if denied:
        return State.DENIED
    if now > approval.expires:
        return State.EXPIRED
    enough = bool(tallies) and not any(tally.missing for tally in tallies)
    return State.GRANTED if enough else State.PENDING


class _Bench:
    """Everything about one approval that its votes are held against."""

    def __init__(self, approval: Approval, people: People, *, hardware_only: bool) -> None:
        self._approval = approval
        self._people = people
        self._keys = _holders(people)
        self._eligible = {panel: self._able(panel) for panel in approval.panels}
        self._listed = people.among(who for panel in approval.panels for who in panel.of)
        try:
            self._messages = {deny: to_sign(approval, deny=deny) for deny in (False, True)}
            self._hardware_only = hardware_only or wants_hardware(approval)
            self._unbound = ""
        except EvidenceError as error:
            self._messages, self._hardware_only, self._unbound = {}, True, str(error)

    def wrong(self, vote: Vote) -> tuple[Wrong, str] | None:
        """Why a vote does not count; None where it does."""
        if self._unbound:
            return Wrong.STATEMENT, self._unbound
        if (found := self._wrong_person(vote)) is not None:
            return found
        if not self._approval.asked <= vote.at <= self._approval.expires:
            return Wrong.TIME, "received before it was asked for" if vote.at < self._approval.asked else "received too late"
        try:
            signed = ssh.parse_signature(vote.signature)
        except EvidenceError as error:
            return Wrong.FORM, str(error)
        try:
            ssh.check_namespace(signed, NAMESPACE)
        except EvidenceError as error:
            return Wrong.NAMESPACE, str(error)
        return self._wrong_key(vote, signed) or self._wrong_signature(vote, signed)

    def tally(self, panel: Panel, signed: set[str]) -> Tally:
        able = self._eligible[panel]
        return Tally(panel=panel, have=able & signed, able=able - signed)

    def _able(self, panel: Panel) -> frozenset[str]:
        """Who could sign for a panel."""
        barred = {self._approval.agent.lower()} | (set() if panel.owner else {self._approval.owner.lower()})
        return frozenset(self._people.among(panel.of) - barred)

    def _wrong_person(self, vote: Vote) -> tuple[Wrong, str] | None:
        who = vote.person
        if who not in self._listed:
            return Wrong.PERSON, f"{who} is on no panel of this approval"
        if who == self._approval.agent.lower():
            return Wrong.AGENT, "an agent never approves what it asks for"
        if not vote.deny and not any(who in able for able in self._eligible.values()):
            return Wrong.OWNER, f"{who} owns the agent, and its owner does not count here"
        return None

    def _wrong_key(self, vote: Vote, signed: SshSignature) -> tuple[Wrong, str] | None:
        public = signed.public
        holders = self._keys.get(str(public), frozenset())
        if vote.person not in holders or vote.key != public.fingerprint:
            return Wrong.KEY, f"{public.fingerprint} is no key of {vote.person} now"
        if len(holders) > 1:
            return Wrong.KEY, f"{public.fingerprint} is listed for more than one person, so it says nothing of who signed"
        if self._hardware_only and not vote.deny and not public.is_hardware:
            return Wrong.HARDWARE, "only hardware keys (sk-…) count here: an agent could have used any other"
        return None

    def _wrong_signature(self, vote: Vote, signed: SshSignature) -> tuple[Wrong, str] | None:
        try:
            ssh.check(signed, self._messages[vote.deny])
        except EvidenceError as error:
            if _holds(signed, self._messages[not vote.deny]):
                return Wrong.STATEMENT, f"signed to {'approve' if vote.deny else 'deny'}, and handed in as the other"
            return Wrong.SIGNATURE, str(error)
        return None


def _holders(people: People) -> Mapping[str, frozenset[str]]:
    """Who lists a key, by the key without its comment."""
    found: dict[str, set[str]] = {}
    for person in people.by_name.values():
        for key in person.keys:
            found.setdefault(" ".join(key.split()[:2]), set()).add(person.name)
    return {key: frozenset(names) for key, names in found.items()}


def _holds(signed: SshSignature, message: bytes) -> bool:
    try:
        ssh.check(signed, message)
    except EvidenceError:
        return False
    return True
