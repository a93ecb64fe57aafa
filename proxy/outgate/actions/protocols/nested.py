"""Nested: an argument of a tool that is a language of its own: SQL, a command line, a URL. It only makes a call worse."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from outgate.actions.action import Access, Tier
from outgate.actions.arguments import is_coded
from outgate.actions.protocols.sql_statement import statements_of
from outgate.intake.bodies import Undecodable
from outgate.intake.request import WholeBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from outgate.actions.action import Action
    from outgate.intake.bodies import JsonValue
    from outgate.intake.request import Request

type _Worse = tuple[Access, Tier, str]

SETTLED: Final = "services/mcp"
"""Evidence of what the operator said of a tool: nothing in a call makes it worse."""
_SQL: Final = frozenset({"sql", "query", "statement", "sql_query", "queries", "sqlquery", "sql_statement", "statements"})
_COMMAND: Final = frozenset({"command", "cmd", "shell", "script", "code", "bash", "commands", "command_line"})
_URL: Final = frozenset({"url", "uri", "urls", "endpoint", "webhook_url", "callback_url", "href"})
_VERBS = (
    r"(?:select|with|insert|update|delete|replace|merge|create|drop|alter|truncate|grant|revoke|copy|call|exec|execute|do|set|use|"
    r"show|describe|explain|pragma|vacuum|attach|begin|declare|load|values|table|kill|rename|optimize|analyze)\b"
)
_BEGINS = re.compile(_VERBS, re.IGNORECASE)
_BEGINS_IN = re.compile(
    rb'"(?:sql|query|statement|sql_query|queries|sqlquery|sql_statement|statements)"\s*:\s*(?:\[\s*)?"(?:\\[nrt]|\s)*(?:[(;]|--|/\*|'
    + _VERBS.encode()
    + b")",
    re.IGNORECASE,
)
_ESCAPED = re.compile(rb"\\u00[2-7]")
"""A plain character that is written as an escape: a word may be there that can't be seen."""
_SPACE = " \t\r\n(;"
_REMOTE = re.compile(r"\s*(?:https?|wss?|ftp)://", re.IGNORECASE)
_RUINS = re.compile(
    r"(?:^|[\s;&|`$(/])(?:rm|rmdir|shred|dd|mkfs\S*|fdisk|wipefs|truncate|shutdown|reboot|halt|kill|killall|pkill|chmod|chown|userdel|"
    r"iptables|nft|crontab|systemctl|drop|sudo|su|eval|nc|ncat|ssh|scp|rsync|curl|wget)\b"
    r"|git\s+push\b.{0,300}(?:--force|-f\b|--delete|--mirror|\s\+)|(?:kubectl|terraform|pulumi|helm|aws|gcloud|az|gh)\b.{0,300}"
    r"\b(?:delete|destroy|terminate\S*|uninstall|remove|rm|rb)\b|\b(?:rmtree|unlink|removedirs)\b|>\s*/(?:dev|etc)/",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST: Final = 16 * 1024
_MOST: Final = 20
_DEPTH: Final = 4


def heavy(request: Request) -> bool:
    """Whether a call may have SQL in it, which takes long to parse: by its bytes, before anybody read them."""
    if not isinstance(request.body, WholeBody):
        return False
    content = request.body.content
    if is_coded(request) or _ESCAPED.search(content):
        return True
    return b"call" in content and _BEGINS_IN.search(content) is not None


def raised(action: Action, arguments: JsonValue) -> Action:
    """Give the call of a tool as bad as the worst of its arguments, never milder than it was."""
    if SETTLED in action.evidence:
        return action
    for at, (name, text) in enumerate(_texts(arguments)):
        if at >= _MOST:
            break
        worse = _read(name.casefold(), text)
        if worse is None:
            continue
        access, tier, why = worse
        doubt = action.access.only_reads and not access.only_reads
        if doubt or tier > action.tier:
            action = replace(
                action,
                access=access if doubt else action.access,
                tier=max(action.tier, tier),
                why=why,
                evidence=(*action.evidence, f"argument {name}" if name.isprintable() else "argument"),
            )
    return action


def _texts(arguments: JsonValue) -> Iterator[tuple[str, str]]:
    """The texts in arguments, with the last key that they stand under."""
    level: list[tuple[str, JsonValue]] = [("", arguments)]
    for _ in range(_DEPTH):
        inner: list[tuple[str, JsonValue]] = []
        for name, value in level:
            if isinstance(value, str):
                yield name, value
            elif isinstance(value, dict):
                inner.extend(value.items())
            elif isinstance(value, list):
                inner.extend((name, item) for item in value)
        level = inner


def _read(name: str, text: str) -> _Worse | None:
    if name in _SQL and _begins_like_sql(text):
        return _of_sql(text)
    if name in _COMMAND and text.strip():
        ruins = _RUINS.search(text[:_LONGEST]) is not None or len(text) > _LONGEST
        return Access.EXECUTE, Tier.T2 if ruins else Tier.T1, "it runs a command"
    if name in _URL and _REMOTE.match(text):
        return Access.SEND, Tier.T1, "its server goes to a URL that the call names"
    return None


def _begins_like_sql(text: str) -> bool:
    """Whether the first word, behind any comments, is one that statements begin with."""
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
        elif text.startswith("--", at):
            at = text.find("\n", at) + 1 or len(text)
        elif text.startswith("/*", at):
            end = text.find("*/", at)
            at = len(text) if end < 0 else end + 2
        else:
            return _BEGINS.match(text, at) is not None
    return False


def _of_sql(text: str) -> _Worse:
    """The worst statement. Text that begins like SQL and can't be read is unknown."""
    found = statements_of(text) if len(text) <= _LONGEST else Undecodable("too long")
    if isinstance(found, Undecodable):
        return Access.UNKNOWN, Tier.T2, "it brings SQL that can't be read"
    worst = max(found, key=lambda one: (one.tier, not one.access.only_reads))
    return worst.access, worst.tier, f"it brings SQL: {worst.why}"
