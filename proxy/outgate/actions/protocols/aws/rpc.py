"""RPC: the protocols of AWS's in which the operation is named outright, by a header, a path or a field of a form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from outgate.actions.arguments import Arguments
from outgate.actions.protocols.aws.asked import Found, Unclear
from outgate.actions.protocols.aws.fields import Cbor, Query
from outgate.intake.bodies import Undecodable
from outgate.intake.media import media_of
from outgate.intake.request import NoBody, SpooledBody, UnreadBody

if TYPE_CHECKING:
    from outgate.actions.mined import Part
    from outgate.actions.protocols.aws.asked import Asked, Pairs

ACTION, VERSION, QUEUE, TARGET, SMITHY = "Action", "Version", "QueueUrl", "x-amz-target", "smithy-protocol"
CBOR = "rpc-v2-cbor"
_IN_CBOR = frozenset({"application/x-amz-cbor-1.1", "application/x-amz-cbor-1.0"})
"""How some SDKs write to Kinesis what others write in JSON."""
_CBOR_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)")
_QUEUE = re.compile(r"/(?:[0-9]{12}/[A-Za-z0-9_.-]{1,85}/?)?")
_ANY_ACTION = re.compile(r"\s*action\s*", re.IGNORECASE)


def find(asked: Asked, *, head: bool) -> Found | Unclear | None:
    """Find the operation that a request names; None where it names none. `head`: its body is not there yet.

    1. A header, a path and a field may name one: just one of them does.
    2. Some service at this host declares the protocol that it is named in, and has such an operation.
    """
    targets, smithy = asked.headers(TARGET), asked.headers(SMITHY)
    cbor = bool(smithy) or (_CBOR_PATH.search(asked.request.path) is not None and bool(asked.speaking("smithy-rpc-v2-cbor")))
    named = [value for name, value in asked.query if _ANY_ACTION.fullmatch(name)]
    if bool(targets) + cbor + bool(named) > 1 or len(targets) > 1 or len(smithy) > 1:
        return Unclear("it names an operation in two ways")
    if any(name.strip().lower() in {TARGET, SMITHY} for name, _ in asked.query):
        return Unclear("a field of the query stands for a header that names an operation")
    if targets:
        return _by_target(asked, targets[0])
    if cbor:
        return _by_path(asked, smithy)
    return _by_action(asked, head=head)


def _by_target(asked: Asked, target: str) -> Found | Unclear:
    prefix, _, operation = target.rpartition(".")
    if asked.request.method != "POST" or asked.request.path != "/":
        return Unclear("an operation is named by X-Amz-Target, in what is no POST to '/'")
    speaking = asked.speaking("json")
    found = [
        (part, at)
        for part in speaking
        if part.meta.get("target") == prefix and (at := _place(asked, part, operation)) is not None
    ]
    if not found:
        return Unclear("X-Amz-Target names no operation of this host's")
    media = media_of(asked.request.headers)
    in_cbor = media is not None and media.kind in _IN_CBOR
    return _made(found, "X-Amz-Target", Cbor(asked.request) if in_cbor else Arguments(asked.request, json=True))


def _by_path(asked: Asked, smithy: list[str]) -> Found | Unclear:
    match = _CBOR_PATH.fullmatch(asked.request.path)
    if match is None or smithy != [CBOR] or asked.request.method != "POST":
        return Unclear("a part of it is RPC v2, and the rest is not")
    speaking = asked.speaking("smithy-rpc-v2-cbor")
    found = [
        (part, at) for part in speaking if part.meta["cbor"] == match[1] and (at := _place(asked, part, match[2])) is not None
    ]
    if not found:
        return Unclear("its path names no operation of this host's")
    return _made(found, "RPC v2 path", Cbor(asked.request))


def _by_action(asked: Asked, *, head: bool) -> Found | Unclear | None:
    named = any(_ANY_ACTION.fullmatch(name) for name, _ in asked.query)
    speaking = asked.speaking("query", "ec2")
    if not speaking:
        return Unclear("it has an Action, and no service of this host reads one") if _names_one(asked) else None
    if not named and not _is_root(asked):
        return None
    if asked.request.method not in {"GET", "POST"} or not _is_root(asked):
        return Unclear("an Action goes with GET or POST of '/'")
    pairs = _fields(asked, head=head)
    if isinstance(pairs, Unclear):
        return pairs
    actions = [value for name, value in pairs if name == ACTION]
    if not actions:
        return Unclear("it names no Action") if len(asked.parts) == len(speaking) else None
    return _of_action(asked, speaking, actions[0], pairs)


def _names_one(asked: Asked) -> bool:
    """Just as it is written: some REST operations have an `action` of their own."""
    return any(name == ACTION for name, _ in asked.query)


def _is_root(asked: Asked) -> bool:
    """Requests to a queue go to its path."""
    path = asked.request.path
    return path == "/" or ("sqs" in asked.parts and _QUEUE.fullmatch(path) is not None)


def _fields(asked: Asked, *, head: bool) -> Pairs | Unclear:
    """Query and form together. A field that is there twice has two values, whichever the server takes."""
    form: Pairs = ()
    match asked.request.body:
        case SpooledBody() | UnreadBody() if not head:
            return Unclear("its body is too large to see which operation it names")
        case NoBody() | SpooledBody() | UnreadBody():
            pass
        case _:
            read = Arguments(asked.request).form()
            if isinstance(read, Undecodable) or any(value is None for _, value in read):
                return Unclear("its body is no form that can be read")
            form = tuple((name, value) for name, value in read if value is not None)
    pairs = (*asked.query, *form)
    folded = {name.strip().casefold() for name, _ in pairs}
    if len(folded) != len(pairs):
        return Unclear("a field is there twice")
    if "action" in folded and not any(name == ACTION for name, _ in pairs):
        return Unclear("it has an Action that is written in another way")
    return pairs


def _of_action(asked: Asked, speaking: tuple[Part, ...], action: str, pairs: Pairs) -> Found | Unclear:
    found = [(part, at) for part in speaking if (at := _place(asked, part, action)) is not None]
    version = next((value for name, value in pairs if name == VERSION), "")
    if len(found) > 1:  # one service alone may be asked in an older version than ours
        found = [(part, at) for part, at in found if part.meta["version"] == version] or ([] if version else found)
    if not found:
        return Unclear("its Action is no operation of this host's")
    queue = next((value for name, value in pairs if name == QUEUE), "")
    if asked.request.path == "/":
        return _made(found, "Action", Query(asked.request, pairs))
    if queue and not queue.endswith(asked.request.path):
        return Unclear("it names one queue in its path, and another beside it")
    there = f"https://{asked.request.host}{asked.request.path}"
    return _made(found, "Action", Query(asked.request, pairs if queue else (*pairs, (QUEUE, there))))


def _place(asked: Asked, part: Part, operation: str) -> int | None:
    return asked.atlas.place(part, operation)


def _made(found: list[tuple[Part, int]], how: str, arguments: Arguments) -> Found:
    (part, index), *also = found
    return Found(part=part, index=index, how=how, arguments=arguments, also=tuple(also))
