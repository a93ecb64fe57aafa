"""Every vector that is bytes: sent to a whole gate, and held against what upstreams saw, what was answered and what was written."""

from __future__ import annotations

import pytest
from vectors.rig import Case, cases, run

CLOSED = """
    outgate: policy/v1alpha
    policy: vectors
    mode: enforce
    otherwise: block
    rules:
      - {id: public, match: {host: [api.test, "*.wild.test"]}, unless: 'request.path.startsWith("/forbidden")', effect: allow}
      - {id: not-there, match: {host: evil.test}, effect: block}
"""
"""Lets out what it names, and nothing else."""
POLICIES = {"": {}, "reads": {"reads_bodies": True}, "closed": {"policy_text": CLOSED}}


@pytest.mark.parametrize("case", cases(), ids=str)
async def test_a_vector_does_what_its_case_says(make, case: Case):
    await run(case, await make(**POLICIES[case.policy]))
