"""One `outgate serve` for a soak: agents, upstreams that remember no more than digests, and what the process takes meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trustme
from faults.served import PLAIN, SECURE, Always, World
from wire.clients import Streams, Wire
from wire.test_websocket import echo
from wire.upstreams import Upstream

from outgate.intake.credentials import new_token
from outgate.stores.logs import all_receipts, log_folder

if TYPE_CHECKING:
    from wire.upstreams import Seen, Turn

BOTH = "two.test"
"""The upstream that speaks HTTP/2 as well."""
AGENTS = ("steady", "second", "victim", "mess")
KIB = 1024
PIECE = bytes(range(256)) * 256
RULES = (
    '{id: no, match: {resource: "*/forbidden*"}, effect: block, tell: "Not this."}',
    '{id: hold, match: {resource: "*/hold/*"}, effect: escalate, to: ops}',
    '{id: rare, match: {resource: "*/rare/*"}, limit: 30/min, effect: throttle}',
)


class Digests(list[Any]):
    """What an upstream saw, counted as it comes: a soak is too long to keep it."""

    def __init__(self, counted: Counter[str]) -> None:
        super().__init__()
        self._counted = counted

    def append(self, seen: Seen) -> None:
        self._counted[seen.digest] += 1


class SoakWorld(World):
    """More agents, and an upstream with HTTP/2."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, RULES, hold="30s")
        self.tokens = {name: new_token(os.urandom(32)) for name in AGENTS}
        self.both = Upstream(certificate=folder / "both.pem", alpn=("h2", "http/1.1"))
        self.counted: Counter[str] = Counter()
        self.acks: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))
        for upstream in (self.plain, self.secure, self.both):
            upstream.seen, upstream.answers, upstream.early = Digests(self.counted), Always(self._answer), {"/ws"}

    async def __aenter__(self) -> Self:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.folder / "both-ca.pem")
        authority.issue_cert(BOTH).private_key_and_cert_chain_pem.write_to_path(self.folder / "both.pem")
        await self.both.start()
        return await super().__aenter__()

    async def __aexit__(self, *said: object) -> None:
        await super().__aexit__(*said)
        await self.both.stop()

    def config(self, number: int, port: int) -> Path:
        path = super().config(number, port)
        said = json.loads(path.read_text())
        said["destinations"][BOTH] = {"address": f"127.0.0.1:{self.both.port}", "ca": str(self.folder / "both-ca.pem")}
        path.write_text(json.dumps(said))
        return path

    def says(self, comment: int) -> None:
        """Write the policy anew: the same, and yet another."""
        policy = self.folder / "policy.yaml"
        lines = [line for line in policy.read_text().splitlines() if not line.startswith("#")]
        policy.write_text("\n".join([*lines, f"# {comment}", ""]))

    async def _answer(self, turn: Turn) -> None:
        _, kind, *rest = turn.seen.target.partition("?")[0].split("/")
        try:
            match kind:
                case "up":
                    await turn.answer(200, hashlib.sha256(turn.seen.body).hexdigest().encode())
                case "down":
                    await self._down(turn, int(rest[0]))
                case "events":
                    await self._events(turn, rest[0])
                case "ws":
                    await echo(turn)
                case _:
                    await turn.answer(200, turn.seen.target.encode())
        finally:
            turn.seen.body.clear()

    async def _down(self, turn: Turn, pieces: int) -> None:
        await turn.head(200, [("content-type", "application/octet-stream")])
        for _ in range(pieces):
            await turn.send(PIECE)
        await turn.end()

    async def _events(self, turn: Turn, name: str) -> None:
        """Each event but the first goes out when the one before was read."""
        await turn.head(200, [("content-type", "text/event-stream")])
        for number in range(5):
            if number:
                await self.acks[name].acquire()
            await turn.send(b"data: event %d\n\n" % number)
        self.acks.pop(name, None)
        await turn.end()

    # clients

    async def plain_wire(self) -> Wire:
        return await Wire.to(self.servers[0].port)

    async def tunnel(self, agent: str, host: str, *alpn: str) -> Wire:
        wire = await self.plain_wire()
        shown = self.servers[0].client(agent)._shown()
        await wire.send(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\nProxy-Authorization: {shown}\r\n\r\n")
        assert (await wire.head()).status == 200
        context = ssl.create_default_context(cadata=self.roots)
        context.set_alpn_protocols(list(alpn or ("http/1.1",)))
        await wire.tls(context, host)
        return wire

    async def h2(self, agent: str, host: str) -> Streams:
        return Streams(await self.tunnel(agent, host, "h2"))

    async def trusted(self) -> None:
        _, self.roots = await self.outgate("ca", "export")
        self.trust = ssl.create_default_context(cadata=self.roots)

    # what the process takes

    @property
    def pid(self) -> int:
        process = self.servers[0].process
        assert process is not None
        return process.pid

    def fds(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def resident(self) -> int:
        """KiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))

    async def metrics(self) -> dict[str, float]:
        reader, writer = await asyncio.open_unix_connection(str(self.folder / "admin-0.sock"))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")
        text = (await reader.read()).decode().partition("\r\n\r\n")[2]
        writer.close()
        lines = [line for line in text.splitlines() if line and not line.startswith("#") and " " in line]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    # what is on record

    def let_out(self) -> tuple[Counter[str], Counter[str]]:
        """By sent digest: what was surely sent, and what may have been."""
        receipts = list(all_receipts(log_folder(self.state)))
        outcomes = {
            (r.fields["of"]["writer"], r.fields["of"]["seq"]): r.fields["result"]
            for r in receipts
            if r.fields["type"] == "outcome"
        }
        surely: Counter[str] = Counter()
        perhaps: Counter[str] = Counter()
        for one in receipts:
            if one.fields["type"] != "decision" or one.fields["pin"] is None:
                continue
            result = outcomes.pop((one.writer, one.seq))  # each has one
            sent = one.fields["request"]["sent"]
            if result == "executed":
                surely[sent] += 1
            elif result == "unknown":
                perhaps[sent] += 1
        assert outcomes == {}, "outcomes of nothing"
        return surely, perhaps


__all__ = ["AGENTS", "BOTH", "KIB", "PIECE", "PLAIN", "SECURE", "SoakWorld"]
