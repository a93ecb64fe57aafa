"""outgate.app.gates: real sockets, answered by a real door."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from outgate.app.gates import ask, gates_folder, socket_path, sweep
from outgate.disk import try_lock
from outgate.stores.logs import log_folder
from outgate.telemetry.admin import Door, Pages, Rights
from outgate.telemetry.metrics import Metrics
from outgate.telemetry.places import unix_socket


@pytest.fixture
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("s")


def runs(state, writer):
    """A writer that holds its log."""
    folder = log_folder(state) / writer
    folder.mkdir(parents=True)
    return try_lock(folder / "lock", create=True)


def answering(listening, answer):
    def answered():
        link, _ = listening.accept()
        link.recv(65536)
        link.sendall(answer)
        link.close()

    threading.Thread(target=answered, daemon=True).start()


async def test_every_gate_is_asked_at_its_own_socket(state):
    async def said(writer):
        return {"writer": writer}

    async def nothing():
        return {}

    async def ready():
        return []

    doors = []
    for writer in ("w1", "w2"):
        door = await Door.bind(socket_path(state, writer), "x", Rights(everything=True), None)
        pages = Pages(
            metrics=Metrics().text, unready=ready, status=lambda writer=writer: said(writer), refresh=nothing, reload=nothing
        )
        await door.open(pages)
        doors.append(door)
    answers = await asyncio.to_thread(ask, state, "GET", "/status")
    assert [(one.writer, one.said, one.wrong) for one in answers] == [
        ("w1", {"writer": "w1"}, ""),
        ("w2", {"writer": "w2"}, ""),
    ]
    for door in doors:
        door.close()


def test_where_nothing_runs_nobody_answers(state):
    assert ask(state, "GET", "/status") == ()
    socket_path(state, "w1").parent.mkdir()
    unix_socket(socket_path(state, "w1"), "x").close()
    assert ask(state, "GET", "/status") == ()


def test_one_that_runs_and_has_no_socket_is_told_of(state):
    lock = runs(state, "w1")
    (answer,) = ask(state, "POST", "/refresh", patience=0.0)
    assert (answer.writer, answer.wrong) == ("w1", "it runs, and can't be asked")
    os.close(lock)
    assert ask(state, "POST", "/refresh") == ()


def test_a_command_that_is_about_to_end_is_no_gate(state):
    lock = runs(state, "w1")
    threading.Timer(0.1, os.close, [lock]).start()
    assert ask(state, "POST", "/refresh", patience=60.0) == ()


def test_a_gate_that_is_about_to_listen_is_waited_for(state):
    lock = runs(state, "w1")

    def listen():
        with unix_socket(socket_path(state, "w1"), "x") as listening:
            listening.setblocking(True)
            link, _ = listening.accept()
            link.recv(65536)
            link.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}')
            link.close()

    threading.Timer(0.1, listen).start()
    (answer,) = ask(state, "POST", "/refresh", patience=60.0)
    assert answer.said == {"a": 1}
    os.close(lock)


def test_one_that_does_not_answer_in_time_is_told_of(state):
    with unix_socket(socket_path(state, "w1"), "x"):
        (answer,) = ask(state, "POST", "/refresh", patience=0.01)
    assert answer.wrong == "it did not answer within 0.01 seconds"


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"", "it closed without an answer"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\nfailed\n", "failed"),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", "it answered something that is not understood"),
        (b"HTTP/1.1 200 OK\r\n\r\n{", "it answered something that is not understood"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"a": 1}).encode(), ""),
    ],
)
def test_an_answer_that_is_none_is_told(state, answer, wrong):
    with unix_socket(socket_path(state, "w1"), "x") as listening:
        listening.setblocking(True)
        answering(listening, answer)
        (found,) = ask(state, "GET", "/status")
    assert found.wrong == wrong


def test_the_sockets_of_the_dead_are_swept_and_those_of_the_living_stay(state):
    lock = runs(state, "locked")
    with unix_socket(socket_path(state, "listening"), "x"):
        for writer in ("dead", "locked"):
            unix_socket(socket_path(state, writer), "x").close()
        sweep(state)
        assert sorted(path.stem for path in gates_folder(state).iterdir()) == ["listening", "locked"]
    os.close(lock)


def test_sweeping_touches_nothing_that_is_no_socket(state):
    gates_folder(state).mkdir()
    (gates_folder(state) / "notes.txt").write_text("mine")
    sweep(state)
    assert (gates_folder(state) / "notes.txt").exists()


def test_a_socket_of_a_gate_whose_log_is_gone_still_answers(state):
    with unix_socket(socket_path(state, "w1"), "x") as listening:
        listening.setblocking(True)
        sweep(state)
        assert socket_path(state, "w1").exists()
        listening.accept()[0].close()  # whoever swept
        answering(listening, b"HTTP/1.1 200 OK\r\n\r\n{}")
        assert [one.wrong for one in ask(state, "GET", "/status")] == [""]


def test_asking_leaves_no_descriptor_open(state):
    with unix_socket(socket_path(state, "w1"), "x"):
        before = len(list(Path("/proc/self/fd").iterdir()))
        ask(state, "GET", "/status", patience=0.01)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
