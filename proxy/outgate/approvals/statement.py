"""Statement: what people sign, as bytes; and what these bytes say, for whoever shows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote_plus

from outgate.actions.action import Money
from outgate.approvals.approval import Approval
from outgate.digest import canonical_ascii_keys, sha256
from outgate.errors import EvidenceError
from outgate.inspect.mask import printable, text, veiled
from outgate.policy.amounts import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from outgate.actions.action import Action, Param
    from outgate.approvals.approval import Panel
    from outgate.digest import Json
    from outgate.intake.agents import Agent
    from outgate.intake.message import Message
    from outgate.intake.request import Request
    from outgate.policy.decision import Decision, Verdict

TYPE = "outgate/approval/v1alpha"
NAMESPACE = "outgate"
"""Of signatures (`ssh-keygen -Y sign -n`): a signature made for anything else is none here."""
MOST_BYTES = 16 * 1024
APPROVE, DENY = "approve", "deny"

_MOST_PARAMS, _MOST_NAMES, _MOST_PANELS = 8, 16, 8
_STEPS = ((16, 64), (8, 16), (4, 8), (2, 4), (1, 1))
"""How many actions, and how many names in a list, are shown: the first that fits. All of them are bound by digests anyway."""
_WHOLE_NUMBERS = 2**53
_FITTED = frozenset({"actions", "actionsLeftOut", "panels", "panelsLeftOut"})


def draft(  # noqa: PLR0913  # everything that a person is told before signing
    *,
    id: str,  # noqa: A002  # the approval's
    nonce: str,
    request_digest: str,
    request: Request,
    agent: Agent,
    decision: Decision,
    policy: str,
    panels: tuple[Panel, ...],
    now: datetime,
    hardware_only: bool = False,
    message: Message | None = None,
) -> Approval:
    """Write what people will sign. It expires with the shortest time that a panel gives. Raises ValueError without panels.

    In whole seconds, so that no store rounds what was signed. `hardware_only`: what `judge` will ask of an approval's key.
    """
    asked = now.astimezone(UTC).replace(microsecond=0)
    expires = asked + min(panel.within for panel in panels)
    fixed: dict[str, Json] = {
        "type": TYPE,
        "id": id,
        "nonce": nonce,
        "request": request_digest,
        "agent": agent.id,
        "team": printable(agent.team, 128),
        "owner": agent.owner,
        "policy": policy,
        "asked": _when(asked),
        "expires": _when(expires),
        "hardware": hardware_only,
        **_request(request, message),
        "why": text(decision.why, 1024),
        "tell": text(decision.tell, 512),
        "panelsDigest": _panels_digest(panels),
    }
    return Approval(
        id=id,
        request=request_digest,
        agent=agent.id,
        owner=agent.owner,
        panels=panels,
        statement=_fitted(fixed, decision.verdicts, panels),
        asked=asked,
        expires=expires.replace(microsecond=0),
    )


def check_told(approval: Approval, request: Request, decision: Decision, message: Message | None = None) -> None:
    """Raise EvidenceError where its statement tells people of anything but this request, and what it does.

    A store may have been written by somebody else: what was signed without being seen is approved by nobody.
    """
    said = _bound(approval)
    fixed = {name: value for name, value in said.items() if name not in _FITTED} | _request(request, message)
    if _fitted(fixed, decision.verdicts, approval.panels) != approval.statement:
        raise EvidenceError(f"the statement of approval {approval.id} tells people of something else: somebody changed it")


def actions_told(decision: Decision) -> list[Json]:
    """All that people are told of a decision's actions, none left out."""
    return [_action(verdict.action, _STEPS[0][1]) for verdict in decision.verdicts]


def to_sign(approval: Approval, *, deny: bool) -> bytes:
    """Give the bytes that one signs: the statement with the decision in it. Raises EvidenceError as `shown` does."""
    return canonical_ascii_keys({**_bound(approval), "decision": DENY if deny else APPROVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAction:
    """One action as it was signed. `params` are texts by name, `money` the sums among them."""

    name: str
    resource: str
    access: str
    tier: int
    mapped: bool
    count: int
    data: tuple[str, ...]
    money: tuple[str, ...]
    params: tuple[tuple[str, str], ...]
    params_left_out: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a person sees before signing: read back from the bytes that are signed, and from nothing else."""

    id: str
    request: str
    agent: str
    team: str
    owner: str
    policy: str
    asked: datetime
    expires: datetime
    method: str
    url: str
    """Scheme, host, port and path; of the query, only the names."""
    actions: tuple[ShownAction, ...]
    actions_left_out: int
    why: str
    tell: str
    panels: tuple[Panel, ...]
    hardware: bool
    """Only keys in devices that somebody touches count: an agent without a fence could use any other."""


def shown(approval: Approval) -> Shown:
    """Read back what is signed. Raises EvidenceError where it is not what the approval says, or not in its only form."""
    said = _Fields(_bound(approval))
    return Shown(
        id=approval.id,
        request=approval.request,
        agent=approval.agent,
        team=said.text("team"),
        owner=approval.owner,
        policy=said.text("policy"),
        asked=approval.asked,
        expires=approval.expires,
        method=said.text("method"),
        url=said.text("url"),
        actions=tuple(map(_shown_action, said.parts("actions"))),
        actions_left_out=said.number("actionsLeftOut"),
        why=said.text("why"),
        tell=said.text("tell"),
        panels=approval.panels,
        hardware=said.claim("hardware"),
    )


def wants_hardware(approval: Approval) -> bool:
    """Whether what is signed says that only hardware keys count. Raises EvidenceError as `shown` does."""
    return _Fields(_bound(approval)).claim("hardware")


# writing


def _request(request: Request, message: Message | None) -> dict[str, Json]:
    """What receipts say of it too: credentials in paths are masked, of a query only the names are told.

    Of a message in what such a request began, also which side says it.
    """
    where = f"{request.scheme}://{printable(veiled(request.authority), 320)}{text(request.path, 512)}"
    side = "" if message is None else ", a message to" if message.sent else ", a message from"
    return {"method": f"{text(request.method, 64)}{side}", "url": where + _query(request.query)}


def _query(query: str | None) -> str:
    if query is None:
        return ""
    parts = query.split("&")
    names = [text(unquote_plus(part.partition("=")[0]), 48) + "=…" if "=" in part else "…" for part in parts[:_MOST_NAMES]]
    more = f" and {len(parts) - _MOST_NAMES} more" if len(parts) > _MOST_NAMES else ""
    return f"?{'&'.join(names)}{more}"


def _fitted(fixed: Mapping[str, Json], verdicts: tuple[Verdict, ...], panels: tuple[Panel, ...]) -> bytes:
    """As much as fits, the strictest first; what does not is counted. Raises EvidenceError where not even one action fits."""
    strictest = verdicts
    for most, names in _STEPS:
        if len(verdicts) > most:
            strictest = tuple(sorted(verdicts, key=lambda verdict: (verdict.answer, verdict.action.tier), reverse=True))
        statement = canonical_ascii_keys(
            {
                **fixed,
                "actions": [_action(verdict.action, names) for verdict in strictest[:most]],
                "actionsLeftOut": max(0, len(verdicts) - most),
                "panels": [_panel(panel, names) for panel in panels[:_MOST_PANELS]],
                "panelsLeftOut": max(0, len(panels) - _MOST_PANELS),
            }
        )
        if len(statement) <= MOST_BYTES - len(DENY) - len('"decision":"",'):
            return statement
    raise EvidenceError("what there is to approve can't be told in 16 KiB")


def _action(action: Action, names: int) -> dict[str, Json]:
    params = [(text(name, 40), _param(value)) for name, value in action.params.items()]
    sums = [_money(value) for value in action.params.values() if isinstance(value, Money)]
    kept = params[: min(_MOST_PARAMS, names)]
    return {
        "name": text(action.name, 96),
        "resource": text(action.resource, 240),
        "access": action.access.value,
        "tier": int(action.tier),
        "mapped": action.mapped,
        "count": min(action.count, _WHOLE_NUMBERS - 1),
        "data": sorted(action.data)[:names],
        "money": sums[:_MOST_PARAMS],
        "params": kept,
        "paramsLeftOut": len(params) - len(kept),
        "why": text(action.why, 96),
    }


def _param(value: Param) -> str:
    match value:
        case Money():
            return _money(value)
        case tuple():
            listed = ", ".join(text(one, 64) for one in value[:_MOST_PARAMS])
            return text(f"{listed} and {len(value) - _MOST_PARAMS} more" if len(value) > _MOST_PARAMS else listed, 160)
        case bool():
            return "yes" if value else "no"
        case _:
            return text(str(value), 160)


def _money(value: Money) -> str:
    return text(written(value), 48)


def _panel(panel: Panel, names: int) -> dict[str, Json]:
    return {
        "name": printable(panel.name, 64),
        "need": panel.need,
        "of": [printable(one, 72) for one in panel.of[:names]],
        "ofLeftOut": max(0, len(panel.of) - names),
        "owner": panel.owner,
        "rules": [printable(rule, 128) for rule in panel.rules[:names]],
        "rulesLeftOut": max(0, len(panel.rules) - names),
    }


def _panels_digest(panels: tuple[Panel, ...]) -> str:
    """Binds all of every panel, also what is too much to show."""
    whole: list[Json] = [
        {
            "name": panel.name,
            "need": panel.need,
            "of": panel.of,
            "within": int(panel.within.total_seconds()),
            "owner": panel.owner,
            "rules": panel.rules,
        }
        for panel in panels
    ]
    return sha256(canonical_ascii_keys(whole))


def _when(at: datetime) -> str:
    """RFC 3339, UTC, seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


# reading


def _bound(approval: Approval) -> dict[str, Json]:
    """The statement's fields, where it is the approval's own, byte for byte as it was written. Else raises EvidenceError.

    A store is no authority: what it says of an approval counts only as far as the signed bytes say so too.
    """
    fields = _fields(approval.statement)
    said: dict[str, Json] = {
        "type": TYPE,
        "id": approval.id,
        "request": approval.request,
        "agent": approval.agent,
        "owner": approval.owner,
        "asked": _when(approval.asked),
        "expires": _when(approval.expires),
        "panelsDigest": _panels_digest(approval.panels),
    }
    wrong = [name for name, value in said.items() if fields.get(name) != value]
    if wrong:
        raise EvidenceError(f"the statement of approval {approval.id} is not its own: it differs in {', '.join(wrong)}")
    return fields


def _fields(statement: bytes) -> dict[str, Json]:
    if len(statement) > MOST_BYTES:
        raise EvidenceError("a statement has at most 16 KiB")
    try:
        fields = json.loads(statement)
    except (ValueError, RecursionError) as error:
        raise EvidenceError("a statement is JSON") from error
    if not isinstance(fields, dict) or canonical_ascii_keys(fields) != statement:
        raise EvidenceError("a statement is an object in its canonical form")
    return fields


class _Fields:
    """Reads fields of known types. Raises EvidenceError for others."""

    def __init__(self, fields: Mapping[str, Json]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        return value if isinstance(value, str) else self._missing(name)

    def number(self, name: str) -> int:
        value = self._fields.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else self._missing(name)

    def claim(self, name: str) -> bool:
        value = self._fields.get(name)
        return value if isinstance(value, bool) else self._missing(name)

    def items(self, name: str) -> Sequence[Json]:
        value = self._fields.get(name)
        return value if isinstance(value, list) else self._missing(name)

    def texts(self, name: str) -> Iterator[str]:
        for item in self.items(name):
            yield item if isinstance(item, str) else self._missing(name)

    def parts(self, name: str) -> Iterator[_Fields]:
        for item in self.items(name):
            yield _Fields(item) if isinstance(item, dict) else self._missing(name)

    def pairs(self, name: str) -> Iterator[tuple[str, str]]:
        for item in self.items(name):
            match item:
                case [str(one), str(other)]:
                    yield one, other
                case _:
                    self._missing(name)

    def _missing(self, name: str) -> NoReturn:
        raise EvidenceError(f"a statement has no '{name}', or not as it should be")


def _shown_action(said: _Fields) -> ShownAction:
    return ShownAction(
        name=said.text("name"),
        resource=said.text("resource"),
        access=said.text("access"),
        tier=said.number("tier"),
        mapped=said.claim("mapped"),
        count=said.number("count"),
        data=tuple(said.texts("data")),
        money=tuple(said.texts("money")),
        params=tuple(said.pairs("params")),
        params_left_out=said.number("paramsLeftOut"),
        why=said.text("why"),
    )
