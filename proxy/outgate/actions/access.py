"""Access and tier of an operation: from the vendor's data, else from its method and the verb in its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from outgate.actions.action import Access, Tier
from outgate.actions.verbs import Spoken, spoken, verb_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`why` is a short sentence for the person who is asked to approve; `evidence` names what was gone by, strongest first."""

    access: Access
    tier: Tier
    why: str
    evidence: tuple[str, ...]


_READS: Final = frozenset({Access.READ, Access.LIST})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITING: Final = frozenset({"PUT", "PATCH", "POST"})
_LEVELS: Final = {
    "r": Access.READ,
    "l": Access.LIST,
    "w": Access.WRITE,
    "t": Access.WRITE,
    "p": Access.ADMIN,
    "d": Access.DELETE,
    "x": Access.EXECUTE,
}
_TIERS: Final = {
    Access.READ: Tier.T0,
    Access.LIST: Tier.T0,
    Access.WRITE: Tier.T1,
    Access.SEND: Tier.T1,
    Access.EXECUTE: Tier.T1,
    Access.DELETE: Tier.T2,
    Access.ADMIN: Tier.T2,
    Access.PAY: Tier.T2,
    Access.AUTH: Tier.T2,
    Access.PUBLISH: Tier.T3,
    Access.UNKNOWN: Tier.T2,
}
_WHY: Final = {
    Access.READ: "It reads",
    Access.LIST: "It reads",
    Access.WRITE: "It changes something",
    Access.SEND: "Somebody gets a message",
    Access.EXECUTE: "Something runs",
    Access.DELETE: "Something is deleted",
    Access.ADMIN: "It changes who may do what, or how something is set up",
    Access.PAY: "Money moves",
    Access.AUTH: "It hands out or takes a session or a credential",
    Access.PUBLISH: "It is out in the world once done",
    Access.UNKNOWN: "Nobody can tell what it does",
}


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RARELY_READS: Final = _set(
    "accept activate add approve cancel confirm create deactivate disable enable insert reset set subscribe unsubscribe update"
)
"""Verbs that mean what they say even where the method is one that reads: `GET /unsubscribe`."""
_PAID: Final = _set("refund payout payment withdrawal donation purchase checkout charge")
_MONEY: Final = _set("money fund balance amount cash wire coin crypto payment payout usd eur wallet")
_HOW_IT_IS_PAID: Final = _set("manager provider connector configuration config setting template policy method attachment")
_RIGHTS: Final = _set(
    "permission policy policie role acl credential password secret token apikey webhook grant privilege firewall"
)
_SET_UP: Final = _set(
    "key hook owner ownership admin member membership collaborator invitation invite entitlement billing config configuration "
    "setting preference pref mfa sso saml oidc allowlist whitelist certificate pair dns nameserver"
)
_RECORDS: Final = _set("resource record set")
"""As the names of a domain are called."""
_CODE: Final = _set("shell bash command script sql cypher statement")
_MESSAGES: Final = _set("email mail message comment tweet sms dm invite notification")
_SENDING: Final = _set("create post add send new put submit write reply respond publish")
_MINTING: Final = _set("create generate issue exchange refresh regenerate request get make")
_MINTED: Final = _set("token credential")
_HANDED_OVER: Final = _set(
    "domain ownership owner repo repository repositorie account project org organization number license certificate workspace "
    "site app subscription"
)
_FOR_GOOD: Final = _set("terminate destroy purge wipe erase truncate obliterate shred deletecollection")
_LASTING: Final = _set(
    "account organization org tenant workspace database db cluster snapshot backup vault bucket table schema keyspace project "
    "repository repositorie repo filesystem domain"
)
_ERASING: Final = _set("delete drop")
_ROLLED_OUT: Final = _set("deploy redeploy")
_STOPPING: Final = _set("stop disable suspend deactivate pause delete remove ban block shutdown close")
_WATCHING: Final = _set("logging trail audit monitoring recorder detector account organization tenant")
_BULK: Final = _set("all bulk everything many mass multiple purge truncate")
_SENSITIVE: Final = _set(
    "token credential password secret apikey oauth kubeconfig decrypt presign presigned passphrase plaintext unmask"
)
_SENSITIVE_TOGETHER = re.compile(
    r"(access|private|api|account|host|function|master|admin|signing|security|ssh|data|list|get)_keys?\b|key_pair|signed_url|"
    r"connection_string|authorization_code|login_profile|verification_code|assume_role"
)
_TAKEN_OUT: Final = _set("export download dump")
_HARMLESS_BESIDE: Final = _set("count usage policy policie")


def why_of(access: Access) -> str:
    """What an access says by itself, for people."""
    return f"{_WHY[access]}."


def access_of(name: str) -> tuple[Access, Tier]:
    """What a name alone says. Names lie and verbs mislead; what has no known verb is unknown, never a read."""
    judged = judge(name)
    return judged.access, judged.tier


def judge(name: str, *, method: str = "", level: str = "", marks: str = "", path: str = "") -> Judged:
    """Judge an operation by what is known of it.

    In this order: the vendor's data (`level`, one letter; `marks`, letters of ours), the method, the verb in the name, the verb
    in the last literal segment of the path. What none of them tells is unknown: T2, never a read. `method` is that of an
    operation which it tells apart from others, as in REST; an RPC that is always a POST has none.
    """
    said = spoken(name, method=method)
    access, evidence = _by_level(level, method, said) if level else _by_name(said, method, path)
    if "m" in marks and access in {Access.WRITE, Access.SEND, Access.EXECUTE, Access.UNKNOWN}:
        access = Access.PAY
    tier, why, by = _read(said, marks) if access in _READS else _change(access, said, marks)
    return Judged(access=access, tier=tier, why=why or why_of(access), evidence=(*evidence, *by))


def _by_level(level: str, method: str, said: Spoken) -> tuple[Access, tuple[str, ...]]:
    """What writes is told apart further by the verb."""
    verb = said.verb
    evidence = (f"level {level}", *((f"verb {verb.word}",) if verb else ()))
    if level != "w":
        return _LEVELS[level], evidence
    if verb is not None and verb.access not in _READS:
        return _told(said), evidence
    return (Access.DELETE if method == "DELETE" else _by_noun(Access.WRITE, said)), evidence


def _by_name(said: Spoken, method: str, path: str) -> tuple[Access, tuple[str, ...]]:
    verb = said.verb
    if method == "DELETE":
        return Access.DELETE, ("method DELETE",)
    if method in _READING:
        return _by_reading_method(method, said)
    if verb is not None and not (method in {"PUT", "PATCH"} and verb.access in _READS):
        return _told(said), (f"verb {verb.word}",)
    literal = verb_of(_last_literal(path)) if verb is None else None
    if literal is not None and literal.access not in _READS:
        return _told(replace(said, verb=literal)), (f"path {literal.word}",)
    if method in _WRITING:
        return _by_noun(Access.WRITE, said), (f"method {method}",)
    return Access.UNKNOWN, ()


def _by_reading_method(method: str, said: Spoken) -> tuple[Access, tuple[str, ...]]:
    verb = said.verb
    if verb is None or verb.access in _READS:
        listing = verb is not None and verb.access is Access.LIST
        return (Access.LIST if listing else Access.READ), (f"method {method}",)
    acts = verb.sure and (verb.access is not Access.WRITE or verb.word in _RARELY_READS)
    return (_told(said), (f"verb {verb.word}", f"method {method}")) if acts else (Access.READ, (f"method {method}",))


def _last_literal(path: str) -> str:
    literal = [segment for segment in re.sub(r"\{[^}]*\}", "", path).split("/") if segment]
    return literal[-1] if literal else ""


def _told(said: Spoken) -> Access:
    verb = said.verb
    assert verb is not None
    if verb.word == "transfer":
        if said.stems & _HANDED_OVER:
            return Access.ADMIN
        return Access.PAY if not said.noun or said.stems & _MONEY else Access.WRITE
    if verb.word in _MINTING and said.noun in _MINTED and verb.access is Access.WRITE:
        return Access.AUTH
    return _by_noun(verb.access, said) if verb.access in {Access.WRITE, Access.SEND} else verb.access


def _by_noun(access: Access, said: Spoken) -> Access:
    """What something is done to says more than `create` or `update`."""
    noun, word = said.noun, said.verb.word if said.verb else ""
    if said.stems & _PAID:
        return Access.ADMIN if noun in _HOW_IT_IS_PAID else Access.PAY
    if said.stems & _RIGHTS or noun in _SET_UP or said.stems >= _RECORDS:
        return Access.ADMIN
    if noun in _CODE and word in {"send", "submit", "post"}:
        return Access.EXECUTE
    if noun in _MESSAGES and word in _SENDING:
        return Access.SEND
    return access


def _read(said: Spoken, marks: str) -> tuple[Tier, str, tuple[str, ...]]:
    if "s" in marks:
        return Tier.T1, "It reads credentials, an export, or much about people.", ("mark s",)
    if not said.stems & _HARMLESS_BESIDE and (said.stems & _SENSITIVE or _SENSITIVE_TOGETHER.search("_".join(said.words))):
        return Tier.T1, "It may read credentials.", ("sensitive by name",)
    if _takes_out(said):
        return Tier.T1, "It takes out much at once.", ("export by name",)
    return Tier.T0, "", ()


def _change(access: Access, said: Spoken, marks: str) -> tuple[Tier, str, tuple[str, ...]]:
    rolled_out = access is Access.PUBLISH and said.verb is not None and said.verb.word in _ROLLED_OUT
    tier = Tier.T2 if rolled_out else _TIERS[access]
    if "i" in marks or _is_for_good(said):
        return Tier.T3, "It can't be undone.", ("mark i",) if "i" in marks else ("irreversible by name",)
    if "u" in marks or _suspends(said):
        return Tier.T3, "It suspends a service, an account or a log.", ("mark u",) if "u" in marks else ("suspends by name",)
    if "b" in marks or _is_bulk(said):
        raised = Tier.T2 if tier is Tier.T1 else Tier.T3
        return raised, f"{_WHY[access]}, in bulk.", ("mark b",) if "b" in marks else ("bulk by name",)
    if tier is Tier.T1 and _takes_out(said):
        return Tier.T2, "It takes out much at once.", ("export by name",)
    if "p" in marks:
        return max(tier, Tier.T2), "It makes something public, or hands out a permission.", ("mark p",)
    return tier, "Other code runs from now on." if rolled_out else "", ("mark m",) if "m" in marks else ()


def _is_for_good(said: Spoken) -> bool:
    word, noun, words = said.verb.word if said.verb else "", said.noun, said.words
    return (
        word in _FOR_GOOD
        or (word in _ERASING and noun in _LASTING)
        or (word == "close" and noun == "account")
        or (word == "leave" and noun in {"organization", "org"})
        or (word == "transfer" and bool(said.stems & _HANDED_OVER))
        or ("key" in words and "deletion" in words and word == "schedule")
    )


def _suspends(said: Spoken) -> bool:
    return said.verb is not None and said.verb.word in _STOPPING and said.noun in _WATCHING


def _is_bulk(said: Spoken) -> bool:
    """`batch` is a noun in the middle of a name (`StopBatchJob`), and means many at its ends (`BatchDelete`)."""
    own = said.own
    return bool(_BULK.intersection(own)) or "batch" in _ends(own) or "_by_query" in "_".join(own)


def _takes_out(said: Spoken) -> bool:
    return bool(_TAKEN_OUT.intersection(_ends(said.own))) or (said.verb is not None and said.verb.word in _TAKEN_OUT)


def _ends(said: tuple[str, ...]) -> tuple[str, ...]:
    return (said[0], said[-1]) if said else ()
