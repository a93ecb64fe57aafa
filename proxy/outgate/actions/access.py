"""What a name says: access and tier of an operation that no table lists, from the verbs in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from outgate.actions.action import Access, Tier

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True, slots=True)
class _Kind:
    """`always`: words that are nothing but a verb. `alone`: words that are nouns as well: beside a reading verb they are."""

    access: Access
    tier: Tier
    always: frozenset[str]
    alone: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# From the worst to the mildest: a name with several is what the worst one says.
_KINDS = (
    _Kind(
        Access.DELETE,
        Tier.T2,
        _words(
            "delete remove terminate purge destroy drop deregister revoke expire wipe erase discard forget truncate kill rm "
            "unpublish"
        ),
        _words("flush clear del"),
    ),
    _Kind(
        Access.PAY,
        Tier.T2,
        _words("pay buy withdraw donate"),
        _words("refund payout transfer payment charge purchase checkout wire"),
    ),
    _Kind(
        Access.ADMIN,
        Tier.T2,
        _words("grant invite impersonate"),
        _words(
            "permission permissions policy role roles acl credential credentials password secret token apikey webhook webhooks "
            "hook owner admin member collaborator"
        ),
    ),
    _Kind(Access.PUBLISH, Tier.T3, _words("publish deploy"), _words("release")),
    _Kind(
        Access.EXECUTE,
        Tier.T1,
        _words("run exec execute eval invoke call trigger dispatch launch spawn start apply"),
        _words("shell bash sh command cmd script query sql"),
    ),
    _Kind(
        Access.SEND,
        Tier.T1,
        _words("send notify reply forward broadcast"),
        _words("post email mail message comment tweet sms dm share"),
    ),
    _Kind(
        Access.WRITE,
        Tier.T1,
        _words(
            "create update put add modify set edit write insert upsert append upload save move rename copy register enable "
            "disable attach detach associate disassociate stop cancel reset resume suspend pause restart reboot restore replace "
            "rotate subscribe unsubscribe merge promote renew submit accept reject approve close reopen resolve unarchive unlock "
            "assign unassign untag unpin unstar follow unfollow join leave activate deactivate allocate sync push begin complete "
            "abort generate click type fill press navigate"
        ),
        _words(
            "import export open schedule request archive lock label tag mark pin star new patch change commit book order report"
        ),
    ),
)
_READ = _words(
    "get list read search find fetch describe show view lookup retrieve count check status info help head browse preview explain "
    "compare diff log logs history tree stat download inspect summarize whoami ping"
)
_LIST = _words("list search find browse")
_BOTH = _words("and or then")
_BULK = _words("all bulk batch batches everything many mass")
_SENSITIVE = _words("secret secrets credential credentials password passwords token tokens apikey apikeys key keys private")


def access_of(name: str) -> tuple[Access, Tier]:
    """Judge a name by every verb in it, wherever it stands: one that changes something counts, however many read.

    Names lie and verbs mislead; what has no known verb is unknown, never a read.
    """
    words = frozenset(word.lower() for word in _WORD.findall(name))
    reads = words & _READ
    nouns_are_nouns = bool(reads) and not words & _BOTH
    for kind in _KINDS:
        if words & kind.always or (words & kind.alone and not nouns_are_nouns):
            worse = words & _BULK and kind.tier is Tier.T2
            return kind.access, Tier.T3 if worse else kind.tier
    if not reads:
        return Access.UNKNOWN, Tier.T2
    return (Access.LIST if reads & _LIST else Access.READ), (Tier.T1 if words & _SENSITIVE else Tier.T0)
