"""Access and tier of an operation: from the vendor's data, else from its method and the verb in its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from outgate.actions.action import Access, Tier
from outgate.actions.verbs import Verb, verb_of, words


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`why` is a short sentence for the person who is asked to approve; `evidence` names what was gone by, strongest first."""

    access: Access
    tier: Tier
    why: str
    evidence: tuple[str, ...]


_READS: Final = frozenset({Access.READ, Access.LIST})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_READING: Final = frozenset({"convert", "export", "generate", "select"})  # done by GET, they give what they make
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


# What something is done to says more than `create` or `update`: looked for in this order.
_OBJECTS: Final = (
    (Access.PAY, _set("refund refunds payout payouts payment payments charge purchase checkout withdrawal donation")),
    (
        Access.ADMIN,
        _set(
            "permission permissions policy policies role roles acl acls credential credentials password passwords secret secrets "
            "token tokens apikey apikeys key keys webhook webhooks hook hooks owner owners ownership admin admins member members "
            "membership collaborator collaborators invitation invitations grant grants privilege privileges entitlement "
            "entitlements billing config configuration configurations settings setting preferences mfa sso saml oidc firewall "
            "allowlist whitelist"
        ),
    ),
    (Access.EXECUTE, _set("shell bash command commands script scripts sql cypher statement")),
    (Access.SEND, _set("email emails mail message messages comment comments tweet sms dm invite notification notifications")),
)
_SENDING: Final = _set("create post add send new put schedule submit write reply respond publish")
_HANDED_OVER: Final = _set(
    "domain domains ownership owner repo repository account project org organization number license certificate workspace site "
    "app"
)
_BULK: Final = _set("all bulk batch everything many mass multiple")
_FOR_GOOD: Final = _set("terminate destroy purge wipe erase truncate obliterate shred deletecollection")
_LASTING: Final = _set(
    "account accounts organization organizations org tenant workspace database databases cluster clusters snapshot snapshots "
    "backup backups vault bucket table schema keyspace project repository repo filesystem domain pool"
)
_STOPPING: Final = _set("stop disable suspend deactivate pause delete remove ban block terminate shutdown close cancel")
_WATCHING: Final = _set("logging trail trails audit monitoring recorder detector account accounts organization tenant")
_SENSITIVE: Final = _set(
    "token tokens credential credentials password passwords secret secrets apikey apikeys oauth kubeconfig decrypt presign "
    "presigned export exports dump private passphrase"
)
_SENSITIVE_TOGETHER = re.compile(
    r"(access|private|api|account|host|function|master|admin|signing|security|ssh|data|list|get)_keys?\b|key_pair|signed_url|"
    r"connection_string|authorization_code|login_profile|verification_code|assume_role"
)


def access_of(name: str) -> tuple[Access, Tier]:
    """What a name alone says. Names lie and verbs mislead; what has no known verb is unknown, never a read."""
    judged = judge(name)
    return judged.access, judged.tier


def judge(name: str, *, method: str = "", level: str = "", marks: str = "", path: str = "") -> Judged:
    """Judge an operation by what is known of it.

    In this order: the vendor's data (`level`, one letter; `marks`, letters of ours), the method, the verb in the name, the verb
    in the last literal segment of the path. What none of them tells is unknown: T2, never a read.
    """
    said = words(name)
    access, evidence = _access(name, said, method, level, path)
    return _weighed(access, said, marks, evidence)


def _access(name: str, said: tuple[str, ...], method: str, level: str, path: str) -> tuple[Access, tuple[str, ...]]:
    verb = verb_of(name)
    by_verb = (f"verb {verb.word}",) if verb else ()
    if level:
        return _by_level(level, verb, said), (f"level {level}", *by_verb)
    if method == "DELETE":
        return Access.DELETE, ("method DELETE",)
    if method in _READING:
        return _by_reading_method(method, verb)
    if verb is None:
        verb = verb_of(_last_literal(path))
        by_verb = (f"path {verb.word}",) if verb else ()
    if verb is not None and not (method in {"PUT", "PATCH"} and verb.access in _READS):
        return _told(verb, said), by_verb
    if method in {"PUT", "PATCH"} or (method == "POST" and _last_literal(path)):
        return _by_object(Access.WRITE, "create", said), (f"method {method}",)
    return Access.UNKNOWN, ()


def _by_level(level: str, verb: Verb | None, said: tuple[str, ...]) -> Access:
    access = _LEVELS[level]
    if level != "w" or verb is None or verb.access in _READS:
        return _by_object(access, "", said) if level == "w" else access
    return _told(verb, said)


def _by_reading_method(method: str, verb: Verb | None) -> tuple[Access, tuple[str, ...]]:
    if verb is not None and verb.sure and verb.access not in _READS and verb.word not in _BY_READING:
        return verb.access, (f"verb {verb.word}", f"method {method}")
    listing = verb is not None and verb.access is Access.LIST
    return (Access.LIST if listing else Access.READ), (f"method {method}",)


def _last_literal(path: str) -> str:
    literal = [segment for segment in re.sub(r"\{[^}]*\}", "", path).split("/") if segment]
    return literal[-1] if literal else ""


def _told(verb: Verb, said: tuple[str, ...]) -> Access:
    if verb.word == "transfer":
        return Access.ADMIN if _HANDED_OVER.intersection(said) else Access.PAY
    return _by_object(verb.access, verb.word, said) if verb.access in {Access.WRITE, Access.SEND} else verb.access


def _by_object(access: Access, word: str, said: tuple[str, ...]) -> Access:
    for meant, objects in _OBJECTS:
        if objects.intersection(said) and (meant is not Access.SEND or word in _SENDING):
            return meant
    return access


def _weighed(access: Access, said: tuple[str, ...], marks: str, evidence: tuple[str, ...]) -> Judged:
    if access in _READS:
        tier, why, by = _weigh_read(said, marks)
    else:
        tier, why, by = _weigh_change(access, said, marks)
    return Judged(access=access, tier=tier, why=why or f"{_WHY[access]}.", evidence=(*evidence, *by))


def _weigh_read(said: tuple[str, ...], marks: str) -> tuple[Tier, str, tuple[str, ...]]:
    if "s" in marks:
        return Tier.T1, "It reads credentials, an export, or much about people.", ("mark s",)
    if "count" not in said and (_SENSITIVE.intersection(said) or _SENSITIVE_TOGETHER.search("_".join(said))):
        return Tier.T1, "It may read credentials, or export data.", ("sensitive by name",)
    return Tier.T0, "", ()


def _weigh_change(access: Access, said: tuple[str, ...], marks: str) -> tuple[Tier, str, tuple[str, ...]]:
    tier = _TIERS[access]
    spoken = frozenset(said)
    if "i" in marks or spoken & _FOR_GOOD or (access is Access.DELETE and spoken & _LASTING) or _ends_for_good(spoken):
        return Tier.T3, "It can't be undone.", ("mark i",) if "i" in marks else ("irreversible by name",)
    if "u" in marks or (spoken & _STOPPING and spoken & _WATCHING):
        return Tier.T3, "It suspends a service, an account or a log.", ("mark u",) if "u" in marks else ("suspends by name",)
    if "b" in marks or spoken & _BULK or {"by", "query"} <= spoken:
        raised = Tier.T3 if tier is not Tier.T1 else Tier.T2
        return raised, f"{_WHY[access]}, in bulk.", ("mark b",) if "b" in marks else ("bulk by name",)
    if "m" in marks:
        return max(tier, Tier.T2), "Money moves.", ("mark m",)
    if "p" in marks:
        return max(tier, Tier.T2), "It makes something public, or hands out a permission.", ("mark p",)
    return tier, "", ()


def _ends_for_good(spoken: frozenset[str]) -> bool:
    return (
        {"close", "account"} <= spoken
        or {"key", "deletion"} <= spoken
        or {"leave", "organization"} <= spoken
        or ("transfer" in spoken and bool(spoken & _HANDED_OVER))
    )
