"""The demo's two approvers: real keys, the real commands, and what they did with them."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from outgate.cli.demo.program import command, config_of, environ, outgate
from outgate.errors import UnavailableError
from outgate.keys.ssh import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ANN, BEN = "ann", "ben"


@dataclass(slots=True, kw_only=True)
class Approvers:
    """Both sign the first request that asks for them; ben denies the next. `told` is what there is to tell of it."""

    folder: Path
    told: list[str] = field(default_factory=list)
    prints: dict[str, str] = field(default_factory=dict)
    failed: str = ""

    @classmethod
    @contextmanager
    def appointed(cls, folder: Path) -> Iterator[Self]:
        """Give both a key, have the gate know them, and let them watch while the block runs."""
        approvers = cls(folder=folder)
        for name in (ANN, BEN):
            approvers._appoint(name)
        watching = subprocess.Popen(  # noqa: S603  # our own program, words of ours
            command("approvals", "watch", "--json", "--config", str(config_of(folder))),
            env=environ(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        signing = Thread(target=approvers._attend, args=(watching,), name="demo approvers", daemon=True)
        signing.start()
        try:
            yield approvers
        finally:
            watching.terminate()
            watching.wait()
            signing.join()
        if approvers.failed:
            raise UnavailableError(approvers.failed)

    def _appoint(self, name: str) -> None:
        key = Ed25519PrivateKey.generate()
        private, public = self._key(name), self._key(name).with_suffix(".pub")
        private.touch(mode=0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        public.write_text(text + "\n")
        self.prints[name] = fingerprint(text)
        self._do("people", "add", name, str(public))

    def _attend(self, watching: subprocess.Popen[str]) -> None:
        assert watching.stdout is not None
        for asked in _each_once(watching.stdout):
            if not self.told:
                self._sign(asked, ANN, "1 of 2")
                self._sign(asked, BEN, "2 of 2")
                self.told.append("so the call that waited went out, once; the same call was asked anew,")
            else:
                self._do("deny", asked, "--why", "Once was enough.", "--key", str(self._key(BEN)), "--yes")
                self.told.append('and ben said no: "Once was enough."')

    def _sign(self, asked: str, name: str, which: str) -> None:
        began = time.monotonic()
        self._do("approve", asked, "--key", str(self._key(name)), "--yes")
        took = time.monotonic() - began
        self.told.append(f"{which}   {name}   SSH key {self.prints[name][:14]}…   signed {asked}   {took:.1f} s")

    def _do(self, *words: str) -> None:
        done = outgate(self.folder, *words, "--config", str(config_of(self.folder)))
        if done.returncode and not self.failed:
            self.failed = f"outgate {words[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}"

    def _key(self, name: str) -> Path:
        return self.folder / f"{name}_ed25519"


def _each_once(lines: Iterable[str]) -> Iterator[str]:
    """The approvals that are asked for, however often they are told of."""
    known: set[str] = set()
    for line in lines:
        asked = str(json.loads(line)["id"])
        if asked not in known:
            known.add(asked)
            yield asked
