"""Real programs under `outgate run`, look-alike services, and the oracle after every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clients.everything import look_alikes
from clients.under_gate import Gate, fresh_login

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clients.git_host import GitHost
    from clients.lookalikes import LookAlikes


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LookAlikes, GitHost]]:
    services, git_host = look_alikes(tmp_path_factory.mktemp("look-alikes"))
    with services:
        yield services, git_host


@pytest.fixture
def services(_world: tuple[LookAlikes, GitHost]) -> LookAlikes:
    """The look-alikes, with nothing seen yet."""
    _world[0].forget()
    return _world[0]


@pytest.fixture
def git_host(_world: tuple[LookAlikes, GitHost]) -> GitHost:
    return _world[1]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder for the agent, with a home in it."""
    folder = tmp_path / "work"
    (folder / "home").mkdir(parents=True)
    return folder


@pytest.fixture
def environment(work: Path) -> dict[str, str]:
    return fresh_login(work)


@pytest.fixture
def gate(tmp_path: Path, work: Path, environment: dict[str, str], services: LookAlikes) -> Iterator[Gate]:
    """Starts agents; at the end what reached the look-alikes must be what the record says, and the record must verify."""
    gate = Gate(folder=tmp_path, work=work, environment=environment, services=services)
    yield gate
    gate.agrees()
    assert services.acks.missed == []
