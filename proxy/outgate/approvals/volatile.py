"""What of a request's headers differs between two attempts at the very same thing, and so does not count."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from outgate.intake.request import Request

VOLATILE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "how it is sent": frozenset({"date", "user-agent", "accept-encoding", "content-length", "sec-websocket-key"}),
        "trace ids": frozenset(
            {
                *("traceparent", "tracestate", "sentry-trace", "b3", "uber-trace-id", "grpc-trace-bin"),
                *("x-request-id", "x-correlation-id", "x-amzn-trace-id", "x-cloud-trace-context", "elastic-apm-traceparent"),
            }
        ),
        "names of one attempt": frozenset(
            {
                *("idempotency-key", "x-idempotency-key", "paypal-request-id", "x-goog-gcs-idempotency-token"),
                *("x-client-request-id", "client-request-id", "x-ms-client-request-id"),
                *("amz-sdk-invocation-id", "amz-sdk-request", "x-goog-api-client", "x-stripe-client-telemetry"),
            }
        ),
        "signatures of one attempt": frozenset({"signature", "dpop"}),
    }
)
"""By reason. Names are lower case."""
PREFIXES = ("x-b3-", "x-datadog-", "x-stainless-")

_ALL = frozenset[str]().union(*VOLATILE.values())
_SIGV4 = re.compile(
    r"((?:AWS4|GOOG4)-[A-Z0-9-]+) +Credential=([^/, ]+)/[0-9]{8}/([^, ]+), *SignedHeaders=[^, ]+, *Signature=[0-9a-f]+"
)
_SHARED_KEY = re.compile(r"(SharedKey(?:Lite)?) +([^: ]+):[A-Za-z0-9+/=]+")
_PARAMETER = re.compile(r"""([A-Za-z_]+)=("[^"\\]*"|[^\s,"]*)(?:,[ \t]*|$)""")
_OF_ONE_ATTEMPT = frozenset({"oauth_signature", "oauth_nonce", "oauth_timestamp", "response", "nonce", "cnonce", "nc"})
_SIGNED_AT = re.compile(r"""("(?:[^"\\]|\\.)*")|;(?:(?:created|expires)=[0-9]+|nonce="[^"\\]*")""")
"""Quoted text is passed over first: what looks like a date inside it is none."""
_WAITING = re.compile(r"respond-async|wait[ \t]*=[ \t]*[0-9]+", re.IGNORECASE)
"""Whole: what some servers would read another preference in, behind a `;`, counts."""
_GOES_WITH_A_SIGNATURE = frozenset({"x-amz-date", "x-amz-security-token", "x-goog-date", "x-ms-date"})


def lasting(request: Request) -> Iterator[tuple[str, str]]:
    """The headers that count, with what of their values does: by name, those of one name in their order.

    Some clients (Go's over HTTP/2) shuffle headers; the order of different names means nothing (RFC 9110, section 5.3).
    """
    signed = any(name == "authorization" and _signer(value) is not None for name, value in request.headers)
    for name, value in sorted(request.headers, key=lambda header: header[0]):
        if name in _ALL or name.startswith(PREFIXES) or (signed and name in _GOES_WITH_A_SIGNATURE):
            continue
        kept = REDUCED[name](value) if name in REDUCED else value
        if kept is not None:
            yield name, kept


def _authorization(value: str) -> str:
    """Who asks, never when: a signature made anew for each attempt is left out, a key or a token counts."""
    if (signer := _signer(value)) is not None:
        return signer
    scheme, _, said = value.partition(" ")
    parameters = _parameters(said) if scheme.lower() in {"oauth", "digest"} else None
    if parameters is None:
        return value
    return f"{scheme} " + ", ".join(f"{name}={given}" for name, given in parameters if name.lower() not in _OF_ONE_ATTEMPT)


def _parameters(said: str) -> list[tuple[str, str]] | None:
    """Name and value of each (RFC 9110, section 11.2); None for what is not a list of them from end to end."""
    found = list(_PARAMETER.finditer(said))
    return [(one[1], one[2]) for one in found] if said and "".join(one[0] for one in found) == said else None


def _signer(value: str) -> str | None:
    """The key that signed, and where it is good for; None where this is no signature of a kind that we know."""
    if (found := _SIGV4.fullmatch(value)) is not None:
        return f"{found[1]} {found[2]}/{found[3]}"
    if (found := _SHARED_KEY.fullmatch(value)) is not None:
        return f"{found[1]} {found[2]}"
    return None


def _prefer(value: str) -> str | None:
    """How long a client can wait is its own affair; any other preference changes what is done (RFC 7240)."""
    if '"' in value:
        return value
    items = [item.strip() for item in value.split(",")]
    kept = [item for item in items if not _WAITING.fullmatch(item)]
    return ", ".join(kept) or None


def _baggage(value: str) -> str | None:
    """Who watches errors puts ids of a trace into it; everything else is the application's, and may say where a request goes."""
    kept = [item for item in (one.strip() for one in value.split(",")) if not item.startswith("sentry-")]
    return ",".join(kept) or None


def _signature_input(value: str) -> str:
    """Which key signs what, not when (RFC 9421)."""
    return _SIGNED_AT.sub(lambda found: found[1] or "", value)


REDUCED: Mapping[str, Callable[[str], str | None]] = MappingProxyType(
    {"authorization": _authorization, "baggage": _baggage, "prefer": _prefer, "signature-input": _signature_input}
)
"""Headers of which a part counts."""
