"""What a mock is told of a request that was meant for somebody else: in headers that nobody else can send."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outgate.actions.action import Action
    from outgate.intake.agents import Agent
    from outgate.intake.request import Request

MOCKED = "outgate-mocked"
"""Where the request was meant to go: `https://api.stripe.com`, the port where it is not the scheme's own."""
AGENT = "outgate-agent"
ACTION = "outgate-action"
"""What it does, `service.operation`, several with `, ` between them. Percent-escaped where a name has other characters."""

_PLAIN = "!#$&'()*+./:;<=>?@[]^_`{|}~-"
_MOST_ACTIONS = 16
_LONGEST = 256


def provenance(request: Request, agent: Agent, actions: Iterable[Action]) -> tuple[tuple[str, str], ...]:
    """Give the headers, lower-case names. Safe to send whatever the agent wrote: names of tools are its own words."""
    named = list(dict.fromkeys(quote(action.name, safe=_PLAIN)[:_LONGEST] for action in actions))
    more = [f"+{len(named) - _MOST_ACTIONS}"] if len(named) > _MOST_ACTIONS else []
    return (
        (MOCKED, f"{request.scheme}://{request.authority}"),
        (AGENT, agent.id),
        (ACTION, ", ".join([*named[:_MOST_ACTIONS], *more])),
    )
