"""One process that reads bodies, as the gate has it."""

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from asked import asked
from gated import CATALOG

from outgate.errors import UnavailableError
from outgate.inspect.examine import examine
from outgate.worker import process
from outgate.worker.frames import HEAD, LONGEST_ANSWER
from outgate.worker.process import Worker
from outgate.worker.tasks import Identify, Search

SOON = timedelta(seconds=20)


async def test_it_does_one_thing_after_another_and_learns_a_catalog_once():
    worker = await Worker.start()
    try:
        request = asked("POST https://api.stripe.com/v1/refunds", form="charge=ch_1")
        for _ in range(2):
            assert await worker.do(Identify(request=request, data=True), CATALOG, None, SOON) == examine(
                request, CATALOG, data=True
            )
        assert await worker.do(Search(content=b""), None, None, SOON) == frozenset()
        assert worker.alive
    finally:
        await worker.end()
    assert not worker.alive


async def test_what_it_can_not_do_is_refused_and_why_is_said():
    worker = await Worker.start()
    try:
        with pytest.raises(UnavailableError, match="could not be read: AssertionError in done"):
            await worker.do(Identify(request=asked("GET https://x.test/"), data=False), None, None, SOON)
    finally:
        await worker.end()


@pytest.mark.parametrize("said", [HEAD.pack(3) + b"not", HEAD.pack(LONGEST_ANSWER + 1), HEAD.pack(9)[:4], b""])
async def test_an_answer_that_is_none_is_refused(said):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    worker = Worker(None, ours)
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(UnavailableError):
        await worker.do(Search(content=b""), None, None, SOON)
    ours.close()
    theirs.close()


async def test_where_none_can_be_started_that_is_said(monkeypatch):
    monkeypatch.setattr(process.sys, "executable", "/nowhere/python")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(UnavailableError, match="no process can be started"):
        await Worker.start()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
