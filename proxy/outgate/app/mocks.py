"""Where mocks are: at addresses that the operator gave, or in this program."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from outgate.errors import ConfigError, Problem
from outgate.intake.destination import canonical_authority
from outgate.intake.destinations import Destinations, Network
from outgate.net.resolver import SystemResolver
from outgate.policy.decision import Reason
from outgate.ports import MockWay, NoWay, Pin
from outgate.stores.described_files import read_document
from outgate.stores.mock_files import own_mock_files, shipped_mock_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outgate.intake.request import Scheme
    from outgate.mock.book import Book
    from outgate.mock.openapi import Document
    from outgate.mock.server import MockServer
    from outgate.net.lookup import Lookup
    from outgate.policy.rule import Mock, Policy
    from outgate.ports import Alarm, Clock

ANYWHERE = Network(name="mocks", blocks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
"""An operator's mock may be on any network; what nobody is sent to, such as metadata services, it can't be."""
PATIENCE = 3.0
_GOOD_FOR, _BAD_FOR = 5.0, 1.0
"""Seconds for which it is known that a mock answers, or does not."""


class Books:
    """Canned answers by service: the operator's own over the shipped ones, each read when it is first asked for."""

    def __init__(self, *own: Path) -> None:
        """Raises ConfigError with every problem in the operator's own files."""
        self._own = own_mock_files(*own)
        self._books: dict[str, Book | None] = {}
        problems: list[Problem] = []
        for service in self._own:
            try:
                self.of(service)
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(*sorted(set(problems)))

    def of(self, service: str) -> Book | None:
        """What is written for a service. Raises ConfigError."""
        if service not in self._books:
            self._books[service] = self._read(service)
        return self._books[service]

    def _read(self, service: str) -> Book | None:
        from outgate.mock.load import load

        base = shipped_mock_file(service)
        documents = (*([base] if base else []), *self._own.get(service, ()))
        return load(documents) if documents else None


def document_path(mock: Mock) -> Path:
    """Where the document of a mock is: seen from the policy that names it."""
    return Path(mock.beside, mock.openapi).absolute()


def read_openapi_file(path: Path) -> Document:
    """Read an OpenAPI document. Raises ConfigError."""
    from outgate.mock.openapi import read_openapi

    return read_openapi(read_document(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What people wrote of mocks, read and found good."""

    books: Books = field(default_factory=Books)
    documents: Mapping[Path, Document] = field(default_factory=dict)


def read_written(policy: Policy, folders: tuple[Path, ...] = ()) -> Written:
    """Read the operator's canned answers and what the policy's mocks name. Raises ConfigError with every problem."""
    documents, problems = _described(policy)
    try:
        books = Books(*folders)
    except ConfigError as error:
        raise ConfigError(*problems, *error.problems) from error
    if problems:
        raise ConfigError(*problems)
    return Written(books=books, documents=documents)


class Sandbox:
    """ports.Mocks: finds mocks of the operator's, and starts the one that is built in when it is first needed.

    `own` gets the built-in one's address, so that no request is ever sent there but by way of a decision. `key` is what the
    gate shows to it, and nobody else knows.
    """

    def __init__(  # noqa: PLR0913  # a composition point
        self,
        *,
        destinations: Destinations,
        written: Written,
        lookup: Lookup,
        own: set[tuple[str, int]],
        clock: Clock,
        alarm: Alarm,
        key: str,
    ) -> None:
        self._destinations = destinations
        self._written = written
        self._lookup = lookup
        self._own = own
        self._clock = clock
        self._alarm = alarm
        self._key = key
        self._server: MockServer | None = None
        self._resolvers: dict[str, SystemResolver] = {}
        self._tried: dict[tuple[str, int], tuple[float, bool]] = {}

    def adopt(self, destinations: Destinations, written: Written) -> None:
        """Go by these from now on. What agents created stays."""
        self._written, self._destinations = written, destinations
        self._resolvers.clear()
        if self._server is not None:
            self._describe(self._server)

    async def way(self, service: str, mock: Mock) -> MockWay | NoWay:
        """Where the mock of a service is. Asks nameservers, and whether anybody listens there."""
        if mock.url:
            return await self._elsewhere(service, mock.url)
        try:
            return self._here(service, mock)
        except OSError as error:
            return _none(service, f"the built-in one could not be started: {error}")

    def close(self) -> None:
        """End the built-in one."""
        if self._server is not None:
            self._server.close()

    # an address of the operator's

    async def _elsewhere(self, service: str, url: str) -> MockWay | NoWay:
        try:
            scheme, host, port, prefix = parts_of(url)
        except ValueError as error:
            return _none(service, f"'{url}' is no address of a mock: {error}")
        pin = await self._resolver(host).pin(host, port)
        if isinstance(pin, NoWay):
            return replace(_none(service, pin.why), reason=pin.reason)
        if not await self._answers(pin):
            return _none(service, f"nobody listens at {url} ({pin.address} port {pin.address_port})")
        return MockWay(scheme=scheme, host=host, port=port, pin=pin, prefix=prefix)

    def _resolver(self, host: str) -> SystemResolver:
        found = self._resolvers.get(host)
        if found is None:
            said = replace(self._destinations.of(host), pattern=host, network=ANYWHERE)
            table = replace(self._destinations, by_pattern={**self._destinations.by_pattern, host: said})
            found = self._resolvers[host] = SystemResolver(
                destinations=table, lookup=self._lookup, own=self._own, fenced=False, monotonic=self._clock.monotonic
            )
        return found

    async def _answers(self, pin: Pin) -> bool:
        """Whether a connection can be had, known for a few seconds: a sandbox that is down refuses before anything is let out."""
        where, now = (pin.address, pin.address_port), self._clock.monotonic()
        until, known = self._tried.get(where, (now, False))
        if until > now:
            return known
        answers = await _connects(*where)
        self._tried[where] = (self._clock.monotonic() + (_GOOD_FOR if answers else _BAD_FOR), answers)
        return answers

    # the built-in one

    def _here(self, service: str, mock: Mock) -> MockWay | NoWay:
        from outgate.mock import server

        described: tuple[tuple[str, str], ...] = ()
        if mock.openapi:
            path = document_path(mock)
            if path not in self._written.documents:
                return _none(service, f"{path} was not read when the policy was")
            described = ((server.DOCUMENT, quote(str(path))),)
        port = self._running().start()
        self._own.add((server.ADDRESS, port))
        pin = Pin(name=server.ADDRESS, port=port, address=server.ADDRESS, address_port=port)
        headers = ((server.KEY, self._key), (server.SERVICE, service), *described)
        return MockWay(scheme="http", host=server.ADDRESS, port=port, pin=pin, headers=headers)

    def _running(self) -> MockServer:
        from outgate.mock.answers import Answers
        from outgate.mock.server import MockServer

        if self._server is None:
            self._server = MockServer(Answers(self._book), key=self._key, now=self._clock.now, alarm=self._failed)
            self._describe(self._server)
        return self._server

    def _describe(self, server: MockServer) -> None:
        for path, document in self._written.documents.items():
            server.describe(str(path), document)

    def _book(self, service: str) -> Book | None:
        """In the mock's own thread: the books may be others by the next request."""
        return self._written.books.of(service)

    def _failed(self, error: BaseException) -> None:
        self._alarm.raise_for(error, "answering in the sandbox")


def _described(policy: Policy) -> tuple[dict[Path, Document], list[Problem]]:
    """Read the documents that a policy's mocks name, and say what is wrong with any of its mocks."""
    found: dict[Path, Document] = {}
    problems: list[Problem] = []
    for name, mock in policy.mocks.items():
        try:
            if mock.url:
                parts_of(mock.url)
            elif mock.openapi:
                path = document_path(mock)
                found[path] = found.get(path) or read_openapi_file(path)
        except ValueError as error:
            problems.append(Problem(source=f"mock of {name}", message=f"'{mock.url}' is no address of a mock: {error}"))
        except ConfigError as error:
            problems.extend(error.problems)
    return found, problems


def parts_of(url: str) -> tuple[Scheme, str, int, str]:
    """Scheme, host, port and what goes before each path. Raises ValueError with a sentence."""
    parts = urlsplit(url)
    scheme: Scheme = "https" if parts.scheme == "https" else "http"
    if parts.scheme not in {"http", "https"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("Write http:// or https://, a host and a path, nothing more.")
    host, port = canonical_authority(parts.netloc, 443 if scheme == "https" else 80)
    return scheme, host, port, parts.path.rstrip("/")


async def _connects(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _none(service: str, why: str) -> NoWay:
    return NoWay(
        reason=Reason.UPSTREAM,
        tell=f"The sandbox for {service} can't be reached, so this was not sent. Try again later; do not try another way.",
        why=f"the mock of {service} can't be had: {why}",
    )
