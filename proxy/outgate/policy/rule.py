"""Rule and policy: what an operator wrote, checked and ready to decide with. A policy is a set, without order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from outgate.digest import sha256
from outgate.policy.effect import Effect, Mode, Phase
from outgate.policy.index import Index

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from outgate.actions.action import Action
    from outgate.errors import Problem
    from outgate.intake.agents import Agent
    from outgate.policy.conditions import Condition, Language
    from outgate.policy.hours import Hours
    from outgate.policy.limits import Limit
    from outgate.policy.matching import Scope

OTHERWISE = "otherwise"
"""The id under which a decision names what holds where no rule allows. No rule may have it."""
DEFAULT_MOCK = "default"
"""What answers for services that have no mock of their own."""
EVERYBODY = 100
"""Percent of agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where `scope` and conditions hold, ask for `effect`.

    `mode` is the rule's own, `ceiling` its file's. `on_error` is what a restriction asks for when it can't be told whether
    it holds; never less than `effect`. `on_too_large`, where it is said, is that instead where the body is too large to tell.
    With a `limit` it is only for what goes over it; `models` are the services of which the limit counts what language models
    use. `rollout` is for how many of a hundred agents it is enforced; for the others it is observed. `place` is where it
    stands, for messages.
    """

    id: str
    scope: Scope
    effect: Effect
    when: Condition | None = None
    unless: Condition | None = None
    on_error: Effect = Effect.BLOCK
    on_too_large: Effect | None = None
    mode: Mode = Mode.ENFORCE
    ceiling: Mode = Mode.ENFORCE
    limit: Limit | None = None
    models: frozenset[str] = frozenset()
    rollout: int = EVERYBODY
    phase: Phase = Phase.REQUEST
    tell: str = ""
    to: str = ""
    why: str = ""
    place: Problem | None = field(default=None, compare=False)

    @property
    def acts(self) -> Mode:
        """How much it does: never more than its file."""
        return min(self.mode, self.ceiling)

    def acts_on(self, agent: Agent) -> Mode:
        """How much it does to this agent: never more than the agent's own ceiling, nor than its rollout has come to."""
        acts = self.acts
        if acts is Mode.ENFORCE and (agent.observe or not self._reaches(agent)):
            return Mode.OBSERVE
        return acts

    def _reaches(self, agent: Agent) -> bool:
        """Stable: the same agents at each request, and more of them, never others, when it is rolled out further."""
        return self.rollout >= EVERYBODY or _hundredth(self.id, agent.id) < self.rollout

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in (self.when, self.unless) if condition is not None)

    @property
    def reads(self) -> frozenset[str]:
        """The names that its conditions read."""
        return frozenset().union(*(condition.reads for condition in self.conditions))


def _hundredth(rule: str, agent: str) -> int:
    return int(sha256(f"{rule}\0{agent}".encode()).removeprefix("sha256:"), 16) % EVERYBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """What one file says where no rule allows: by tier, and for what no table knows by whether it reads."""

    tiers: tuple[Effect, Effect, Effect, Effect]
    read: Effect
    other: Effect
    to: str = ""
    ceiling: Mode = Mode.ENFORCE

    def effect(self, action: Action) -> Effect:
        if action.mapped:
            return self.tiers[action.tier]
        return self.read if action.access.only_reads else self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvers:
    """Who may approve: `need` of `of` (names of people, or `group:` and a group's name), within a time.

    `owner`: whether the agent's own owner may be one of them. `place` is where it stands, for messages.
    """

    need: int
    of: tuple[str, ...]
    within: timedelta
    owner: bool = False
    place: Problem | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock:
    """What answers instead of a real service: another address, what an OpenAPI document describes, or else canned answers.

    `beside` is the folder of the policy file, from which the document's path is seen.
    """

    url: str = ""
    openapi: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything loaded, as one set.

    `digest` names what was written; it does not change with `with_mode`. `mode` is the most that anything in it may do.
    """

    name: str
    digest: str
    mode: Mode
    rules: tuple[Rule, ...] = ()
    otherwise: tuple[Otherwise, ...] = ()
    approvers: Mapping[str, Approvers] = field(default_factory=dict)
    hours: Mapping[str, Hours] = field(default_factory=dict)
    mocks: Mapping[str, Mock] = field(default_factory=dict)
    index: Index = field(init=False, compare=False, repr=False)
    answers: Index = field(init=False, compare=False, repr=False)
    """The rules that are asked of answers."""
    messages: Index = field(init=False, compare=False, repr=False)
    """Those that are asked of each message."""
    reads: Mapping[Language, frozenset[str]] = field(init=False, compare=False, repr=False)
    """By language, every name that a condition reads, of rules that do anything."""

    def __post_init__(self) -> None:
        acting = tuple(rule for rule in self.rules if rule.acts is not Mode.DISABLED)
        object.__setattr__(self, "index", Index.of(rule for rule in acting if rule.phase is Phase.REQUEST))
        object.__setattr__(self, "answers", Index.of(rule for rule in acting if rule.phase is Phase.RESPONSE))
        object.__setattr__(self, "messages", Index.of(rule for rule in acting if rule.phase is Phase.STREAM))
        reads: dict[Language, frozenset[str]] = {}
        for condition in (condition for rule in acting for condition in rule.conditions):
            reads[condition.language] = reads.get(condition.language, frozenset()) | condition.reads
        object.__setattr__(self, "reads", MappingProxyType(reads))

    def with_mode(self, mode: Mode) -> Policy:
        """The same, with another ceiling for every file: `observe` to try it, `enforce` to mean it. A rule's own mode stays."""
        if mode is Mode.DISABLED:
            raise ValueError("a gate without a policy lets nothing out, and one that is disabled is none")
        return replace(
            self,
            mode=mode,
            rules=tuple(replace(rule, ceiling=mode) for rule in self.rules),
            otherwise=tuple(replace(said, ceiling=mode) for said in self.otherwise),
        )

    def base(self, action: Action, *, observe: bool = False) -> tuple[Effect, Effect]:
        """What holds where no rule allows: by what is enforced, and by everything. Where nothing says so, block.

        `observe`: for an agent on which nothing is enforced.
        """
        if not self.otherwise:
            return Effect.BLOCK, Effect.BLOCK
        said = [(one.effect(action), one.ceiling) for one in self.otherwise]
        observed = max((effect for effect, ceiling in said if ceiling is not Mode.DISABLED), default=Effect.ALLOW)
        if observe:
            return Effect.ALLOW, observed
        return max((effect for effect, ceiling in said if ceiling is Mode.ENFORCE), default=Effect.ALLOW), observed

    def asked(self, action: Action, effect: Effect, mode: Mode) -> tuple[str, ...]:
        """Who is asked where no rule allows: the approvers of every file that says `effect`, the strictest, for this action."""
        asked = {one.to for one in self.otherwise if one.ceiling >= mode and one.effect(action) is effect}
        return tuple(sorted(asked - {""})) or ("",)
