"""Requests for tests, written as people say them: `POST https://api.stripe.com/v1/refunds`."""

import json as jsons

from outgate.intake.reading import read
from outgate.intake.request import NoBody, RawRequest, Request, Tunnel, WholeBody


def asked(line, *, headers=None, json=None, form=None, text=None, body=None):
    """Read a request as the gate would, and give it the body that is said in one of four ways."""
    method, _, url = line.partition(" ")
    scheme, _, rest = url.partition("://")
    authority, slash, target = rest.partition("/")
    host, _, port = authority.partition(":")
    kind, content = _content(json, form, text)
    lines = {"host": authority} | ({"content-type": kind} if kind else {}) | (headers or {})
    tunnel = Tunnel(host=host.encode(), port=int(port or 443), sni=host.encode()) if scheme == "https" else None
    raw = RawRequest(
        method=method.encode(),
        scheme=b"",
        authority=b"",
        target=(slash + target).encode(),
        version=b"HTTP/1.1",
        headers=tuple((name.encode(), value.encode("latin-1")) for name, value in lines.items()),
        tunnel=tunnel,
    )
    request = read(raw)
    assert isinstance(request, Request), request
    return with_body(request, body if body is not None else (WholeBody(content) if content else NoBody()))


def with_body(request, body):
    from dataclasses import replace

    return replace(request, body=body)


def _content(json, form, text):
    if json is not None:
        return "application/json", jsons.dumps(json).encode()
    if form is not None:
        return "application/x-www-form-urlencoded", form.encode()
    return "", (text or "").encode()
