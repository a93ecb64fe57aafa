"""Real programs, look-alike services."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clients.everything import look_alikes as build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.git_host import GitHost
    from clients.lookalikes import LookAlikes

AGENTS = Path(__file__).parent / "agents"
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LookAlikes, GitHost]]:
    services, git_host = build(tmp_path_factory.mktemp("look-alikes"))
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
    """What a fresh login has: no proxies, no certificates, no indexes of this machine's."""
    return {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(work / "home"),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "npm_config_globalconfig": str(work / "home" / "npmrc"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
