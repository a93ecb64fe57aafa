"""Who answers in the sandbox: a document, a book of canned answers, a protocol's own form, or what is usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgate.mock import canned, convention
from outgate.mock.exchange import Answer, in_json
from outgate.mock.protocols import closed, git, jsonrpc, s3
from outgate.mock.shelves import Shelves

if TYPE_CHECKING:
    from collections.abc import Callable

    from outgate.mock.book import Book
    from outgate.mock.exchange import Asked
    from outgate.mock.openapi import Document
    from outgate.mock.shelves import Shelf

ANSWER_LIMIT = 8 * 2**20
"""Bytes of one answer."""


class Answers:
    """Answers for every service. `book` gives what is written for one, None where nothing is; it may raise ConfigError."""

    def __init__(self, book: Callable[[str], Book | None]) -> None:
        self._book = book
        self._shelves = Shelves()

    def answer(self, asked: Asked, document: Document | None = None, *, whole: bool = True) -> Answer:
        """Answer one request. `whole`: its body is all there. Where it is not, only what needs no more of it is answered."""
        shelf = self._shelves.of(asked.agent)
        made = self._answer(asked, document, shelf, whole=whole)
        if made.size > ANSWER_LIMIT:
            return in_json({"message": "The sandbox's answer to this would be too large."}, 413)
        return made

    def _answer(self, asked: Asked, document: Document | None, shelf: Shelf, *, whole: bool) -> Answer:
        if (pushed := git.answer(asked)) is not None:
            return pushed
        if not whole:
            return in_json({"message": convention.TOO_LARGE}, 413)
        if document is not None:
            return document.answer(asked)
        book = self._book(asked.service)
        found = None if book is None else canned.answer(asked, book, shelf)
        return found or _in_form(asked, shelf) or convention.answer(asked, shelf)


def _in_form(asked: Asked, shelf: Shelf) -> Answer | None:
    return closed.answer(asked) or jsonrpc.answer(asked, declared=asked.service == "mcp") or s3.answer(asked, shelf)
