"""Form: what a policy file may hold. The loader checks with it, editors complete with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.actions.action import Access, Tier
from outgate.inspect.secrets import SECRET, UNREADABLE
from outgate.policy.effect import Effect, Mode, Phase
from outgate.policy.hours import CLOCK_FORM, DAYS_FORM
from outgate.policy.matching import KEYS
from outgate.policy.meter import PER
from outgate.policy.shapes import Count, Either, Many, Named, Scalar, Shape, Table, Text, Truth, Words, schema

if TYPE_CHECKING:
    from outgate.digest import Json

LANGUAGE = "policy/v1alpha"
DATA = (SECRET, UNREADABLE)
"""Classes of data that `inspect` tells apart."""

_NAME = r"[a-z][a-z0-9_-]{0,62}"
_NAME_FORM = "small letters, digits, '-' and '_', starting with a letter, at most 63"
_EFFECTS = tuple(str(effect) for effect in Effect)

_effect = Words("effect", _EFFECTS)
_default = Words("effect", tuple(e for e in _EFFECTS if e != "throttle"), later={"throttle": "a limit belongs to a rule"})
_mode = Words("mode", tuple(str(mode) for mode in Mode))
_name = Text("a name", _NAME, _NAME_FORM)
_sentence = Text("a sentence", r"(?s).*\S.*", "text")
_host = Text(
    "a host",
    r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]+",
    "a name as it goes on the wire or an address, a leading '*.' stands for any labels before it",
)
_pattern = Text("a pattern", r"(?s).+", "text, '*' stands for any text")

_MATCH_KEYS: dict[str, Shape] = {
    "action": Many(_pattern),
    "service": Many(_pattern),
    "access": Many(Words("access", tuple(Access))),
    "tier": Many(Words("tier", tuple(tier.name for tier in Tier))),
    "mapped": Truth("'mapped'"),
    "resource": Many(_pattern),
    "instance": Many(_pattern),
    "data": Many(
        Words(
            "class of data",
            DATA,
            later={
                "pii": "nothing recognises personal data yet, so this would never match",
                "money": "nothing recognises amounts in bodies yet, so this would never match",
            },
        )
    ),
    "host": Many(_host),
    "method": Many(Text("a method", r"[A-Z][A-Z_-]{0,31}", "capital letters, as in POST")),
    "agent.id": Many(_pattern),
    "agent.team": Many(_pattern),
}
if set(_MATCH_KEYS) != set(KEYS):
    raise AssertionError("every key of `match` has a form and a reader")

MATCH = Table(
    what="'match'",
    keys=_MATCH_KEYS,
    families=(
        (r"params\.[A-Za-z_][A-Za-z0-9_]{0,62}", "params.<name>", Many(Scalar("a parameter's value"))),
        (r"agent\.label\.[A-Za-z0-9_.-]{1,63}", "agent.label.<name>", Many(_pattern)),
    ),
    later={"agent.labels": "write agent.label.<name>", "agent.owner": 'use when: agent.owner == "…"'},
)

RULE = Table(
    what="a rule",
    keys={
        "id": _name,
        "match": MATCH,
        "when": Text("a condition", r"(?s).*\S.*", "text in CEL"),
        "unless": Text("a condition", r"(?s).*\S.*", "text in CEL"),
        "effect": _effect,
        "onError": _effect,
        "onTooLarge": Words("answer to a body that is too large", ("block", "escalate")),
        "mode": _mode,
        "phase": Words("phase", tuple(Phase)),
        "limit": Text("a limit", r"(?s).+", "text, as in 60/min, 1000/month, 2000000 tokens/hour or 50 GBP/day"),
        "burst": Count("'burst'", most=10**9),
        "per": Many(Words("fact", (*PER, "all"))),
        "count": Words("way to count", ("executed", "attempted")),
        "maxDelay": Text("a time to wait", r"[1-9][0-9]{0,4}(?:ms|s)", "a number and ms or s, as in 3s"),
        "rollout": Count("'rollout'", most=100),
        "to": _name,
        "tell": _sentence,
        "why": _sentence,
    },
    required=frozenset({"id", "effect"}),
    later={
        "locked": "there are no waivers yet that it could forbid; leave it out",
        "redact": "what is sent is not changed yet; use effect: block",
    },
)

_otherwise = Either(
    _default,
    Table(
        what="'otherwise'",
        keys={
            **{tier.name: _default for tier in Tier},
            "unmapped": Either(
                _default,
                Table(what="'unmapped'", keys={"read": _default, "other": _default}, required=frozenset({"read", "other"})),
            ),
            "to": _name,
        },
        required=frozenset({*(tier.name for tier in Tier), "unmapped"}),
    ),
)

FORM = Table(
    what="a policy",
    keys={
        "outgate": Words("language", (LANGUAGE,)),
        "policy": _name,
        "mode": _mode,
        "zone": Text("a time zone", r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", "a name such as Europe/London"),
        "why": _sentence,
        "otherwise": _otherwise,
        "approvers": Named(
            "approvers",
            Table(
                what="approvers",
                keys={
                    "need": Count("'need'"),
                    "of": Many(Text("an approver", r"(?:group:)?[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", "a name or group:name")),
                    "owner": Truth("'owner'"),
                    "within": Text("a time", r"[1-9][0-9]{0,5}[smhd]", "a number and s, m, h or d, as in 24h"),
                },
                required=frozenset({"need", "of"}),
            ),
        ),
        "hours": Named(
            "hours",
            Table(
                what="hours",
                keys={
                    "days": Many(Text("days", DAYS_FORM, "mon, or a span such as mon-fri")),
                    "from": Text("a time of day", CLOCK_FORM, "written 08:00"),
                    "to": Text("a time of day", CLOCK_FORM, "written 19:00"),
                },
                required=frozenset({"days", "from", "to"}),
            ),
        ),
        "mocks": Named(
            "mocks",
            Table(
                what="a mock",
                keys={
                    "url": Text(
                        "an address", r"https?://[A-Za-z0-9._:\[\]-]+(?:/[^\s?#]*)?", "http:// or https://, a host, no query"
                    ),
                    "answers": Words("kind of answers", ("canned",)),
                    "openapi": Text("an OpenAPI document", r"[^\x00-\x1f]{1,4096}", "the path of a file, from this one's folder"),
                },
            ),
            name=r"[a-z][a-z0-9._-]{0,62}",
        ),
        "rules": Many(RULE, bare=False),
    },
    required=frozenset({"outgate", "policy"}),
)
"""A policy file."""


def policy_schema() -> dict[str, Json]:
    """The form as JSON Schema, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Outgate {LANGUAGE}",
        **schema(FORM),
    }
