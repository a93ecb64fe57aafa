"""What goes into the gate and what comes out: an opening, and whether it may leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.inspect.estate import credential_of
from outgate.intake.destinations import Destinations
from outgate.keys.people import People
from outgate.policy.decide import needs
from outgate.policy.effect import Effect, Mode
from outgate.policy.facts import UNSAID, Estate
from outgate.ports import Pin, Reserved, Stamp

if TYPE_CHECKING:
    from outgate.actions.catalog import Catalog
    from outgate.answer.reply import Reply
    from outgate.intake.agents import Agent
    from outgate.intake.request import Request, Unreadable
    from outgate.policy.decision import Decision
    from outgate.policy.facts import Facts, Needs
    from outgate.policy.rule import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What requests are decided with. Swapped whole: a request is decided with one of them."""

    policy: Policy
    catalog: Catalog
    people: People = field(default_factory=People)
    destinations: Destinations = field(default_factory=Destinations)
    needs: Needs = field(init=False, repr=False, compare=False)
    asks: bool = field(init=False, repr=False, compare=False)
    """Something in the policy may need a person's approval: bodies must be whole, because people sign exact requests."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", needs(self.policy))
        object.__setattr__(self, "asks", _asks(self.policy))

    def estate(self, request: Request) -> Estate:
        """What the settings say of whose things and credentials these are, where some rule asks."""
        if not self.needs.estate:
            return UNSAID
        said = self.destinations.of(request.host)
        auth = self.catalog.auth_of(request)
        if auth is None or said.credentials is None:
            return Estate(owned=said.owned)
        return Estate(owned=said.owned, credential=credential_of(request, auth, said.credentials))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A request whose head was read. `wants_body`: hand `admit` the whole body, or say that it is too large.

    `by_message`: it is wanted for the data in it alone, and its messages are to be decided one by one instead.
    """

    agent: Agent
    reading: Request | Unreadable
    wants_body: bool
    by_message: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """May go out, now, as `request`, to `pin` and nowhere else. Owes one outcome.

    `mocked` names the service that a mock stands for; empty where the real one is asked. `approval` is the one whose grant
    was used. `owners` are the services that its host belongs to. `usage`: some limit counts what a model's answer used. `facts`
    and `ground` are kept where the answer is decided on too. `by_message`: of its body nothing may leave but messages that
    `Gate.converse` let pass.
    """

    request: Request
    agent: Agent
    decision: Decision
    pin: Pin
    stamp: Stamp
    mocked: str = ""
    approval: str = ""
    reserved: Reserved = field(default_factory=Reserved)
    usage: bool = False
    by_message: bool = False
    owners: frozenset[str] = frozenset()
    facts: Facts | None = field(default=None, repr=False)
    ground: Ground | None = field(default=None, repr=False)

    @property
    def review(self) -> bool:
        """Whether the whole answer must be handed to `Gate.review` before the client gets any of it."""
        return self.facts is not None

    @property
    def services(self) -> frozenset[str]:
        """What it is done to."""
        return frozenset(verdict.action.service for verdict in self.decision.verdicts)

    @property
    def touched(self) -> frozenset[str]:
        """What it is done to, and whose host it goes to: a halt of one of these cuts it."""
        return self.services | self.owners


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Stays here. `reply` is what the client gets. `stamp` is None when not even the receipt could be kept."""

    reply: Reply
    decision: Decision
    stamp: Stamp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Was asked of the gate itself, and is answered by it: nothing was decided, and nothing is to leave."""

    reply: Reply


type Admission = Admitted | Refused | Told


def _asks(policy: Policy) -> bool:
    said = (effect for one in policy.otherwise if one.ceiling is Mode.ENFORCE for effect in (*one.tiers, one.read, one.other))
    enforced = (rule.effect for rule in policy.rules if rule.acts is Mode.ENFORCE)
    erring = (rule.on_error for rule in policy.rules if rule.acts is Mode.ENFORCE and rule.effect.restricts)
    large = (rule.on_too_large for rule in policy.rules if rule.acts is Mode.ENFORCE)
    return Effect.ESCALATE in {*said, *enforced, *erring, *large}
