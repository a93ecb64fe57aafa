"""Attempts to go around: each is told once with who made it, and looking for who holds up nobody."""

import asyncio
import socket
import threading

import pytest
from unit.fence.test_packets import TEST4, udp, v4

from outgate.fence import watch as module
from outgate.fence.watch import Watch


@pytest.fixture
def seen(monkeypatch):
    """What the packet socket would give, and the watch that reads it. Only a packet socket takes answers: tests/fence."""
    monkeypatch.setattr(module, "refusal", lambda _: None)
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    with theirs, ours:
        yield theirs, Watch(_socket=ours, _keeper=0)


def packet(port):
    return v4(17, udp(port, b"x"), to=TEST4)


async def test_while_it_is_asked_who_it_is_everything_else_goes_on(seen, monkeypatch):
    theirs, watch = seen
    asked = threading.Event()
    monkeypatch.setattr(module, "_owner", lambda *_: 7 if asked.wait(20) else None)
    monkeypatch.setattr(module, "_program", lambda _: "agent")
    theirs.send(packet(9))
    asyncio.get_running_loop().call_later(0.01, asked.set)
    async with asyncio.timeout(30):
        attempt = await anext(watch.attempts())
    assert (attempt.process, attempt.pid, attempt.port) == ("agent", 7, 9)


async def test_who_sends_the_same_again_is_asked_for_once(seen, monkeypatch):
    theirs, watch = seen
    asked = []
    monkeypatch.setattr(module, "_owner", lambda _, packet: asked.append(packet.to_port))
    for port in (9, 9, 9, 10):
        theirs.send(packet(port))
    assert [attempt.port for attempt in watch.read()] == [9, 10]
    assert asked == [9, 10]


async def test_what_was_asked_for_when_the_watch_ended_is_told_at_the_end(seen, monkeypatch):
    theirs, watch = seen
    begun, end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def owner(*_):
        loop.call_soon_threadsafe(begun.set)
        end.wait(20)

    monkeypatch.setattr(module, "_owner", owner)
    theirs.send(packet(9))
    watching = asyncio.ensure_future(anext(watch.attempts()))
    await begun.wait()
    watching.cancel()
    await asyncio.wait({watching})
    monkeypatch.setattr(module, "_owner", lambda *_: None)
    assert [attempt.port for attempt in watch.read()] == [9]
    end.set()
