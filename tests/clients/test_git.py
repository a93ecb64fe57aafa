"""git over HTTPS against a real `git http-backend`: clone, fetch and push go through; a refusal reads in git's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.git_host import git

if TYPE_CHECKING:
    from pathlib import Path

    from clients.git_host import GitHost
    from clients.lookalikes import LookAlikes
    from clients.under_gate import Gate

TELL = "Pushes are made by people. Open a pull request instead."

PUSH = """
set -e
git clone -q https://github.com/acme/{name}.git
cd {name}
git config user.name 'A. Gent'; git config user.email agent@acme.example
echo new > NEW; git add NEW; git commit -q -m more
git push -q origin HEAD:refs/heads/more
git fetch -q origin
"""


def test_git_clones_pushes_and_fetches(gate: Gate, git_host: GitHost):
    bare = git_host.create("acme/open.git")
    ran = gate.run("sh", "-c", PUSH.format(name="open"))
    assert ran.code == 0, ran.stderr
    assert git("log", "--format=%s", "more", at=bare).split() == ["more", "begin"]


LARGE = """
set -e
git clone -q https://github.com/acme/large.git
cd large
git config user.name 'A. Gent'; git config user.email agent@acme.example
head -c 3000000 /dev/urandom > LARGE; git add LARGE; git commit -q -m large
git push -q origin HEAD:refs/heads/large
"""


def test_a_push_too_large_for_gits_buffer_goes_through(gate: Gate, git_host: GitHost):
    bare = git_host.create("acme/large.git")
    ran = gate.run("sh", "-c", LARGE)
    assert ran.code == 0, ran.stderr
    assert git("log", "--format=%s", "large", at=bare).split() == ["large", "begin"]


def test_a_refused_push_says_why_and_leaves_the_repository_as_it_was(gate: Gate, git_host: GitHost, services: LookAlikes):
    bare = git_host.create("acme/locked.git")
    rule = f"""{{id: no-push, match: {{host: github.com, method: POST}}, when: 'request.path.endsWith("/git-receive-pack")',
    effect: block, tell: "{TELL}"}}"""
    ran = gate.run("sh", "-c", PUSH.format(name="locked"), options=("--policy", gate.policy(rule)))
    assert ran.code != 0
    assert f"! [remote rejected] HEAD -> more ({TELL})" in ran.own, ran.stderr
    assert git("for-each-ref", "--format=%(refname)", at=bare).split() == ["refs/heads/main"]
    assert [one.line for one in gate.decisions() if one.answer == "block"] == ["POST github.com/acme/locked.git/git-receive-pack"]
    assert not [seen for seen in services.seen if seen.target.endswith("/git-receive-pack")]


FORWARD_AND_BY_FORCE = """
set -e
git clone -q https://github.com/acme/starter.git
cd starter
git config user.name 'A. Gent'; git config user.email agent@acme.example
echo one > ONE; git add ONE; git commit -q -m one
git push -q origin HEAD:refs/heads/bot
echo two > TWO; git add TWO; git commit -q -m two
git push -q origin HEAD:refs/heads/bot
git commit -q --amend -m rewritten
git push -q --force origin HEAD:refs/heads/bot && exit 4
exit 0
"""


def test_the_starter_policy_lets_a_branch_go_forward_and_stops_a_push_by_force(gate: Gate, git_host: GitHost):
    bare = git_host.create("acme/starter.git")
    ran = gate.run("sh", "-c", FORWARD_AND_BY_FORCE, options=("--enforce",))
    assert ran.code == 0, ran.stderr
    assert git("log", "--format=%s", "bot", at=bare).split() == ["two", "one", "begin"]
    assert "not proven that this push keeps the branch's history" in ran.own
    tiers = [a["tier"] for one in gate.decisions() for a in one.fields["actions"] if a["name"] == "git.push"]
    assert tiers[:3] == [1, 1, 2]


def test_a_refused_clone_says_why(gate: Gate, git_host: GitHost, services: LookAlikes, work: Path):
    git_host.create("acme/secret.git")
    rule = f'{{id: no-secret, when: request.path.startsWith("/acme/secret.git/"), effect: block, tell: "{TELL}"}}'
    ran = gate.run("git", "clone", "https://github.com/acme/secret.git", options=("--policy", gate.policy(rule)))
    assert ran.code == 128
    assert f"remote: {TELL}" in ran.own
    assert not (work / "secret").exists()
    assert len(gate.decisions()) == 1
    assert services.connections == 0
