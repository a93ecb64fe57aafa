"""Requests to a mock for tests, written as people say them: `POST /v1/customers`, with the body in one of three ways."""

import json as jsons
from datetime import UTC, datetime
from textwrap import dedent

from outgate.document import parse
from outgate.mock.exchange import Asked
from outgate.mock.load import load
from outgate.mock.shelves import Shelf

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


def to_mock(line, *, service="shop", agent="coder", origin=None, headers=None, json=None, form=None, body=b""):
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    said = dict(headers or {})
    if json is not None:
        body, said["content-type"] = jsons.dumps(json).encode(), said.get("content-type", "application/json")
    if form is not None:
        body, said["content-type"] = form.encode(), "application/x-www-form-urlencoded"
    return Asked(
        service=service,
        agent=agent,
        origin=origin or f"https://api.{service}.test",
        method=method,
        path=path,
        query=query,
        headers=tuple(said.items()),
        body=body,
        now=NOW,
    )


def book_of(*texts):
    """Canned answers of a service `shop`; each text goes on after the two lines that every file has."""
    return load([parse(f"outgate: mocks/v1alpha\nservice: shop\n{dedent(text)}", f"{n}.yaml") for n, text in enumerate(texts)])


def said(answer):
    """The JSON of an answer."""
    return jsons.loads(answer.body)


def shelf():
    return Shelf()
