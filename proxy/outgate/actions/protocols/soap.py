"""SOAP 1.1 and 1.2: the operation is the first thing in the body, and whatever else names one must name the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from outgate.actions.access import judge
from outgate.actions.action import Access, Action, Confidence, Tier
from outgate.actions.operation import Operation
from outgate.actions.paths import readable
from outgate.actions.protocols.guess import guessed
from outgate.intake.bodies import Undecodable
from outgate.intake.codings import plain
from outgate.intake.media import media_of
from outgate.intake.request import WholeBody

if TYPE_CHECKING:
    from outgate.actions.catalog import Catalog
    from outgate.actions.service import Service
    from outgate.intake.request import Request

GENERIC = "soap"
"""The service that an operation belongs to where no file says which."""
LARGEST = 1 << 20
"""Bytes of a message that are read."""

_ENVELOPES = frozenset({"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"})
_KINDS = {"text/xml": "1.1", "application/soap+xml": "1.2"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_LAST_WORD = re.compile(r"[^/#:]*$")
_DEEPEST = 64
_FORMS = ("", "Request", "RequestMessage", "In", "SoapIn", "Message")
"""What WSDL tools put behind the operation's name: in the action, or in the element."""


class _StopError(Exception):
    """A sentence for the agent."""


def speaks(request: Request) -> bool:
    """Whether a request is one of SOAP by its head: its media type, and for 1.1, which shares its own with others, SOAPAction."""
    media = media_of(request.headers)
    if request.method != "POST" or media is None:
        return False
    return media.kind == "application/soap+xml" or (media.kind == "text/xml" and bool(_actions(request)))


def operations(service: str) -> tuple[Operation, ...]:
    """What can be said of a service that nobody described."""
    return (
        Operation(service=service, operation="unreadable", access=Access.UNKNOWN, tier=Tier.T2, why="the message can't be read"),
        Operation(service=service, operation="*", access=Access.UNKNOWN, tier=Tier.T2, why="an operation, judged by its name"),
    )


def wants_body(request: Request, _service: Service, _catalog: Catalog) -> bool:
    """Whether the body says what is done: it does."""
    return request.method == "POST"


def identify(request: Request, service: Service | None, _catalog: Catalog | None = None) -> tuple[Action, ...]:
    """Give the action of a message. At a declared host what is posted is one, whatever it says that it is."""
    if request.method != "POST" or (service is None and not speaks(request)):
        return ()
    said = _operation(request)
    if isinstance(said, Undecodable):
        return (_made(request, service, "unreadable", said.why),)
    action = _made(request, service, said, "")
    return (action,) if service is not None else (guessed(action, request, "SOAP"),)


def _operation(request: Request) -> str | Undecodable:
    if not isinstance(request.body, WholeBody):
        return Undecodable("The message has no body, or one that nobody read.")
    media = media_of(request.headers)
    content = plain(request.headers, request.body.content)
    if isinstance(content, Undecodable):
        return content
    if media is None or media.kind not in _KINDS or not media.is_utf8 or len(content) > LARGEST:
        return Undecodable("The body is no message of SOAP by its Content-Type, or is too large.")
    named = _first(content)
    if isinstance(named, Undecodable):
        return named
    if len(_actions(request)) > 1 or any(not _same(action, named) for action in _actions(request)):
        return Undecodable("What the head names and what the body names are not the same operation.")
    return named


def _actions(request: Request) -> list[str]:
    """What the head says: SOAPAction, and the `action` of the media type. An empty one says nothing."""
    media = media_of(request.headers)
    said = {value.strip('"') for name, value in request.headers if name == "soapaction"}
    said |= {media.param("action")} if media is not None else set()
    headed = any(name == "soapaction" for name, _ in request.headers)
    return [action for action in sorted(said) if action or (headed and len(said) == 1)]


def _same(action: str, named: str) -> bool:
    """`http://acme.example/Orders/CancelOrder` is the action of `CancelOrder`, and of `CancelOrderRequest`."""
    if not action:
        return True
    word = _LAST_WORD.search(action)
    last = word[0] if word else ""
    return any(last + form == named or last == named + form for form in _FORMS)


@dataclass(slots=True)
class _Seen:
    """Where in the envelope the parser is, and what stands in its body."""

    open: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    bodies: int = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if len(self.open) >= _DEEPEST:
            raise _StopError("The message is too deep.")
        space, _, local = name.rpartition(" ")
        if not self.open and (space not in _ENVELOPES or local != "Envelope"):
            raise _StopError("The message is no envelope of SOAP.")
        if len(self.open) == 1 and local == "Body":
            self.bodies += space in _ENVELOPES
        if len(self.open) == 2 and self.open[1].rpartition(" ")[2] == "Body":
            self.named.append(local)
        self.open.append(name)

    def end(self, _name: str) -> None:
        self.open.pop()


def _refuse(*_: object) -> None:
    raise _StopError("The message has a document type or a processing instruction.")


def _declared(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() != "utf-8":
        raise _StopError("The message is not in UTF-8, as it says itself.")


def _first(content: bytes) -> str | Undecodable:
    """The local name of the one thing in the body. No DTD, so no entities but XML's own; UTF-8 only."""
    seen, parser = _Seen(), expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = seen.start, seen.end
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ProcessingInstructionHandler = _refuse
    parser.XmlDeclHandler = _declared
    try:
        parser.Parse(content.decode("utf-8").encode(), True)
    except _StopError as error:
        return Undecodable(str(error))
    except (expat.ExpatError, ValueError, LookupError):
        return Undecodable("The body is not well-formed XML in UTF-8.")
    if seen.bodies != 1 or len(seen.named) != 1 or not _NAME.fullmatch(seen.named[0]):
        return Undecodable("The body of the message does not name one operation.")
    return seen.named[0]


def _made(request: Request, service: Service | None, operation: str, fault: str) -> Action:
    judged = judge(operation.removesuffix("Request"))
    override = None if service is None else service.overrides.get(operation)
    access, tier, why = judged.access, judged.tier, judged.why
    if override is not None:
        access, tier, why = override.access or access, tier if override.tier is None else override.tier, override.why or why
    return Action(
        service=GENERIC if service is None else service.name,
        operation=operation,
        resource=f"{request.authority}{readable(request.path)}",
        access=Access.UNKNOWN if fault else access,
        tier=Tier.T2 if fault else tier,
        confidence=Confidence.UNKNOWN if fault else Confidence.PROTOCOL,
        why=fault or why,
        evidence=("soap", *(() if fault else judged.evidence)),
    )
