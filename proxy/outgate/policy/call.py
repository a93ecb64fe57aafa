"""Call: a request as a person writes it down, `DELETE https://host/path`, made into what a plane would have seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from outgate.actions.identify import identify, wants_body
from outgate.inspect.secrets import SECRET, classes_of, secrets_in
from outgate.intake.reading import read
from outgate.intake.request import NoBody, RawRequest, Request, Tunnel, Unreadable, UnreadBody, WholeBody
from outgate.policy.decide import decide, decide_message, needs
from outgate.policy.facts import UNSAID, Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from outgate.actions.action import Action
    from outgate.actions.catalog import Catalog
    from outgate.intake.agents import Agent
    from outgate.intake.message import Message
    from outgate.intake.request import Body, Request
    from outgate.policy.decision import Decision
    from outgate.policy.facts import Estate
    from outgate.policy.rule import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A head, and the body that follows it."""

    raw: RawRequest
    body: Body = field(default_factory=NoBody)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a gate would make of a call: its one reading, its actions, the facts, the decision."""

    request: Request
    actions: tuple[Action, ...]
    facts: Facts
    decision: Decision


def call(line: str, headers: Iterable[tuple[str, str]] = (), content: bytes | None = None) -> Call:
    """Read `METHOD URL` or a URL alone. Raises ValueError with a sentence for what is neither."""
    method, _, url = line.strip().rpartition(" ")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"'{line}' is no call, write it like: GET https://api.example.com/things")
    target = (parts.path or "/") + (f"?{parts.query}" if "?" in url else "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname.encode("idna" if not parts.hostname.isascii() else "ascii")
    lines = [("Host", parts.netloc), *headers]
    if content is not None and not any(name.lower() == "content-length" for name, _ in lines):
        lines.append(("Content-Length", str(len(content))))
    raw = RawRequest(
        method=(method or ("GET" if content is None else "POST")).encode(),
        scheme=parts.scheme.encode(),
        authority=b"" if parts.scheme == "https" else parts.netloc.encode(),
        target=target.encode(),
        version=b"HTTP/1.1",
        headers=tuple((name.encode(), value.encode()) for name, value in lines),
        tunnel=Tunnel(host=host, port=port, sni=None) if parts.scheme == "https" else None,
    )
    return Call(raw=raw, body=NoBody() if content is None else WholeBody(content))


def unsaid(_: Request) -> Estate:
    """No settings say whose anything is."""
    return UNSAID


def rehearse(  # noqa: PLR0913  # everything that a decision depends on
    of: Call,
    agent: Agent,
    now: datetime,
    policy: Policy,
    catalog: Catalog,
    *,
    data: frozenset[str] = frozenset(),
    unsteady: bool = False,
    estate: Callable[[Request], Estate] = unsaid,
) -> Rehearsed | Unreadable:
    """Take a call along the gate's path, without the world: nothing is looked up, recorded or sent.

    `data` are classes of data to take for found, beside those that are. `unsteady`: as if the clock had stepped. `estate`:
    what the settings say of its destination.
    """
    read_as = read(of.raw)
    if isinstance(read_as, Unreadable):
        return read_as
    request = replace(read_as, body=of.body)
    wanted = needs(policy).data or wants_body(read_as, catalog)
    found = data | classes_of(request, catalog) if needs(policy).data else data
    actions = tuple(replace(action, data=action.data | found) for action in identify(request, catalog))
    unread = wanted and isinstance(of.body, UnreadBody)
    facts = Facts(now=now, agent=agent, request=request, unread=unread, unsteady=unsteady, estate=estate(request))
    return Rehearsed(request=request, actions=actions, facts=facts, decision=decide(policy, actions, facts))


def rehearse_message(
    message: Message, came: Rehearsed, before: Decision, policy: Policy, *, data: frozenset[str] = frozenset()
) -> Decision:
    """Decide on a message of what was let out by `before`, as a gate would. `data` are classes to take for found in it."""
    body = WholeBody(message.content) if message.plain else UnreadBody(length=len(message.content), too_large=True)
    searched = needs(policy).data and message.plain
    found = data | {SECRET} if searched and secrets_in(message.content) else data
    facts = replace(came.facts, request=replace(came.request, body=body), unread=not message.plain, message=message)
    return decide_message(policy, before, facts, found)
