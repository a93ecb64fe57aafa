"""outgate.app.parts: built over a real folder. What it does with requests is tried in tests/wire and tests/clients."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from outgate.app.grounds import grounds
from outgate.app.parts import Parts
from outgate.ca.authority import make_authority
from outgate.errors import UnavailableError
from outgate.intake.agents import Agent
from outgate.intake.credentials import Agents, Enrolled, token_digest
from outgate.intake.destinations import Destination, Destinations, Fixed
from outgate.keys.ed25519 import SigningKey
from outgate.stores.logs import check_log
from outgate.telemetry.metrics import Metrics

KEY = SigningKey.from_seed(bytes(32))


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    return grounds()


@pytest.fixture
async def parts(found):
    made = Parts(found=found, key=KEY, metrics=Metrics(), agents=Agents())
    async with AsyncExitStack() as stack:
        await made.build(stack, make_authority(datetime.now(UTC)))
        yield made


async def test_what_is_built_decides_with_what_people_wrote(parts):
    assert parts.gate.ground.policy.digest == parts.found.policy.digest
    assert parts.own == set()


async def test_what_people_write_later_holds_everywhere_at_once(parts):
    fixed = Destination(pattern="api.test", route=Fixed(address=ip_address("127.0.0.1"), port=8443))
    settings = replace(parts.found.settings, destinations=Destinations(by_pattern={"api.test": fixed}))
    policy = replace(parts.found.policy, name="another")
    known = Agents(by_name={"mailer": Enrolled(agent=Agent(id="mailer"), token=token_digest("x"))}, digest="sha256:1")
    assert parts.adopt(replace(parts.found, settings=settings, policy=policy), known) == 0
    assert parts.gate.ground.policy.name == "another"
    pinned = await parts.resolver.pin("api.test", 443)
    assert (pinned.address, pinned.address_port) == ("127.0.0.1", 8443)
    assert parts.agents is known


async def test_what_was_opened_is_closed_and_the_log_holds(found):
    made = Parts(found=found, key=KEY, metrics=Metrics())
    async with AsyncExitStack() as stack:
        await made.build(stack, make_authority(datetime.now(UTC)))
        await made.gate.note("start", None, {})
    assert check_log(made.journal.folder, KEY.public).bad is None
    with pytest.raises(UnavailableError):
        await made.gate.note("stop", None, {})
