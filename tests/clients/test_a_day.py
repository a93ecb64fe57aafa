"""A coding agent's day under the starter policy, enforced: its work is not in the way of the policy, nor the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.git_host import git
from clients.under_gate import AGENTS

if TYPE_CHECKING:
    from clients.git_host import GitHost
    from clients.under_gate import Gate


def test_a_coding_agent_works_and_what_waits_for_a_person_waits(gate: Gate, git_host: GitHost):
    bare = git_host.create("acme/day.git")
    ran = gate.run("sh", AGENTS / "day.sh", options=("--enforce",))
    assert ran.code == 0, ran.stderr
    assert ran.stdout.splitlines()[-2:] == ["200 201 200 ", "403 403 403 kept"]
    assert git("for-each-ref", "--format=%(refname)", at=bare).split() == ["refs/heads/feature", "refs/heads/main"]
    assert [(one.line, one.answer) for one in gate.decisions() if one.answer != "allow"] == [
        ("DELETE api.github.com/repos/acme/day", "escalate"),
        ("POST other.test/paste", "block"),
        ("GET 169.254.169.254/latest/meta-data/", "block"),
        ("POST github.com/acme/day.git/git-receive-pack", "escalate"),
    ]
    assert "[remote rejected] main" in ran.own
    assert "Pushing to this branch needs a person's approval." in ran.own
