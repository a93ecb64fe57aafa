"""A state folder with approvals on its desk, people in their file, and a person's SSH keys, for tests of commands."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from approvals_made import AGENT, FINANCE, REQUEST, stopped

from outgate.approvals.statement import draft, to_sign
from outgate.stores.desk_sqlite import SqliteDesk

if TYPE_CHECKING:
    from pathlib import Path

    from outgate.approvals.approval import Approval, Panel, Vote

NAMES = ("alice", "bob", "carol", "dave", "ann")


@dataclass(frozen=True)
class Hand:
    """Folders of a test: `state`, `config` with the people, and a key of each in `keys`."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def config(self) -> Path:
        return self.root / "config"

    def key(self, name: str) -> Path:
        return self.root / "keys" / name

    def ask(self, *panels: Panel, name: str = "abcd-efgh-2345", ago: timedelta = timedelta(0), **changed: Any) -> Approval:
        """Put an approval on the desk, as a gate does."""
        given: dict[str, Any] = {"request": REQUEST, "agent": AGENT, "decision": stopped(), "nonce": "00" * 16} | changed
        made = draft(
            id=name,
            request_digest=f"sha256:{name}",
            policy="sha256:" + "0" * 64,
            panels=panels or (FINANCE,),
            now=datetime.now(UTC) - ago,
            **given,
        )
        return self.put(made)

    def put(self, made: Approval) -> Approval:
        return asyncio.run(self._with(lambda desk: desk.ask(made)))

    def vote(self, approval: str, vote: Vote) -> None:
        asyncio.run(self._with(lambda desk: desk.vote(approval, vote)))

    def use(self, approval: str) -> None:
        asyncio.run(self._with(lambda desk: desk.use(approval, datetime.now(UTC))))

    def get(self, approval: str) -> Approval:
        found = asyncio.run(self._with(lambda desk: desk.get(approval)))
        assert found is not None
        return found

    def signature(self, of: Approval, name: str, *, deny: bool = False, namespace: str = "outgate") -> Path:
        """What a person makes with ssh-keygen alone."""
        path = self.root / f"{name}.sig"
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self.key(name))]
        path.write_bytes(subprocess.run(command, input=to_sign(of, deny=deny), capture_output=True, check=True).stdout)
        return path

    async def _with(self, work):
        desk = SqliteDesk.open(self.state / "desk.sqlite")
        try:
            return await work(desk)
        finally:
            await desk.close()


def at_hand(root: Path) -> Hand:
    hand = Hand(root)
    for folder in (hand.state, hand.config, hand.key("x").parent):
        folder.mkdir(parents=True)
    people = ["outgate: people/v1alpha", "people:"]
    for name in NAMES:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(hand.key(name))]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        public = " ".join((hand.key(name).with_suffix(".pub")).read_text().split()[:2])
        groups = "groups: [ops], " if name in {"carol", "ann"} else ""
        people.append(f'  {name}: {{{groups}keys: ["{public}"]}}')
    (hand.config / "people.yaml").write_text("\n".join(people) + "\n")
    return hand
