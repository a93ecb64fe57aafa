"""Small bodies at once; large ones elsewhere, in turn, within bounds."""

import asyncio
import contextlib
import gc
import gzip
import hashlib
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from asked import asked, with_body
from children import readers
from gated import CATALOG

from outgate.actions.protocols.graphql import HEAVY, is_loaded
from outgate.errors import UnavailableError
from outgate.inspect.examine import examine
from outgate.intake.request import NoBody, SpooledBody, UnreadBody, WholeBody
from outgate.policy.answered import answered_of
from outgate.worker import pool as pools
from outgate.worker.pool import SMALL, Pool, is_small

JSON = {"content-type": "application/json"}
CHAT = "POST https://api.openai.com/v1/chat/completions"
SECRET = b"ghp_" + b"a1B2" * 9
LARGE = b'{"model": "gpt-5", "messages": [], "pad": "%s"}' % (b"x " * SMALL)


@pytest.fixture
async def pool():
    made = Pool()
    yield made
    await made.close()


def chat(content=LARGE, **headers):
    return asked(CHAT, body=WholeBody(content), headers=JSON | headers)


def spooled(folder, content):
    """A file as the plane keeps it: open, and without a name."""
    path = folder / "body"
    path.write_bytes(content)
    file = os.open(path, os.O_RDONLY)
    path.unlink()
    return SpooledBody(f"/dev/fd/{file}", len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")


async def test_what_is_small_is_read_without_a_process_and_without_a_turn(pool):
    request = chat(b'{"model": "gpt-5", "messages": []}')
    steps = pool.actions("coder", request, CATALOG, data=True)
    with pytest.raises(StopIteration) as found:
        steps.send(None)
    assert found.value.value == examine(request, CATALOG, data=True)
    assert not readers()


async def test_sql_is_read_elsewhere_however_short_it_is(pool):
    request = asked("POST https://ep-a-1.eu-central-1.aws.neon.tech/sql", json={"query": "delete from users"})
    (action,) = await pool.actions("coder", request, CATALOG, data=False)
    assert (action.name, action.params["tables"]) == ("neon.sql.delete", ("users",))
    assert len(readers()) == 1


async def test_a_short_graphql_document_is_read_at_once_when_its_parser_is_there(pool):
    short = asked("POST https://api.linear.app/graphql", json={"query": "{ viewer { id } }"})
    await pool.actions("coder", short, CATALOG, data=False)
    while not is_loaded():
        await asyncio.wait_for(pool._loading, 60)
    before = pool._count
    steps = pool.actions("coder", short, CATALOG, data=False)
    with pytest.raises(StopIteration) as found:
        steps.send(None)
    assert [action.name for action in found.value.value] == ["linear.graphql.query.viewer"]
    assert pool._count == before
    long = asked("POST https://api.linear.app/graphql", json={"query": "{ viewer { id } }" + " " * HEAVY})
    assert [action.name for action in await pool.actions("coder", long, CATALOG, data=False)] == ["linear.graphql.query.viewer"]
    assert len(readers()) == 1


async def test_what_is_large_is_read_elsewhere_and_the_same_is_found(pool):
    request = chat(LARGE + b" " + SECRET)
    assert await pool.actions("coder", request, CATALOG, data=True) == examine(request, CATALOG, data=True)
    assert "secret" in (await pool.actions("coder", request, CATALOG, data=True))[0].data
    (pid,) = readers()
    assert pid != os.getpid()


async def test_a_spooled_body_is_read_as_a_whole_one_is(pool, tmp_path):
    content = LARGE + SECRET
    kept = with_body(chat(), spooled(tmp_path, content))
    assert await pool.actions("coder", kept, CATALOG, data=True) == examine(chat(content), CATALOG, data=True)
    assert await pool.digest("coder", kept) == await pool.digest("coder", chat(content)) is not None
    answer = (200, (("content-type", "application/json"),))
    assert await pool.answered("coder", *answer, spooled(tmp_path, b"[1,2,3]")) == answered_of(*answer, WholeBody(b"[1,2,3]"))


async def test_one_that_was_changed_is_refused(pool, tmp_path):
    body = spooled(tmp_path, LARGE)
    other = SpooledBody(body.path, body.size, f"sha256:{hashlib.sha256(b'other').hexdigest()}")
    with pytest.raises(UnavailableError):
        await pool.actions("coder", with_body(chat(), other), CATALOG, data=True)


async def test_one_that_is_gone_is_refused(pool):
    with pytest.raises(UnavailableError, match="opened"):
        await pool.digest("coder", with_body(chat(), SpooledBody("/nowhere/at/all", 1, "sha256:0")))


async def test_a_process_that_is_killed_in_the_middle_refuses_one_and_is_replaced(pool):
    await pool.actions("coder", chat(), CATALOG, data=True)
    (pid,) = readers()
    os.kill(pid, signal.SIGSTOP)
    waits = asyncio.ensure_future(pool.actions("coder", chat(), CATALOG, data=True))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(UnavailableError, match="ended in the middle"):
        await waits
    assert await pool.actions("coder", chat(), CATALOG, data=True)
    assert pid not in readers()


async def test_one_that_died_while_it_had_nothing_to_do_refuses_nothing(pool):
    await pool.actions("coder", chat(), CATALOG, data=True)
    (pid,) = readers()
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(_until_gone, pid)
    await asyncio.sleep(0.05)  # until the loop heard of it
    assert await pool.actions("coder", chat(), CATALOG, data=True)


async def test_one_that_takes_too_long_is_ended():
    pool = Pool(within=timedelta(seconds=1))
    try:
        await pool.data("coder", LARGE)
        (pid,) = readers()
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(UnavailableError, match="within 1 seconds"):
            await pool.data("coder", LARGE)
        assert not Path(f"/proc/{pid}").exists()
    finally:
        await pool.close()


async def test_an_agent_s_bodies_wait_for_each_other_and_not_others_for_them(pool):
    await pool.data("greedy", LARGE)
    (pid,) = readers()
    os.kill(pid, signal.SIGSTOP)  # what greedy sends takes for ever: it has the one that there is, and modest another
    waits = [asyncio.ensure_future(pool.data("greedy", LARGE)) for _ in range(6)]
    await asyncio.sleep(0)
    for _ in range(3):
        assert await pool.data("modest", LARGE) == frozenset()
    assert not any(one.done() for one in waits)
    for one in waits:
        one.cancel()


async def test_whoever_waits_longest_has_the_next_turn():
    pool, order = Pool(processes=1), []

    async def read(agent):
        await pool.data(agent, LARGE)
        order.append(agent)

    try:
        await asyncio.gather(*map(read, ["a", "a", "a", "b", "c", "b"]))
    finally:
        await pool.close()
    assert order == ["a", "a", "b", "c", "a", "b"]


async def test_what_waits_is_bounded(pool, monkeypatch):
    monkeypatch.setattr(pools, "_MOST_OF_ONE", 2)
    waits = [asyncio.ensure_future(pool.data("greedy", LARGE)) for _ in range(5)]
    found = await asyncio.gather(*waits, return_exceptions=True)
    assert sum(isinstance(one, UnavailableError) for one in found) == 2  # one is read, two wait
    assert await pool.data("modest", LARGE) == frozenset()


async def test_who_does_not_wait_any_more_costs_no_turn(pool, tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    body = spooled(tmp_path, LARGE)
    waits = [asyncio.ensure_future(pool.digest("coder", with_body(chat(), body))) for _ in range(4)]
    await asyncio.sleep(0)
    for one in waits[1:]:
        one.cancel()
    assert await waits[0]
    await pool.close()
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1  # the body's own


async def test_when_it_closes_what_waits_is_refused_and_nothing_is_left():
    pool = Pool()
    await pool.data("coder", LARGE)
    pids = readers()
    waits = [asyncio.ensure_future(pool.data("coder", LARGE)) for _ in range(3)]
    await asyncio.sleep(0)
    await pool.close()
    assert all(isinstance(one, UnavailableError) for one in await asyncio.gather(*waits, return_exceptions=True))
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(UnavailableError):
        await pool.data("coder", LARGE)


async def test_a_hostile_body_does_not_hold_the_loop(pool):
    hostile = b"[" + b"{}," * (8 * 2**20 // 3) + b"{}]"
    await pool.data("warm", LARGE)
    before = time.thread_time()
    assert (await pool.actions("coder", chat(hostile), CATALOG, data=True))[-1].operation == "unreadable"
    await pool.data("coder", hostile)
    assert time.thread_time() - before < 0.25, "8 MiB go to a process, twice, and little else happens here"


@pytest.mark.parametrize(
    ("body", "coding", "small"),
    [
        (NoBody(), None, True),
        (WholeBody(b""), "gzip", True),
        (WholeBody(b"x" * SMALL), None, True),
        (WholeBody(b"x" * SMALL), "identity", True),
        (WholeBody(b"x" * (SMALL + 1)), None, False),
        (WholeBody(gzip.compress(b"x" * SMALL)), "gzip", True),
        (WholeBody(gzip.compress(b"x" * (SMALL + 1))), "gzip", False),
        (WholeBody(b"not gzip"), "gzip", False),
        (UnreadBody(), None, True),
        (UnreadBody(head=b"x" * SMALL), None, True),
        (UnreadBody(head=b"x" * 9), "gzip", False),
        (UnreadBody(head=b"x" * (SMALL + 1)), None, False),
        (SpooledBody("-", 1, ""), None, False),
    ],
)
def test_what_is_small_is_what_is_small_once_decoded(body, coding, small):
    assert is_small(body, (("content-encoding", coding),) if coding else ()) is small


def _until_gone(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for _ in range(200):
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return
            time.sleep(0.01)
        pytest.fail("it is there still")
