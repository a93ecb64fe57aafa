"""Chromium, headless: a page with all that it fetches, over HTTP/2, with a WebSocket and a stream of events."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from clients.everything import MODERN
from clients.under_gate import AGENTS

if TYPE_CHECKING:
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "Nothing is deleted from here. Ask ops@acme.example."
HERE = '{id: only-here, unless: request.host.endsWith(".test"), effect: block}'
NO_DELETES = f'{{id: no-deletes, match: {{method: DELETE}}, effect: block, tell: "{TELL}"}}'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("certutil")), reason="there is no Chromium here"),
]


def test_a_page_loads_talks_and_reads_why_it_may_not(gate: Gate, services: LookAlikes):
    ran = gate.run("bash", AGENTS / "browse.sh", options=("--policy", gate.policy(HERE, NO_DELETES)))
    (said,) = [seen.content for seen in services.seen if seen.target == "/said"] or [ran.stderr]
    assert json.loads(said) == {
        "protocol": "h2",
        "fetched": True,
        "refused": [403, TELL],
        "heard": "hello",
        "events": [f"event {n}" for n in range(1, 6)],
    }
    assert {seen.version for seen in services.seen if seen.host == MODERN} == {"HTTP/2"}
    assert "echo.test" in {seen.host for seen in services.seen}
