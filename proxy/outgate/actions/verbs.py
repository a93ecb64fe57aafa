"""The verbs in a name: which word of `TerminateInstances`, `db_delete` or `chat.postMessage` says what is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from outgate.actions.action import Access

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PART = re.compile(r"[./:]+")


@dataclass(frozen=True, slots=True)
class Verb:
    """What a name says is done, and by which word. `sure` is false for words that are nouns as often (`report`, `order`)."""

    access: Access
    word: str
    sure: bool


def _verbs(sure: bool, **by_access: str) -> dict[str, Verb]:  # noqa: FBT001 - named in both calls
    return {word: Verb(Access(access), word, sure) for access, words in by_access.items() for word in words.split()}


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SURE: Final = _verbs(
    sure=True,
    delete=(
        "delete remove terminate purge destroy drop deregister unregister revoke expire wipe erase discard forget truncate kill "
        "rm unpublish uninstall deprovision undeploy decommission obliterate shred del evict trash deletecollection"
    ),
    pay="pay buy withdraw donate purchase",
    admin="grant authorize deauthorize impersonate invite configure reconfigure suspend ban unban promote demote",
    publish="publish deploy redeploy",
    execute="run exec execute eval invoke reinvoke call trigger dispatch launch start rerun spawn retry redrive",
    send="send notify broadcast resend",
    auth="login logout authenticate assume",
    write=(
        "create update put add modify set edit write insert upsert append upload save move rename register attach detach "
        "associate disassociate enable disable stop cancel reset resume pause restart reboot restore replace rotate subscribe "
        "unsubscribe merge renew submit accept reject approve disapprove reopen unarchive unlock assign unassign reassign untag "
        "unpin unstar unmark unlink unfollow follow join leave activate deactivate reactivate allocate deallocate push begin "
        "complete abort commit rollback generate click type fill press navigate import copy clone duplicate provision migrate "
        "convert initiate initialize init install reinstall upgrade downgrade enroll unenroll disconnect connect dismiss "
        "acknowledge ack increment decrement change apply persist ingest finalize continue confirm deny decline respond "
        "reply undo revert rebuild regenerate refresh reindex recreate reopen toggle undelete recover failover scale resize "
        "shutdown poweroff unassociate unlabel lock relock unhide unshare unmute mute make patch prepare reprocess "
        "synchronize sync store admit adopt advertise bundle unbundle swap switch reclaim relocate schedule unschedule stage "
        "reserve release unreserve rebalance transition transact transcribe drag hover tap scroll swipe resolve unresolve "
        "extend archive unassign clear flush set"
    ),
    list="list enumerate ls",
    read=(
        "get describe read fetch retrieve lookup view show search find count inspect browse preview summarize whoami "
        "explain peek estimate detect discover"
    ),
)
_UNSURE: Final = _verbs(
    sure=False,
    pay="refund payout charge checkout",
    publish="",
    execute="test simulate process build",
    send="post email mail message comment tweet sms dm share forward announce page",
    write=(
        "export open close request label tag mark pin star new book order report link fork approve vote block unblock "
        "transfer claim sign issue batch bulk exchange track log record train tune adjust capture complete verify validate "
        "poll receive download predict evaluate evaluation select bind map draft force flag assert wait play"
    ),
    list="scan query",
    read=(
        "is has are check status info help head diff compare history tree stat logs contains exists filter explore analyze "
        "calculate recognize render sample translate decode suggest autocomplete geocode recommend ping health introspect "
        "classify rank ask watch wait match details detail list metadata summary stats info screenshot snapshot"
    ),
)
_MODIFIERS: Final = _set("batch bulk async multi mass force try admin internal soft hard do auto quick safe safely")
_JOINED: Final = _set("or and then")
_READS: Final = frozenset({Access.READ, Access.LIST})


def words(text: str) -> tuple[str, ...]:
    """The words of a name in any spelling (camel, snake, kebab, dots, slashes), in small letters."""
    return tuple(word.lower() for word in _WORD.findall(text))


def verb_of(name: str) -> Verb | None:
    """The verb of a name: of its last part that has one (`instances.delete`, `repos/delete`, `chat.postMessage`).

    None where no word is known for a verb: what is done can't be told then.
    """
    for part in reversed(_PART.split(name)):
        found = _verb_among(words(part))
        if found:
            return found
    return None


def _verb_among(said: tuple[str, ...]) -> Verb | None:
    while len(said) > 1 and said[0] in _MODIFIERS:
        said = said[1:]
    if not said:
        return None
    if _JOINED.intersection(said):
        return _worst([verb for word in said if (verb := _SURE.get(word) or _UNSURE.get(word))])
    sure = [verb for word in said if (verb := _SURE.get(word))]
    if sure:
        return _first_or_last(said, sure)
    for word in (said[0], *reversed(said)):
        if word in _UNSURE:
            return _UNSURE[word]
    return None


def _first_or_last(said: tuple[str, ...], sure: list[Verb]) -> Verb:
    """Verbs come first (`TerminateInstances`) or last (`db_delete`); where neither is one, the worst in between counts."""
    if said[0] in _SURE:
        return _SURE[said[0]]
    return _worst(sure) or sure[0]


def _worst(verbs: list[Verb]) -> Verb | None:
    """One that changes something counts, however many read."""
    return next((verb for verb in verbs if verb.access not in _READS), verbs[0] if verbs else None)
