"""What a request says about the form in which it wants its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.intake.request import Request, WholeBody

if TYPE_CHECKING:
    from outgate.intake.request import Unreadable

_ITEMS = 40


def header(request: Request, name: str) -> str:
    """The first value, or nothing: choosing a form needs no certainty, and must never fail."""
    return next((value for key, value in request.headers if key == name), "")


def media(request: Request) -> str:
    """The body's media type without parameters, lower case."""
    return header(request, "content-type").partition(";")[0].strip().lower()


def accepts(reading: Request | Unreadable) -> list[str]:
    """Media types that the client names, best first (RFC 9110, section 12.5.1), without those that it excludes."""
    if not isinstance(reading, Request):
        return []
    weighed = (_weighed(item) for item in header(reading, "accept").lower().split(",")[:_ITEMS])
    ranked = sorted((pair for pair in weighed if pair[0] > 0), key=lambda pair: -pair[0])
    return [kind for _, kind in ranked if kind]


def content(request: Request) -> bytes:
    """The whole body where it was read and is not encoded; else nothing."""
    if not isinstance(request.body, WholeBody) or header(request, "content-encoding"):
        return b""
    return request.body.content


def is_under(host: str, *domains: str) -> bool:
    """A domain, or a name below it."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _weighed(item: str) -> tuple[float, str]:
    kind, *parameters = (part.strip() for part in item.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            return _weight(value), kind
    return 1.0, kind


def _weight(text: str) -> float:
    digits = text.removeprefix("0.").removeprefix("1.")
    if not (text.isascii() and digits.isdigit() and len(text) <= 5):
        return 0.0
    return float(text)
