"""`outgate serve`, one or several on a state folder: agents that load it, people who sign, upstreams that remember, what is on record."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import ssl
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import ports
import trustme
from signed import Signer
from wire.clients import Answer, Wire
from wire.upstreams import Upstream

from outgate.intake.credentials import new_token, token_digest
from outgate.stores.desk_sqlite import SqliteDesk
from outgate.stores.logs import log_folder, receipts_of, writers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from wire.upstreams import Turn

    from outgate.approvals.approval import Approval

PATIENCE = 60.0
AGENTS = ("mailer", "payer", "helper")
ALICE, ANN = Signer("alice"), Signer("ann")
PLAIN, SECURE = "up.test", "tls.test"
GONE = (ConnectionError, ssl.SSLError, EOFError)
"""What a client meets whose gate was killed; an unfinished read is an EOFError. One that nobody answers is none of these."""
POLICY = """\
outgate: policy/v1alpha
policy: served
mode: enforce
otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}, to: ops}
approvers:
  ops: {need: 1, of: [alice, ann]}
  both: {need: 2, of: [alice, ann]}
mocks: {default: {answers: canned}}
rules:
"""


class Always(dict[str, Any]):
    """Answers of an upstream: one for every path."""

    def __init__(self, answer: Callable[[Turn], Any]) -> None:
        super().__init__()
        self.answer = answer

    def get(self, key: str, default: Any = None) -> Any:  # dict's signature
        return self.answer


class World:
    """A state folder, what people wrote, upstreams over HTTP and HTTPS, and as many servers on it as a test wants."""

    def __init__(self, folder: Path, rules: Iterable[str], *, hold: str = "4s") -> None:
        self.folder = folder
        self.state = folder / "state"
        self.rules = tuple(rules)
        self.hold = hold
        self.tokens = {name: new_token(os.urandom(32)) for name in AGENTS}
        self.plain = Upstream(certificate=None)
        self.secure = Upstream(certificate=folder / "upstream.pem")
        self.servers: list[Server] = []
        self.trust = ssl.create_default_context()
        self.halted_at = 0

    @property
    def environ(self) -> dict[str, str]:
        ours = {"OUTGATE_STATE": str(self.state), "OUTGATE_CONFIG": str(self.folder), "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **ours}

    async def __aenter__(self) -> Self:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.folder / "upstream-ca.pem")
        authority.issue_cert(SECURE).private_key_and_cert_chain_pem.write_to_path(self.folder / "upstream.pem")
        await self.plain.start()
        await self.secure.start()
        self._write("policy.yaml", POLICY + "".join(f"  - {rule}\n" for rule in self.rules))
        tokens = {name: {"token": token_digest(token)} for name, token in self.tokens.items()}
        self._write("agents.yaml", json.dumps({"outgate": "agents/v1alpha", "agents": tokens}))  # JSON is YAML
        people = {one.name: {"keys": [one.public]} for one in (ALICE, ANN)}
        self._write("people.yaml", json.dumps({"outgate": "people/v1alpha", "people": people}))
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self.servers:
            await server.kill()
        await self.plain.stop()
        await self.secure.stop()

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def config(self, number: int, port: int) -> Path:
        """Settings of one server: those of all differ in where they listen."""
        path = self.folder / f"config-{number}.yaml"
        there = {
            PLAIN: {"address": f"127.0.0.1:{self.plain.port}"},
            SECURE: {"address": f"127.0.0.1:{self.secure.port}", "ca": str(self.folder / "upstream-ca.pem")},
        }
        said = {
            "outgate": "settings/v1alpha",
            "listen": {"address": f"127.0.0.1:{port}"},
            "admin": str(self.folder / f"admin-{number}.sock"),
            "policy": "./policy.yaml",
            "hold": self.hold,
            "destinations": there,
        }
        path.write_text(json.dumps(said))
        return path

    def server(self, number: int = 0) -> Server:
        """One that is not started yet."""
        port = free_port()
        made = Server(world=self, config=self.config(number, port), port=port)
        self.servers.append(made)
        return made

    async def outgate(self, *words: str) -> tuple[int, str]:
        """Run a command; its exit code and all that it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "outgate", *words),
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def trusted(self) -> None:
        """Have clients trust what the gate signs with. After its first start."""
        code, said = await self.outgate("ca", "export")
        assert code == 0, said
        self.trust = ssl.create_default_context(cadata=said)

    def seen(self) -> list[tuple[str, str]]:
        """Path and digest of every request at the upstreams."""
        return [(one.target, one.digest) for up in (self.plain, self.secure) for one in up.seen]

    def paths(self, prefix: str) -> Counter[str]:
        """How often the upstreams saw which path of these."""
        return Counter(path for path, _ in self.seen() if path.startswith(prefix))

    def alarms(self) -> list[dict[str, Any]]:
        """What the gates' operator was told."""
        lines = [json.loads(line) for line in (self.state / "outgate.log").read_text().splitlines()]
        return [line for line in lines if line["level"] not in {"info", "debug"}]


@dataclass
class Server:
    """One `outgate serve`, started as often as a test wants, always on the same port."""

    world: World
    config: Path
    port: int
    process: asyncio.subprocess.Process | None = None
    said: str = ""

    async def begin(self, before: Sequence[str] = ()) -> None:
        """Start it; it is not ready yet."""
        self.said = ""
        self.process = await asyncio.create_subprocess_exec(
            *before,
            *(sys.executable, "-m", "outgate", "serve", "--config", str(self.config)),
            env=self.world.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def ready(self) -> None:
        """Wait until agents may come in."""
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while f"127.0.0.1:{self.port} " not in self.said:
                line = await self.process.stdout.readline()
                assert line, f"it did not start: {self.said}"
                self.said += line.decode()

    async def start(self, before: Sequence[str] = ()) -> Self:
        await self.begin(before)
        await self.ready()
        return self

    async def kill(self) -> None:
        """As the kernel does: nothing of it runs after this."""
        if self.process is not None:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()

    async def stop(self) -> int:
        """As a supervisor does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            self.said += (await self.process.stdout.read()).decode() if self.process.stdout else ""
            return await self.process.wait()

    def client(self, agent: str) -> Client:
        return Client(server=self, agent=agent)


@dataclass
class Client:
    """An agent's program with one connection over HTTP and one through a tunnel, kept as long as they work."""

    server: Server
    agent: str
    wires: dict[bool, Wire] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for wire in self.wires.values():
            wire.writer.close()
        self.wires.clear()

    async def ask(
        self, path: str, *, method: str = "GET", secure: bool = False, body: bytes = b"", wait: int | None = None
    ) -> Answer:
        """Ask once. Raises one of GONE where no whole answer comes."""
        headers = {} if wait is None else {"Prefer": f"wait={wait}"}
        try:
            wire = self.wires.get(secure) or await self._connected(secure)
            if secure:
                await wire.request(method, path, SECURE, body, **headers)
            else:
                await wire.request(method, f"http://{PLAIN}{path}", PLAIN, body, Proxy_Authorization=self._shown(), **headers)
            answer = await wire.answer()
        except BaseException:
            self.close()
            raise
        if (answer.header("connection") or "").lower() == "close":
            self.close()
        return answer

    async def status(self, path: str, **said: Any) -> int:
        return (await self.ask(path, **said)).status

    def _shown(self) -> str:
        return "Basic " + base64.b64encode(f"{self.agent}:{self.server.world.tokens[self.agent]}".encode()).decode()

    async def _connected(self, secure: bool) -> Wire:
        wire = self.wires[secure] = await Wire.to(self.server.port)
        if secure:
            shown = f"Proxy-Authorization: {self._shown()}"
            await wire.send(f"CONNECT {SECURE}:443 HTTP/1.1\r\nHost: {SECURE}:443\r\n{shown}\r\n\r\n")
            tunnel = await wire.head()
            assert tunnel.status == 200, tunnel
            await wire.tls(self.server.world.trust, SECURE)
        return wire


def free_port() -> int:
    return ports.free_port()


# people


async def sign(world: World, approval: Approval, *signers: Signer) -> None:
    """Have these people approve it."""
    for signer in signers:
        await vote(world, approval, signer)


async def vote(world: World, approval: Approval, signer: Signer, *, deny: bool = False, why: str = "") -> None:
    """Have somebody say yes or no, as a program of theirs does."""
    desk = SqliteDesk.open(world.state / "desk.sqlite")
    try:
        await desk.vote(approval.id, signer.vote(approval, datetime.now(UTC), deny=deny, why=why))
    finally:
        await desk.close()


async def waiting(world: World) -> Sequence[Approval]:
    """What waits for people."""
    desk = SqliteDesk.open(world.state / "desk.sqlite")
    try:
        return await desk.still_open(datetime.now(UTC))
    finally:
        await desk.close()


@contextlib.asynccontextmanager
async def signing(world: World) -> AsyncIterator[None]:
    """People who approve everything, one after the other, each in a moment of their own: in a thread, as they are elsewhere."""
    stop = threading.Event()
    people = asyncio.create_task(asyncio.to_thread(asyncio.run, _sign_all(world, stop)))
    try:
        yield
    finally:
        stop.set()
        await people


async def _sign_all(world: World, stop: threading.Event) -> None:
    while not stop.is_set():
        if (world.state / "desk.sqlite").exists():
            desk = SqliteDesk.open(world.state / "desk.sqlite")
            for one in await desk.still_open(datetime.now(UTC)):
                voted = {vote.person for vote in one.votes}
                signer = next((who for who in (ANN, ALICE) if who.name not in voted), None)
                if signer is not None and len(voted) < one.panels[0].need:
                    await desk.vote(one.id, signer.vote(one, datetime.now(UTC)))
            await desk.close()
        await asyncio.sleep(0.05)


# what is on record


@dataclass(frozen=True, kw_only=True)
class LetOut:
    """A decision that let something out. `used` is the approval whose grant it used."""

    agent: str
    path: str
    sent: str
    at: datetime
    mocked: bool
    used: str
    results: tuple[str, ...]

    @property
    def may_have_left(self) -> bool:
        return not self.mocked and not set(self.results) & {"refused", "abandoned"}


def on_record(state: Path) -> list[LetOut]:
    """All that was let out by any writer, with what any writer says became of it."""
    results: dict[tuple[str, int], list[str]] = defaultdict(list)
    decided = []
    for writer in writers(log_folder(state)):
        for receipt in receipts_of(writer):
            fields = receipt.fields
            if receipt.type == "outcome":
                results[fields["of"]["writer"], fields["of"]["seq"]].append(fields["result"])
            elif receipt.type == "decision" and (fields["pin"] or "mock" in fields):
                decided.append(receipt)
    return [_let_out(receipt.fields, results[receipt.writer, receipt.seq]) for receipt in decided]


def _let_out(fields: dict[str, Any], results: list[str]) -> LetOut:
    approval = fields.get("approval") or {}
    return LetOut(
        agent=fields["agent"]["id"],
        path=fields["request"]["path"],
        sent=fields["request"]["sent"],
        at=datetime.fromisoformat(fields["at"]),
        mocked="mock" in fields,
        used=approval["id"] if approval.get("used") else "",
        results=tuple(results),
    )


async def proves(world: World) -> list[LetOut]:
    """Assert what holds however the servers died, once none runs and the last one ended in good order.

    1. `outgate verify` finds all logs good.
    2. Every decision that let something out has exactly one outcome, its own or what a later writer told: unknown.
    3. Every request at an upstream was let out by a decision of its own; nothing that was mocked is among them.
    4. No grant let out two requests.
    """
    code, said = await world.outgate("verify")
    assert (code, said[:3]) == (0, "ok "), said
    record = on_record(world.state)
    assert [one for one in record if len(one.results) != 1] == []
    seen = Counter(digest for _, digest in world.seen())
    left = Counter(one.sent for one in record if one.may_have_left)
    assert seen - left == Counter(), "the upstreams saw what was not let out"
    grants = Counter(one.used for one in record if one.used and one.may_have_left)
    assert [name for name, times in grants.items() if times > 1] == []
    return record
