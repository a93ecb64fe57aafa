"""outgate.telemetry.admin: real sockets, real bytes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json

import ports
import pytest

from outgate.errors import ConfigError
from outgate.telemetry.admin import Door, Pages, Rights, token_of
from outgate.telemetry.metrics import Metrics
from outgate.telemetry.places import Endpoint

TOKEN = "0123456789abcdef-a-token"
FULL = Rights(everything=True)
SHOWN = Rights(everything=False)


class Alarm:
    def __init__(self):
        self.told = []

    def raise_for(self, error, doing):
        self.told.append((doing, str(error)))


class Gate:
    """What is behind a door, and what was done through it."""

    def __init__(self):
        self.metrics, self.wrong, self.done = Metrics(), [], []

    def pages(self):
        return Pages(
            metrics=self.metrics.text, unready=self.unready, status=self.status, refresh=self.refresh, reload=self.reload
        )

    async def unready(self):
        return self.wrong

    async def status(self):
        return {"pid": 1}

    async def refresh(self):
        self.done.append("refresh")
        return {"halts": []}

    async def reload(self):
        self.done.append("reload")
        raise RuntimeError("a defect")


@pytest.fixture
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "new" / "m.sock"


@pytest.fixture
async def door(request):
    """Open doors; all of them are closed at the end."""
    made = []

    async def one(place, rights=FULL, gate=None, alarm=None):
        opened = await Door.bind(place, "the admin pages", rights, alarm or Alarm())
        made.append(opened)
        await opened.open((gate or Gate()).pages())
        return opened

    yield one
    for opened in made:
        opened.close()


def free_port():
    return Endpoint(host="127.0.0.1", port=ports.free_port())


def said(line, *headers):
    return "\r\n".join([line + " HTTP/1.1", *headers, "", ""]).encode()


async def asked(place, head):
    if isinstance(place, Endpoint):
        reader, writer = await asyncio.open_connection(place.host, place.port)
    else:
        reader, writer = await asyncio.open_unix_connection(place)
    writer.write(head)
    answer = await reader.read()
    writer.close()
    return answer


async def status(place, line, *headers):
    return int((await asked(place, said(line, *headers))).split(b" ")[1])


async def test_metrics_are_shown(path, door):
    gate = Gate()
    gate.metrics.alarmed("x")
    await door(path, SHOWN, gate)
    answer = await asked(path, said("GET /metrics?x=y", "Host: gate"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain; version=0.0.4" in answer
    assert b'outgate_alarms_total{doing="x"} 1.0' in answer


async def test_health_and_readiness_are_told_apart_and_what_is_wrong_is_said(path, door):
    gate = Gate()
    await door(path, SHOWN, gate)
    assert await status(path, "GET /healthz") == await status(path, "GET /readyz") == 200
    gate.wrong = ["the log is closed"]
    assert await status(path, "GET /healthz") == 200
    answer = await asked(path, said("GET /readyz"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"not ready: the log is closed\n")


async def test_the_operator_is_answered_in_json(path, door):
    gate = Gate()
    await door(path, FULL, gate)
    answer = await asked(path, said("GET /status"))
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"pid": 1}
    assert await status(path, "POST /refresh", "Content-Length: 0") == 200
    assert gate.done == ["refresh"]


@pytest.mark.parametrize("line", ["GET /status", "POST /refresh", "POST /reload"])
async def test_where_only_metrics_are_shown_there_is_nothing_else(path, door, line):
    gate = Gate()
    await door(path, SHOWN, gate)
    assert await status(path, line) == 404
    assert gate.done == []


@pytest.mark.parametrize("line", ["GET /refresh", "GET /reload", "POST /status", "DELETE /status", "POST /metrics"])
async def test_a_page_has_its_method(path, door, line):
    gate = Gate()
    await door(path, FULL, gate)
    assert await status(path, line) == 405
    assert gate.done == []


@pytest.mark.parametrize("path_asked", ["/", "/metrics/..", "/Status", "//status"])
async def test_what_is_not_there_is_said_with_what_is(path, door, path_asked):
    await door(path)
    answer = await asked(path, said(f"GET {path_asked}"))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"POST /refresh" in answer


@pytest.mark.parametrize(
    "head",
    [
        b"GET /metrics\r\n\r\n",
        b"\r\n\r\n",
        b"GET  /metrics HTTP/1.1\r\n\r\n",
        b"GET http://gate/metrics HTTP/1.1\r\n\r\n",
        b"CONNECT gate:443 HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/2\r\n\r\n",
        b"POST /refresh HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /refresh HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /refresh HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /refresh HTTP/1.1\r\nHost : a\r\n\r\n",
        b"POST /refresh HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"POST /refresh HTTP/1.1\r\nnothing\r\n\r\n",
    ],
)
async def test_what_is_no_plain_request_does_nothing(path, door, head):
    gate = Gate()
    await door(path, FULL, gate)
    assert (await asked(path, head)).startswith(b"HTTP/1.1 400 ")
    assert gate.done == []


async def test_a_head_without_end_gets_nothing_and_hurts_nobody(path, door):
    await door(path)
    with contextlib.suppress(ConnectionError):
        assert await asked(path, b"GET /" + b"x" * 20_000) == b""
    assert await status(path, "GET /healthz") == 200


async def test_those_who_connect_and_say_nothing_hold_up_no_other_door(path, tmp_path_factory, door):
    gate, other = Gate(), tmp_path_factory.mktemp("s") / "o.sock"
    await door(path, FULL, gate)
    await door(other, SHOWN, gate)
    silent = [await asyncio.open_unix_connection(other) for _ in range(40)]
    assert await status(path, "POST /refresh") == 200
    for _, writer in silent:
        writer.close()


async def test_a_page_that_fails_is_told_and_answers_with_nothing_of_it(path, door):
    alarm = Alarm()
    await door(path, FULL, alarm=alarm)
    answer = await asked(path, said("POST /reload"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"defect" not in answer
    assert alarm.told == [("answering the operator", "a defect")]


async def test_a_door_that_is_bound_and_not_open_keeps_who_comes_waiting(path):
    door = await Door.bind(path, "x", FULL, Alarm())
    waiting = asyncio.create_task(status(path, "GET /healthz"))
    await asyncio.sleep(0)
    await door.open(Gate().pages())
    assert await waiting == 200
    door.close()


async def test_the_socket_is_gone_when_the_gate_is(path, door):
    (await door(path)).close()
    assert not path.exists()


async def test_a_socket_that_another_gate_took_over_stays(path, door):
    first = await door(path)
    path.unlink()
    await door(path)
    first.close()
    assert await status(path, "GET /healthz") == 200


# over TCP


@pytest.mark.parametrize(
    ("authorization", "answer"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer ", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer \xff", 401),
        (None, 401),
    ],
)
async def test_a_token_is_asked_for_where_there_is_one(door, authorization, answer):
    place, gate = free_port(), Gate()
    await door(place, Rights(everything=True, token=hashlib.sha256(TOKEN.encode()).digest(), tcp=True), gate)
    headers = [] if authorization is None else [f"Authorization: {authorization}"]
    head = "\r\n".join(["POST /refresh HTTP/1.1", "Host: gate.internal.test", *headers, "", ""]).encode("latin-1")
    assert int((await asked(place, head)).split(b" ")[1]) == answer
    assert gate.done == (["refresh"] if answer == 200 else [])


@pytest.mark.parametrize(
    ("line", "answer"),
    [("GET /healthz", 200), ("GET /readyz", 200), ("GET /metrics", 401), ("GET /status", 401), ("GET /x", 401)],
)
async def test_only_whether_it_lives_is_told_without_the_token(door, line, answer):
    place = free_port()
    await door(place, Rights(everything=True, token=hashlib.sha256(TOKEN.encode()).digest(), tcp=True))
    assert await status(place, line) == answer


@pytest.mark.parametrize(
    "header", ["Origin: http://127.0.0.1:9464", "Origin: null", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Site: none"]
)
async def test_browsers_are_not_answered(door, header):
    place, gate = free_port(), Gate()
    await door(place, Rights(everything=True, tcp=True), gate)
    assert await status(place, "POST /refresh", "Host: 127.0.0.1", header) == 403
    assert gate.done == []


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1:9464", 200),
        ("127.0.0.1", 200),
        ("[::1]:9464", 200),
        ("localhost:9464", 200),
        ("rebound.test:9464", 403),
        ("127.0.0.1.rebound.test", 403),
        ("localhost.rebound.test", 403),
        ("", 403),
    ],
)
async def test_without_a_token_a_name_that_leads_here_is_not_answered(door, host, answer):
    place = free_port()
    await door(place, Rights(everything=False, tcp=True))
    assert await status(place, "GET /metrics", f"Host: {host}") == answer


async def test_its_addresses_are_known_before_it_is_open():
    place = free_port()
    door = await Door.bind(place, "x", SHOWN, Alarm())
    assert door.addresses == [(place.host, place.port)]
    door.close()


def test_a_token_is_read_from_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o640)
    assert token_of(file) == hashlib.sha256(TOKEN.encode()).digest()


@pytest.mark.parametrize(
    ("content", "mode", "wrong"),
    [
        (TOKEN, 0o644, "chmod o="),
        (TOKEN, 0o602, "chmod o="),
        ("short", 0o600, "holds no token"),
        ("", 0o600, "holds no token"),
        ("two words that are long", 0o600, "holds no token"),
        ("é" * 20, 0o600, "holds no token"),
        ("x" * 5000, 0o600, "holds no token"),
    ],
)
def test_a_file_that_holds_no_token_of_ours_alone_is_refused(tmp_path, content, mode, wrong):
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=wrong):
        token_of(file)


def test_a_token_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        token_of(tmp_path / "token")
