"""git: a branch forward, by force, and gone."""

import subprocess

WHO = ("-c", "user.name=A. Gent", "-c", "user.email=agent@acme.example")


def git(*words, at="sdks"):
    done = subprocess.run(["git", *WHO, *words], cwd=at, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def clones():
    return git("clone", "-q", "https://github.com/acme/sdks.git", at=".")


def pushes():
    git("commit", "-q", "--allow-empty", "-m", "one")
    return git("push", "-q", "origin", "HEAD:refs/heads/bot")


def pushes_more():
    git("commit", "-q", "--allow-empty", "-m", "two")
    return git("push", "-q", "origin", "HEAD:refs/heads/bot")


def pushes_by_force():
    git("commit", "-q", "--allow-empty", "--amend", "-m", "rewritten")
    return git("push", "-q", "--force", "origin", "HEAD:refs/heads/bot")


def deletes():
    return git("push", "-q", "origin", ":refs/heads/bot")


STEPS = (clones, pushes, pushes_more, pushes_by_force, deletes)
