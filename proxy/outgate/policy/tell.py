"""Tell: what an agent reads where no rule has a sentence of its own: what was stopped, what not to try, who can change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from outgate.policy.effect import Effect

if TYPE_CHECKING:
    from outgate.actions.action import Action

_LONGEST = 120
_NO_OTHER_WAY = "Do not try another way or another tool to do it."
_WHO = "Go on without it, or ask the person you work for, who can have the policy changed."

AMBIGUOUS_TELL = (
    "The path of this request can be read in several ways, so no permission covers it, and it was not sent. "
    "Write it plainly: no '//', no ';', and no letter or digit as an escape."
)
_HAPPENED = "This request was carried out and only its answer was withheld: do not send it again."


def default_tell(effect: Effect, action: Action) -> str:
    """One to three sentences for an agent; nothing in them but what the agent itself asked for."""
    what = _shown(action)
    match effect:
        case Effect.BLOCK if not action.mapped:
            return f"It is not known what {what} does, so it was not sent. {_NO_OTHER_WAY} {_WHO}"
        case Effect.BLOCK:
            return f"{what} is not permitted here and was not sent. {_NO_OTHER_WAY} {_WHO}"
        case Effect.ESCALATE:
            return (
                f"{what} needs a person's approval and was not sent. {_NO_OTHER_WAY} "
                "Say what you want to do and why to the person you work for, and go on with something else meanwhile."
            )
        case Effect.SANDBOX:
            return f"{what} may only be tried in a sandbox for now, and was not sent to the real service. {_NO_OTHER_WAY}"
        case Effect.THROTTLE:
            return f"{what} is over its limit and was not sent. Wait before you ask again, and ask for less at a time."
        case Effect.ALLOW:
            return ""
        case _:
            assert_never(effect)


def withheld_tell(said: str, action: Action) -> str:
    """What an agent reads of an answer that is withheld: always that it happened, and is not to be repeated."""
    what = said or f"{_shown(action)} gave an answer that may not be read here. {_WHO}"
    return f"{what} {_HAPPENED}"


def _shown(action: Action) -> str:
    resource = action.resource if len(action.resource) <= _LONGEST else action.resource[: _LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else "?" for c in " ".join(f"{action.name} {resource}".split()))
