"""A look-alike of a git host: real bare repositories behind `git http-backend`, by CGI (RFC 3875)."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from clients.lookalikes import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from clients.lookalikes import Ask

_WHO = ("-c", "user.name=A. Gent", "-c", "user.email=agent@acme.example")


class GitHost:
    """Repositories under one folder; `https://<host>/<owner>/<name>.git` reads and writes them, smart protocol only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str) -> Path:
        """Make `<owner>/<name>.git` with one commit on `main`."""
        bare, work = self._folder / name, self._folder / f"{name}.seed"
        git("init", "-q", "--bare", "-b", "main", str(bare))
        git("config", "http.receivepack", "true", at=bare)
        git("init", "-q", "-b", "main", str(work))
        (work / "README").write_text("site\n")
        git("add", "README", at=work)
        git("commit", "-q", "-m", "begin", at=work)
        git("push", "-q", str(bare), "main", at=work)
        return bare

    def service(self, ask: Ask) -> Answer:
        done = subprocess.run(
            ["git", "http-backend"], input=ask.body, env=self._environment(ask), capture_output=True, check=False, timeout=60
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
        status = int(headers.pop("Status", "200" if headers else "500").split()[0])
        kind = headers.pop("Content-Type", "text/plain")
        headers.pop("Content-Length", None)
        return Answer(status, kind, body, tuple(headers.items()))

    def _environment(self, ask: Ask) -> dict[str, str]:
        return _quiet() | {
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": ask.method,
            "PATH_INFO": ask.path,
            "QUERY_STRING": ask.query,
            "CONTENT_TYPE": ask.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(ask.body)),
            "HTTP_CONTENT_ENCODING": ask.headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": ask.headers.get("git-protocol", ""),
            "GIT_PROTOCOL": ask.headers.get("git-protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }


def git(*arguments: str, at: Path | None = None) -> str:
    """Run git as nobody in particular: no configuration of this machine's, no prompts."""
    command = ["git", *_WHO, *arguments]
    return subprocess.run(command, cwd=at, env=_quiet(), check=True, capture_output=True, text=True, timeout=60).stdout


def _quiet() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }
