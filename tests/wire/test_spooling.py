"""Bodies that are had whole and are large: kept in files of ours, read elsewhere, sent on as they came, and never in memory."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from children import readers

from outgate.intake.agents import Agent
from outgate.mitm import keeping
from outgate.mitm.link import MIB, Limits
from outgate.stores.catalog_files import load_catalog
from outgate.worker.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = b" ghp_" + b"a1B2" * 9
WINDOW = 64 * 1024
LIMITS = Limits(body=64 * MIB)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def text(size: int) -> bytes:
    """Nothing in particular, and nothing that compresses to nothing."""
    line = b"".join(b"%08x " % (number * 2654435761 % 2**32) for number in range(4096))
    return (line * (size // len(line) + 1))[:size]


@pytest.fixture
async def pool():
    made = Pool()
    yield made
    await made.close()


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not check():
            await asyncio.sleep(0.01)


def kept_nothing(gateway) -> bool:
    shelf = gateway.addon._shelf
    return (shelf.memory.left, shelf.disk.left) == (LIMITS.bodies, LIMITS.spool) and not list(gateway.spool.iterdir())


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
@pytest.mark.parametrize("tls", [True, False])
async def test_a_large_body_arrives_byte_for_byte(make, pool, alpn, tls):
    gateway, content = await make(reads_bodies=True, limits=LIMITS, examiner=pool), text(9 * MIB + 7)
    if tls:
        upstream = await gateway.upstream(alpn=(alpn,))
        client = await gateway.h2() if alpn == "h2" else await gateway.https()
        async with client:
            if alpn == "h2":
                answer = await client.answer(await client.request("POST", "/up", "api.test", body=content))
            else:
                await client.request("POST", "/up", "api.test", content)
                answer = await client.answer()
    elif alpn == "h2":
        pytest.skip("in the clear there is no HTTP/2")
    else:
        upstream = await gateway.upstream(tls=False)
        async with await gateway.plain() as client:
            await client.request("POST", "http://api.test/up", "api.test", content)
            answer = await client.answer()
    assert answer.status == 200
    (seen,) = upstream.seen
    assert seen.whole
    assert digest(bytes(seen.body)) == digest(content)
    assert seen.header("content-length") == str(len(content))
    await until(gateway.outcomes)
    (decision,), (outcome,) = gateway.decisions(), gateway.outcomes()
    assert decision["request"]["body"] == {"read": "whole", "length": len(content)}
    assert (outcome["sent"], outcome["body"]) == (len(content), digest(content))
    assert kept_nothing(gateway)


async def test_http2_through_to_http2(make, pool):
    """The first exchange teaches that this upstream has it; the second goes from one to the other."""
    gateway, content = await make(reads_bodies=True, limits=LIMITS, examiner=pool), text(5 * MIB)
    upstream = await gateway.upstream(alpn=("h2", "http/1.1"))
    async with await gateway.h2() as client, client.wire:
        for path in ("/one", "/two"):
            assert (await client.answer(await client.request("POST", path, "api.test", body=content))).status == 200
    assert [(seen.version, digest(bytes(seen.body))) for seen in upstream.seen] == [("HTTP/2", digest(content))] * 2
    assert kept_nothing(gateway)


async def test_a_chunked_one_is_sent_with_its_length(make, pool):
    gateway, content = await make(reads_bodies=True, limits=LIMITS, examiner=pool), text(3 * MIB)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.send("POST /up HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(content), WINDOW):
            piece = content[at : at + WINDOW]
            await client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        assert not upstream.accepted, "nothing goes out before its end was seen"
        await client.send(b"0\r\n\r\n")
        assert (await client.answer()).status == 200
        await client.request("GET", "/next", "api.test")
        assert (await client.answer()).status == 200
    assert [len(seen.body) for seen in upstream.seen] == [len(content), 0]
    assert upstream.seen[0].header("content-length") == str(len(content))


async def test_what_it_holds_at_its_end_is_seen_before_anything_leaves(make, pool):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("POST", "/up", "api.test", text(5 * MIB) + SECRET)
        answer = await client.answer()
        assert (answer.status, upstream.accepted) == (403, 0)
        assert b"No secrets leave" in answer.body
        await client.request("POST", "/up", "api.test", text(5 * MIB))
        assert (await client.answer()).status == 200
    assert len(upstream.seen) == 1
    await until(lambda: kept_nothing(gateway))


async def test_one_that_is_larger_than_may_be_kept_is_refused_or_goes_on_whole(make, pool):
    """Observed, it goes: what was kept from its file, and then the rest as it comes."""
    content = text(5 * MIB)
    for mode, status in (("enforce", 413), ("observe", 200)):
        gateway = await make(mode=mode, reads_bodies=True, limits=Limits(body=3 * MIB), examiner=pool)
        upstream = await gateway.upstream()
        async with await gateway.https() as client:
            await client.send("POST /up HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(content), WINDOW):
                piece = content[at : at + WINDOW]
                await client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            await client.send(b"0\r\n\r\n")
            assert (await client.answer()).status == status
        assert [digest(bytes(seen.body)) for seen in upstream.seen] == ([digest(content)] if status == 200 else [])
        await until(lambda gateway=gateway: kept_nothing(gateway))


async def test_an_upstream_that_does_not_read_holds_it_back_on_the_disk_and_not_in_memory(make, pool):
    gateway, content, go_on = await make(reads_bodies=True, limits=LIMITS, examiner=pool), text(24 * MIB), asyncio.Event()
    upstream = await gateway.upstream()

    async def slow(turn):
        await go_on.wait()
        while await turn.reader.read(1 << 20):
            pass

    upstream.answers["/slow"] = slow
    upstream.early.add("/slow")
    async with await gateway.https() as client:
        await client.request("POST", "/slow", "api.test", content[: 12 * MIB])
        (handler,) = gateway.engine._handlers.values()
        await upstream.until(lambda upstream: upstream.seen)
        await until(lambda: handler._link.congested)
        waits = [handler._backlog(connection) for connection in handler.transports if connection is not handler.client]
        assert max(waits) < 3 * MIB
        assert handler._link.forwarding
        client.writer.transport.abort()
    await until(lambda: kept_nothing(gateway))
    go_on.set()


async def test_an_upstream_that_answers_in_the_middle_is_heard(make, pool):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool)
    upstream = await gateway.upstream()

    async def early(turn):
        await turn.raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")
        while await turn.reader.read(MIB):
            pass  # as servers linger: to close with something unread may take back the answer

    upstream.answers["/early"] = early
    upstream.early.add("/early")
    async with await gateway.https() as client:
        await client.request("POST", "/early", "api.test", text(12 * MIB))
        answer = await client.answer()
        assert (answer.status, answer.body) == (400, b"no")
        await client.request("GET", "/next", "api.test")
        assert (await client.answer()).status == 200
    await until(lambda: kept_nothing(gateway))
    await until(lambda: len(gateway.outcomes()) == 2)
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["executed", "executed"]


async def test_an_upstream_that_goes_in_the_middle_is_told_of(make, pool):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool)
    upstream = await gateway.upstream()

    async def gone(_turn):
        upstream.drop_all()

    upstream.answers["/gone"] = gone
    upstream.early.add("/gone")
    async with await gateway.https() as client:
        await client.request("POST", "/gone", "api.test", text(12 * MIB))
        assert (await client.answer()).status == 502
        await client.request("GET", "/next", "api.test")
        assert (await client.answer()).status == 200
    await until(lambda: kept_nothing(gateway))
    await until(lambda: len(gateway.outcomes()) == 2)
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["unknown", "executed"]


async def test_on_a_full_disk_it_is_refused_and_the_next_one_goes(make, pool, monkeypatch):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool, expects_alarms=True)
    upstream = await gateway.upstream()
    write = os.pwrite

    def full(file, data, at):
        if at > 2 * MIB:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data, at)

    async with await gateway.https() as client:
        with monkeypatch.context() as patched:
            patched.setattr(keeping.os, "pwrite", full)
            await client.request("POST", "/up", "api.test", text(5 * MIB))
            assert (await client.answer()).status == 503
        await client.request("POST", "/up", "api.test", text(5 * MIB))
        assert (await client.answer()).status == 200
    assert len(upstream.seen) == 1
    assert [str(error) for error, _ in gateway.alarm.told] == ["its body was wanted, and could not be kept"]
    await until(lambda: kept_nothing(gateway))


async def test_a_reader_that_is_killed_refuses_that_request_alone(make, pool):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool, expects_alarms=True)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("POST", "/up", "api.test", text(2 * MIB))
        assert (await client.answer()).status == 200
        (pid,) = readers()
        os.kill(pid, 19)
        await client.request("POST", "/up", "api.test", text(2 * MIB))
        await until(lambda: pool._running)
        os.kill(pid, 9)
        assert (await client.answer()).status == 503
        await client.request("POST", "/up", "api.test", text(2 * MIB))
        assert (await client.answer()).status == 200
    assert len(upstream.seen) == 2
    await until(lambda: kept_nothing(gateway))


async def test_others_are_answered_while_a_large_one_is_read(make, pool):
    """The process that reads the large one stands still until the others were answered."""
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool)
    await gateway.upstream()
    door = await gateway.listen(Agent(id="other"))
    await pool.data("warm", text(MIB))
    (pid,) = readers()
    async with await gateway.https() as greedy:
        os.kill(pid, 19)
        await greedy.request("POST", "/up", "api.test", text(3 * MIB))
        await until(lambda: pool._running)
        gateway.port = door
        async with await gateway.https() as modest:
            for size in (10, 100 * 1024, 2 * MIB):
                await modest.request("POST", "/up", "api.test", text(size))
                assert (await modest.answer()).status == 200
        os.kill(pid, 18)
        assert (await greedy.answer()).status == 200


async def test_a_file_that_was_changed_is_not_sent_whole(make, pool, monkeypatch):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool, expects_alarms=True)
    upstream = await gateway.upstream()
    read = os.pread

    def flipped(file, size, at):
        data = read(file, size, at)
        return data[:-1] + bytes([data[-1] ^ 1])

    monkeypatch.setattr(keeping.os, "pread", flipped)
    async with await gateway.https() as client:
        await client.request("POST", "/up", "api.test", text(3 * MIB))
        assert await client.rest() == b""
    assert not any(seen.whole for seen in upstream.seen)
    assert "not what was decided on" in str(gateway.alarm)


async def test_memory_stays_flat(make, pool):
    """Ten times 14 MiB, two at once."""
    gateway, content = await make(reads_bodies=True, limits=LIMITS, examiner=pool), text(14 * MIB)
    upstream = await gateway.upstream(tls=False)

    async def counted(turn):
        assert len(turn.seen.body) == len(content)
        turn.seen.body = bytearray()
        await turn.answer()

    upstream.answers["/up"] = counted

    async def one():
        async with await gateway.plain() as client:
            await client.request("POST", "http://api.test/up", "api.test", Content_Length=str(len(content)))
            for at in range(0, len(content), WINDOW):
                await client.send(content[at : at + WINDOW])
            assert (await client.answer()).status == 200

    await asyncio.gather(one(), one())
    before = resident()
    for _ in range(5):
        await asyncio.gather(one(), one())
    assert resident() - before < 20 * MIB


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


ASKS = """
    outgate: policy/v1alpha
    policy: asks
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    rules:
      - {id: big, match: {action: openai.chat.completions.create}, when: params.model == "gpt-9", effect: block, onTooLarge: escalate}
"""


async def test_people_may_be_asked_of_one_that_nobody_can_parse_and_mean_that_very_one(make, pool):
    gateway = await make(policy_text=ASKS, limits=LIMITS, examiner=pool, catalog=load_catalog())
    upstream, answers = await gateway.upstream("api.openai.com"), []
    large = b'{"model": "gpt-5", "messages": [], "pad": "%s"}'
    async with await gateway.https("api.openai.com") as client:
        for content in (large % b"small", large % text(17 * MIB), large % text(17 * MIB), large % (text(17 * MIB) + b"x")):
            await client.request("POST", "/v1/chat/completions", "api.openai.com", content, Content_Type="application/json")
            answers.append(await client.answer())
    assert [answer.status for answer in answers] == [200, 403, 403, 403]
    asked, again, other = (json.loads(answer.body)["approval_id"] for answer in answers[1:])
    assert asked == again != other
    assert len(upstream.seen) == 1
    shown = {event["approval"]: event["actions"] for event in gateway.events("approval-asked")}
    assert shown[asked] == shown[other]
    assert any("unreadable" in action for action in shown[asked]), "who signs is told that nobody read it"


async def test_a_halt_ends_one_that_is_being_sent_and_nothing_is_kept(make, pool):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool)
    upstream, never = await gateway.upstream(), asyncio.Event()

    async def stuck(_turn):
        await never.wait()

    upstream.answers["/stuck"] = stuck
    upstream.early.add("/stuck")
    async with await gateway.https() as client:
        await client.request("POST", "/stuck", "api.test", text(12 * MIB))
        (handler,) = gateway.engine._handlers.values()
        await until(lambda: handler._link.forwarding and handler._link.congested)
        assert gateway.engine.cut(lambda _agent, services: bool(services)) == 1
        assert (await client.answer()).status == 403
        await until(lambda: kept_nothing(gateway))
        await client.request("GET", "/next", "api.test")
        assert (await client.answer()).status == 200
    assert not any(seen.whole for seen in upstream.seen if seen.target == "/stuck")
    never.set()


async def test_who_leaves_in_the_middle_leaves_nothing_behind(make, pool):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool)
    await gateway.upstream()
    for sent in (3 * MIB, 6 * MIB):
        async with await gateway.https() as client:
            await client.send(f"POST /up HTTP/1.1\r\nHost: api.test\r\nContent-Length: {6 * MIB}\r\n\r\n")
            await client.send(text(6 * MIB)[:sent])
            client.writer.transport.abort()
    await until(lambda: not gateway.engine.clients and kept_nothing(gateway))


@pytest.mark.parametrize(("coding", "status"), [("hex", 415), ("gzip, gzip", 415), ("gzip", 403)])
async def test_a_coding_that_must_be_undone_and_can_not_be_is_said(make, pool, coding, status):
    gateway = await make(reads_bodies=True, limits=LIMITS, examiner=pool)
    upstream = await gateway.upstream()
    async with await gateway.https() as client:
        await client.request("POST", "/up", "api.test", text(2 * MIB), Content_Encoding=coding)
        assert ((await client.answer()).status, upstream.accepted) == (status, 0)


# answers that a rule reads

REVIEWS = """
    outgate: policy/v1alpha
    policy: reviews
    otherwise: {T0: allow, T1: allow, T2: allow, T3: allow, unmapped: {read: allow, other: allow}}
    rules:
      - {id: no-secrets-back, phase: response, when: '"secret" in response.data', effect: block, tell: "No secrets come back."}
"""
H2 = pytest.mark.parametrize("h2", [False, True])


def gives(content: bytes, *, declared: bool = True):
    async def answer(turn):
        length = [("content-length", str(len(content)))] if declared else [("transfer-encoding", "chunked")]
        await turn.head(200, length)
        for at in range(0, len(content), WINDOW):
            await turn.send(content[at : at + WINDOW])
        await turn.end()

    return answer


async def ask(gateway, path: str, *, h2: bool):
    if h2:
        async with await gateway.h2() as client, client.wire:
            return await client.answer(await client.request("GET", path, "api.test"))
    async with await gateway.https() as client:
        await client.request("GET", path, "api.test")
        return await client.answer()


@H2
@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_answer_is_read_elsewhere_and_given_byte_for_byte(make, pool, h2, declared):
    gateway, content = await make(policy_text=REVIEWS, limits=LIMITS, examiner=pool), text(6 * MIB)
    upstream = await gateway.upstream()
    upstream.answers["/down"] = gives(content, declared=declared)
    upstream.answers["/bad"] = gives(content + SECRET, declared=declared)
    answer = await ask(gateway, "/down", h2=h2)
    assert (answer.status, digest(answer.body)) == (200, digest(content))
    answer = await ask(gateway, "/bad", h2=h2)
    assert answer.status == 403
    assert b"No secrets come back" in answer.body
    assert readers()
    await until(lambda: len(gateway.outcomes()) == 2 and kept_nothing(gateway))
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["executed", "withheld"]


@H2
async def test_one_that_is_too_large_to_be_kept_goes_on_where_nothing_is_enforced(make, pool, h2):
    content = text(6 * MIB)
    gateway = await make(policy_text=REVIEWS + "    mode: observe\n", limits=Limits(body=2 * MIB), examiner=pool)
    upstream = await gateway.upstream()
    upstream.answers["/down"] = gives(content, declared=False)
    answer = await ask(gateway, "/down", h2=h2)
    assert (answer.status, digest(answer.body)) == (200, digest(content))
    await until(lambda: kept_nothing(gateway))


@H2
async def test_a_client_that_does_not_read_a_large_answer_holds_no_memory_and_its_siblings_go_on(make, pool, h2):
    gateway, content = await make(policy_text=REVIEWS, limits=LIMITS, examiner=pool), text(12 * MIB)
    upstream = await gateway.upstream()
    upstream.answers["/down"] = gives(content)
    if h2:
        async with await gateway.h2() as client, client.wire:
            client.read_data = False
            await client.request("GET", "/down", "api.test")
            (handler,) = gateway.engine._handlers.values()
            await until(lambda: handler._link.forwarding)
            assert (await client.answer(await client.request("HEAD", "/other", "api.test"))).status == 200
            assert handler._backlog(handler.client) < 3 * MIB
            assert handler._link.forwarding
    else:
        async with await gateway.https() as client:
            await client.request("GET", "/down", "api.test")
            (handler,) = gateway.engine._handlers.values()
            await until(lambda: handler._link.congested)
            assert handler._backlog(handler.client) < 3 * MIB
            assert handler._link.forwarding
            assert digest((await client.answer()).body) == digest(content)
    await until(lambda: kept_nothing(gateway))


async def test_an_upstream_that_goes_when_it_has_answered_takes_nothing_of_it_along(make, pool):
    gateway, content = await make(policy_text=REVIEWS, limits=LIMITS, examiner=pool), text(12 * MIB)
    upstream = await gateway.upstream()
    upstream.answers["/down"] = gives(content)
    async with await gateway.https() as client:
        await client.request("GET", "/down", "api.test")
        (handler,) = gateway.engine._handlers.values()
        await until(lambda: handler._link.forwarding)
        upstream.drop_all()
        await until(lambda: handler.upstreams == 0)
        assert digest((await client.answer()).body) == digest(content)
    await until(gateway.outcomes)
    assert [outcome["result"] for outcome in gateway.outcomes()] == ["executed"]
