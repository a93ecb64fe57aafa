"""The verb in a name: which word of `TerminateInstances`, `db_delete` or `chat.postMessage` says what is done."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from outgate.actions.action import Access

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PART = re.compile(r"[./:]+")
_RUN_ON = re.compile(r"(?:delete|remove|purge|terminate|destroy|revoke|wipe)(?!d|r|s\b|al\b)[a-z]{3}")
_RUN_TOGETHER = re.compile(r"(batch|bulk)(?=[a-z])|(?<=[a-z])(?=batch\b|bulk\b)")


@dataclass(frozen=True, slots=True)
class Verb:
    """What a name says is done, and by which word. `sure` is false for words that are nouns as often (`report`, `order`)."""

    access: Access
    word: str
    sure: bool


def _verbs(*, sure: bool, **by_access: str) -> dict[str, Verb]:
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
    admin="grant authorize deauthorize impersonate invite configure reconfigure suspend unsuspend ban unban promote demote",
    publish="publish deploy redeploy",
    execute="run exec execute eval invoke reinvoke call trigger dispatch launch start rerun spawn retry redrive",
    send="send notify broadcast resend",
    auth="login logout authenticate assume",
    write=(
        "abort accept ack acknowledge activate add adjust admit adopt advertise allocate amend append apply archive "
        "assert assign associate attach begin bind bundle cancel capture change claim clear click clone close commit "
        "complete confirm connect continue convert copy create deactivate deallocate decline decrease decrement deny "
        "deprecate detach disable disassociate disallow disconnect dismiss disapprove disassemble dissociate distribute "
        "drag duplicate edit enable enroll export extend failover fill finalize flush follow fork generate hover import "
        "increase increment ingest init initialize initiate insert install join leave lock make manage mark merge migrate "
        "modify move mute navigate open overwrite patch pause persist populate poweroff prepare press provision push put "
        "reactivate reassign reboot rebalance rebuild recall reclaim recover recreate refresh regenerate register reindex "
        "reinstall reject release relocate relock rename renew reopen reorder replace replicate reply reprocess reprotect "
        "reserve reset resize resolve respond restart restore resubmit resume resync reverse revert rollback rotate save "
        "scale schedule scroll select set setup shutdown skip stage star stop store submit subscribe swap swipe switch "
        "switchover sync synchronize tap toggle tune transact transcribe transition turn type unarchive unassign "
        "unassociate unbundle undelete undeprecate undo unenroll unfollow unhide unlabel unlink unlock unmark unmonitor "
        "unmute unpin unreserve unresolve unschedule unshare unstage unstar unsubscribe untag unvote update upgrade "
        "downgrade upload upsert write"
    ),
    list="list enumerate ls",
    read=(
        "get describe read fetch retrieve lookup view show search find inspect browse preview summarize whoami explain peek "
        "estimate detect discover count"
    ),
)
# Nouns as often: told where no other verb is, at the beginning or the end.
_UNSURE: Final = _verbs(
    sure=False,
    pay="refund payout charge checkout transfer",
    execute="test process build query sql shell bash sh command cmd script cron scan",
    send="post email mail message comment tweet sms dm share forward announce",
    write=(
        "approve batch block book bulk draft end evaluate exchange fix flag force format index issue label link log map "
        "monitor new perform power order pin play poll predict receive record report request return reveal sign signal "
        "tag take track train unblock use verify vote wait"
    ),
)
_FIRST: Final = _verbs(
    sure=False,
    list="query",
    read=(
        "is has are check exists filter explore analyze analyse calculate recognize render sample translate decode suggest "
        "autocomplete geocode recommend ping introspect classify rank ask match diff compare simulate validate download audit "
        "look infer synthesize rerank forecast extract scrape research trace"
    ),
)
_LAST: Final = _verbs(
    sure=False,
    read=(
        "status info help diff history tree stat stats statistics log logs health detail details metadata summary docs "
        "documentation overview capabilities analysis insights"
    ),
)
_MODIFIERS: Final = _set("batch bulk async multi mass force try admin internal soft hard do auto quick safe safely")
_HOOKS: Final = _set("hook hooks webhook webhooks")
_JOINED: Final = _set("or and then")
_READS: Final = frozenset({Access.READ, Access.LIST})
_PLAIN_READS: Final = _set("get describe read fetch retrieve find search")
_PLAIN_CHANGES: Final = _set("delete remove create add replace send execute")
_READ_TO_CHANGE: Final = (("modify",), ("write",))
_THINGS: Final = _set("query match trace audit sample rank research")
_NOUNS_OF_WORK: Final = _set("deploy run build import export sync upload install start")
_PROGRESS: Final = _set("status progress")
_PREPOSITIONS: Final = _set("for from of by to in on with into at as using")
_MESSAGES: Final = _set("message messages comment comments tweet chat reply status story note thread feed")
_SEVERITY: Final = tuple(
    map(Access, ("delete", "pay", "publish", "admin", "execute", "send", "auth", "write", "unknown", "read", "list"))
)
_DATABASE: Final = _set("sql db database mysql postgres pg sqlite mssql cypher graphql")


def words(text: str) -> tuple[str, ...]:
    """The words of a name in any spelling (camel, snake, kebab, dots, slashes), in small letters."""
    found = _WORD.findall(text)
    said = " ".join(found).lower()
    if "batch" in said or "bulk" in said:
        said = _RUN_TOGETHER.sub(r"\1 ", said)
    return tuple(said.split())


@dataclass(frozen=True, slots=True)
class Spoken:
    """A name taken apart: its words that matter, the verb among them, and the noun that it is done to.

    `own` are those of its last part; `stems` are the words without the `s` of a plural.
    """

    words: tuple[str, ...]
    own: tuple[str, ...]
    verb: Verb | None
    noun: str
    stems: frozenset[str]


def _spoken(said: tuple[str, ...], own: tuple[str, ...], verb: Verb | None, noun: str) -> Spoken:
    return Spoken(said, own, verb, noun.removesuffix("s"), frozenset([word.removesuffix("s") for word in said]))


def spoken(name: str, *, method: str = "") -> Spoken:
    """Take a name apart. Its verb is that of its last part (`instances.delete`, `repos/delete`, `chat.postMessage`).

    The part before names what it is done to, where the last one is a verb alone or where there are three: with two, it is the
    vendor's name of a product (`transfer.UpdateServer`). Names that begin with `Post` and are one are paths (`PostRefunds`).
    """
    parts = [said for part in _PART.split(name) if (said := words(part))]
    if len(parts) > 1 and parts[-1] == ("action",):  # as Azure ends what is neither read, written nor deleted
        parts.pop()
    if not parts:
        return _spoken((), (), None, "")
    last = parts[-1]
    if method == "POST" and len(last) > 1 and last[0] == "post":
        verb = _worst([verb for word in last[1:] if (verb := _SURE.get(word)) and verb.access not in _READS])
        return _spoken(last[1:], last[1:], verb, last[-1])
    verb = _verb_among(last, is_rest=bool(method)) or (None if method else _sure_among(parts[-2::-1]))
    before = parts[-2] if len(parts) > 1 and (len(last) == 1 or len(parts) > 2) else ()
    before = (*(word for part in parts[:-2] for word in part if word in _HOOKS), *before)
    return _spoken((*before, *last), last, verb, _noun(last, verb) or (before[-1] if before else ""))


def verb_of(name: str) -> Verb | None:
    """The verb of a name; None where no word is known for one: what is done can't be told then."""
    return spoken(name).verb


def _sure_among(parts: list[tuple[str, ...]]) -> Verb | None:
    found = (_verb_among(part, is_rest=False) for part in parts)
    return next((verb for verb in found if verb is not None and verb.sure), None)


def _noun(said: tuple[str, ...], verb: Verb | None) -> str:
    """The last word of what follows the verb, up to a preposition; where nothing follows, the word in front of it."""
    if verb is None or verb.word not in said:
        return said[-1]
    at = said.index(verb.word)
    after = said[at + 1 :]
    ends = next((index for index, word in enumerate(after) if word in _PREPOSITIONS), len(after))
    if ends:
        return after[ends - 1]
    return said[at - 1] if at and not after else ""


def _verb_among(said: tuple[str, ...], *, is_rest: bool) -> Verb | None:
    while len(said) > 1 and (said[0] in _MODIFIERS or len(said[0]) == 1):
        said = said[1:]
    sure = [verb for word in said if (verb := _SURE.get(word))]
    if _JOINED.intersection(said):
        return _worst([*sure, *(verb for word in said if (verb := _UNSURE.get(word)))])
    return _placed(said, sure, is_rest=is_rest) if sure else _unsure(said)


def _placed(said: tuple[str, ...], sure: list[Verb], *, is_rest: bool) -> Verb | None:
    """Verbs come first (`TerminateInstances`), after whose tool it is (`unifi_get_ports`), or last (`db_delete`).

    Where there are several and none of this holds, the worst counts. A `list` in the middle is a noun where a method says what
    is done (`ValueListItems`).
    """
    first, last = said[0], said[-1]
    if first in _NOUNS_OF_WORK and last in _PROGRESS:
        return _LAST["status"]
    if first == "read" and said[1:2] in _READ_TO_CHANGE:
        return _SURE["write"]
    if first in _SURE:
        undone = _SURE[first].access in _READS and len(said) > 1 and last in _PLAIN_CHANGES
        return _SURE[last] if undone else _SURE[first]
    if first in _FIRST and last not in _PLAIN_CHANGES and not (first in _THINGS and last in _SURE):
        return _FIRST[first]
    if len(said) > 1 and said[1] in _PLAIN_READS and first not in _UNSURE and last not in _PLAIN_CHANGES:
        return _SURE[said[1]]
    placed = [verb for verb in sure if not is_rest or verb.access not in _READS or verb.word in {*_PLAIN_READS, said[1], last}]
    return _worst(placed) if placed else _unsure(said)


def _worst(verbs: list[Verb]) -> Verb | None:
    """One that changes something counts, however many read."""
    return min(verbs, key=lambda verb: _SEVERITY.index(verb.access), default=None)


def _unsure(said: tuple[str, ...]) -> Verb | None:
    first, last = said[0], said[-1]
    if first == "check" and len(said) > 1 and said[1] in {"in", "out"}:
        return Verb(Access.WRITE, "check", sure=False)
    if first == "test" and last == "permissions":
        return Verb(Access.READ, "test", sure=False)
    if first in _FIRST and (len(said) > 1 or first not in _UNSURE) and not (first == "query" and _DATABASE.intersection(said)):
        return _FIRST[first]
    if first in _UNSURE and (len(said) > 1 or first != "log"):
        return _posted(_UNSURE[first], said)
    if len(said) == 1 and _RUN_ON.match(first):
        return Verb(Access.DELETE, first, sure=False)
    found = _LAST.get(last) or _UNSURE.get(last) or next((_UNSURE[word] for word in said if word in _UNSURE), None)
    return found if found is None else _posted(found, said)


def _posted(verb: Verb, said: tuple[str, ...]) -> Verb:
    """A post is sent to people, but `post_data` is not."""
    is_sent = verb.word != "post" or said[-1] == "post" or bool(_MESSAGES.intersection(said))
    return verb if is_sent else replace(verb, access=Access.WRITE)
