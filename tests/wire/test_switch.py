"""The switch from end to end: what a person types, every gate, the last byte, the record; and nothing beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import socket

import pytest
from signed import Signer
from wire.clients import Wire
from wire.living import Living, endless, waits

from outgate.halt import Scope
from outgate.stores.switch import FILE

MCP = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_it"}}'


@pytest.fixture
async def gate(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OUTGATE_CONFIG", str(tmp_path / "config"))
    made = Living(tmp_path, Signer("alice").public)
    yield made
    await made.end()


def refused(answer):
    return answer.status == 403 and json.loads(answer.body)["type"].endswith("/halted")


async def test_a_halted_agent_is_cut_and_told_why_until_it_is_resumed_and_others_go_on(gate):
    upstream = await gate.upstream("api.test")
    await gate.start()
    begun, asked, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    upstream.answers |= {"/events": endless(begun), "/slow": waits(asked, go)}
    async with await gate.https("api.test") as cut, await gate.https("api.test", agent="mailer") as other:
        await cut.request("GET", "/events", "api.test")
        await other.request("GET", "/slow", "api.test")
        await begun.wait()
        await asked.wait()
        thrown = await gate.halt(Scope.AGENT, "coder", why="strange deeds")
        assert [(one.cut, one.known, one.wrong) for one in thrown.gates] == [(1, True, "")]
        await cut.rest()
        go.set()
        assert (await other.answer()).body == b"in peace"
    await gate.until(lambda: ("unknown", "halted") in gate.outcomes())
    assert refused(await gate.get("api.test"))
    assert not refused(await gate.get("api.test", agent="mailer"))
    assert (await gate.resume(Scope.AGENT, "coder")).whole
    assert (await gate.get("api.test")).status == 200
    events = [(one["type"], one["about"]["name"]) for one in gate.everybodys("halt") + gate.everybodys("resume")]
    assert events == [("halt", "coder"), ("resume", "coder")]
    (taken,) = gate.own("cut")
    assert (taken["about"]["cut"], taken["about"]["why"]) == (1, "strange deeds")


@pytest.mark.parametrize(("scope", "name"), [(Scope.ALL, ""), (Scope.TEAM, "tools")], ids=str)
async def test_a_team_and_everything_are_halted_the_same_way(gate, scope, name):
    await gate.upstream("api.test")
    await gate.start()
    await gate.halt(scope, name)
    assert refused(await gate.get("api.test"))
    assert refused(await gate.get("api.test", agent="mailer")) is (scope is Scope.ALL)


async def test_a_halted_service_ends_its_own_stream_and_leaves_the_others_of_the_connection(gate):
    upstream = await gate.upstream("api.test", "h2", "http/1.1")
    await gate.start()
    begun, asked, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    upstream.answers |= {"/mcp": endless(begun), "/slow": waits(asked, go)}
    async with await gate.h2("api.test") as client:
        call = [("content-type", "application/json")]
        stream = await client.request("POST", "/mcp", "api.test", body=MCP, headers=call)
        sibling = await client.request("GET", "/slow", "api.test")
        await client.until(lambda: stream in client.answers and client.answers[stream].body)
        await asked.wait()
        assert [one.cut for one in (await gate.halt(Scope.SERVICE, "mcp")).gates] == [1]
        await client.until(lambda: stream in client.reset)
        go.set()
        assert (await client.answer(sibling)).body == b"in peace"
        again = await client.answer(await client.request("POST", "/mcp", "api.test", body=MCP, headers=call))
        assert again.status != 200 or b"halted" in again.body
    assert sum(one.body == MCP for one in upstream.seen) == 1


async def test_what_waits_for_people_is_refused_when_it_is_halted(gate):
    upstream = await gate.upstream("api.test")
    gate.says('{id: ask, match: {resource: "*/ask"}, effect: escalate, to: ops}')
    await gate.start()
    async with await gate.https("api.test") as client, await gate.https("api.test", agent="mailer") as other:
        await client.request("GET", "/ask", "api.test")
        await other.request("GET", "/ask", "api.test")
        await gate.until(lambda: gate.parts.gate.held == 2)
        await gate.halt(Scope.TEAM, "tools")
        await client.rest()
        await gate.until(lambda: gate.parts.gate.held == 1)
        await gate.halt(Scope.SERVICE, "http")
        assert refused(await other.answer())
    assert upstream.accepted == 0


async def test_a_restart_keeps_it(gate):
    upstream = await gate.upstream("api.test")
    await gate.start()
    await gate.halt(Scope.AGENT, "coder")
    await gate.again()
    assert refused(await gate.get("api.test"))
    assert gate.own("halted")[0]["about"]["halts"] == ["agent coder"]
    assert upstream.accepted == 0


async def test_a_gate_that_nobody_can_tell_sees_it_by_itself(gate):
    upstream = await gate.upstream("api.test")
    gate.folder.joinpath("state").mkdir()
    gate.folder.joinpath("state", "gates").write_text("in the way")
    await gate.start()
    begun = asyncio.Event()
    upstream.answers["/events"] = endless(begun)
    async with await gate.https("api.test") as cut:
        await cut.request("GET", "/events", "api.test")
        await begun.wait()
        thrown = await gate.halt(Scope.ALL)
        assert "can't be asked" in thrown.gates[0].wrong
        await cut.rest()
    assert refused(await gate.get("api.test"))


async def test_a_file_that_is_spoilt_leaves_what_was_halted_and_a_start_with_it_halts_everything(gate):
    await gate.upstream("api.test")
    await gate.start()
    await gate.halt(Scope.AGENT, "coder")
    (gate.parts.found.state / FILE).write_text('{"halts": [')
    gate.live.switch.look()
    assert refused(await gate.get("api.test"))
    assert (await gate.get("api.test", agent="mailer")).status == 200
    await gate.again()
    assert refused(await gate.get("api.test", agent="mailer"))
    thrown = await gate.resume(Scope.ALL)
    assert (thrown.whole, thrown.turned.aside.read_text()) == (True, '{"halts": [')
    assert (await gate.get("api.test")).status == 200


async def test_it_works_while_the_policy_is_broken(gate):
    await gate.upstream("api.test")
    await gate.start()
    gate.policy.write_text("rules: [")
    assert not (await gate.reload())["ok"]
    assert (await gate.get("api.test")).status == 200
    assert (await gate.halt(Scope.AGENT, "coder")).whole
    assert refused(await gate.get("api.test"))


async def test_it_works_while_ledger_desk_and_log_are_gone_and_says_that_there_is_no_receipt(gate):
    upstream = await gate.upstream("api.test")
    await gate.start()
    begun = asyncio.Event()
    upstream.answers["/events"] = endless(begun)
    state = gate.parts.found.state
    async with await gate.https("api.test") as cut:
        await cut.request("GET", "/events", "api.test")
        await begun.wait()
        for store in (*state.glob("*.sqlite*"), state / "keys" / "receipts.key"):
            store.unlink()
        kept = gate.folder / "kept"
        shutil.move(state / "log", kept)
        (state / "log").write_text("in the way")
        thrown = await gate.halt(Scope.AGENT, "coder")
        await cut.rest()
        assert [one.cut for one in thrown.gates] == [1]
        assert "no log can be kept" in thrown.unrecorded
        (state / "log").unlink()
        shutil.move(kept, state / "log")


async def test_two_gates_of_one_state_both_cut_and_both_confirm(gate, tmp_path_factory):
    upstream = await gate.upstream("api.test")
    await gate.start()
    second = Living(tmp_path_factory.mktemp("second"), Signer("alice").public)
    second.hosts = gate.hosts
    second.ca_file.write_bytes(gate.ca.pem)
    second.settles()
    await second.start()
    begun = [asyncio.Event(), asyncio.Event()]
    upstream.answers |= {"/one": endless(begun[0]), "/two": endless(begun[1])}
    async with await gate.https("api.test") as one, await second.https("api.test") as two:
        await one.request("GET", "/one", "api.test")
        await two.request("GET", "/two", "api.test")
        await asyncio.gather(*(event.wait() for event in begun))
        thrown = await gate.halt(Scope.ALL)
        assert [(gate.cut, gate.wrong) for gate in thrown.gates] == [(1, ""), (1, "")]
        await asyncio.gather(one.rest(), two.rest())
    await second.end()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"])
async def test_no_request_reaches_the_operators_door(gate, host, free_port):
    token = gate.folder / "token"
    token.write_text("0123456789abcdef-a-token")
    token.chmod(0o600)
    gate.more = f"admin: 127.0.0.1:{free_port}\nadmin_token_file: token\n"
    await gate.upstream("api.test")
    await gate.start()
    async with await Wire.to(gate.ports["coder"]) as client:
        headers = f"Host: {host}:{free_port}\r\nAuthorization: Bearer 0123456789abcdef-a-token"
        await client.send(f"GET http://{host}:{free_port}/status HTTP/1.1\r\n{headers}\r\n\r\n")
        assert (await client.answer()).status in {400, 403}
    async with await Wire.to(free_port) as operator:
        await operator.send(f"GET /status HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer {token.read_text()}\r\n\r\n")
        said = json.loads((await operator.answer()).body)
    assert said["gate"] == gate.parts.journal.writer
    assert said["agents"][0]["answers"] == {"block": 1}


@pytest.fixture
def free_port():
    """Below those that connections are given: nobody else takes it before it is listened on."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
