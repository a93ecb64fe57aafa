import asyncio
import http.client
import json
import socket

import pytest
from sandboxed import NOW, book_of

from outgate.document import parse
from outgate.mock.answers import Answers
from outgate.mock.openapi import read_openapi
from outgate.mock.server import AGENT_LIMIT, BODY_LIMIT, HELD_LIMIT, MockServer

KEY = "k" * 64
BOOK = book_of("""
    collections: {things: {}}
    answers:
      - {on: POST /things, create: things}
      - {on: GET /stream, stream: [{json: 1}, {json: 2}]}
      - {on: GET /said, json: {headers: "{header.x-said}", service: "{asked.service}", agent: "{asked.agent}", origin: "{asked.origin}"}}
      - {on: GET /key, json: "{header.outgate-mock-key}"}
      - {on: POST /size, json: "{word.tokens}"}
""")


@pytest.fixture
def alarms():
    return []


@pytest.fixture
def server(alarms):
    made = MockServer(Answers({"shop": BOOK}.get), key=KEY, now=lambda: NOW, alarm=alarms.append)
    yield made
    made.close()
    assert alarms == []


def said(service="shop", agent="coder", key=KEY, **more):
    return {
        "outgate-mock-key": key,
        "outgate-mock-service": service,
        "outgate-agent": agent,
        "outgate-mocked": "https://api.shop.test",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def ask(server, method, path, body=None, connection=None, **headers):
    link = connection or http.client.HTTPConnection("127.0.0.1", server.start(), timeout=30)
    link.request(method, path, body=body, headers=said(**headers))
    answer = link.getresponse()
    content = answer.read()
    if connection is None:
        link.close()
    return answer, content


def test_it_starts_once_and_only_when_it_is_asked_to(server):
    assert server._thread is None
    assert server.start() == server.start() > 0


def test_a_connection_goes_on(server):
    link = http.client.HTTPConnection("127.0.0.1", server.start(), timeout=30)
    first, body = ask(server, "POST", "/things", b'{"a": 1}', link, content_type="application/json")
    assert (first.status, json.loads(body)["a"]) == (201, 1)
    _, body = ask(server, "GET", "/said", None, link, x_said="hi")
    assert json.loads(body) == {"headers": "hi", "service": "shop", "agent": "coder", "origin": "https://api.shop.test"}
    link.close()


def test_who_does_not_know_the_key_gets_nothing_and_is_counted(server):
    for key in ("", "x" * 64, KEY[:-1]):
        answer, body = ask(server, "POST", "/things", b"{}", key=key)
        assert (answer.status, b"id" in body) == (403, False)
    assert server.strangers == 3


def test_no_answer_can_tell_the_key(server):
    assert json.loads(ask(server, "GET", "/key")[1]) is None


def test_a_stream_comes_in_its_pieces(server):
    with socket.create_connection(("127.0.0.1", server.start()), timeout=30) as link:
        head = "".join(f"{name}: {value}\r\n" for name, value in said(host="x").items())
        link.sendall(f"GET /stream HTTP/1.1\r\n{head}connection: close\r\n\r\n".encode())
        content = b"".join(iter(lambda: link.recv(65536), b""))
    assert b"transfer-encoding: chunked" in content.lower()
    assert b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n" in content


def test_an_odd_header_that_was_kept_comes_back_as_it_came(server):
    s3 = {"service": "aws", "outgate_mocked": "https://s3.amazonaws.com"}
    assert ask(server, "PUT", "/b/k", b"x", content_type="text/\x80\xff", **s3)[0].status == 200
    answer, body = ask(server, "GET", "/b/k", **s3)
    assert (answer.headers["content-type"], body) == ("text/\x80\xff", b"x")


def test_a_body_in_pieces_is_read(server):
    _, body = ask(server, "POST", "/things", iter([b'{"a"', b": 7}"]), content_type="application/json")
    assert json.loads(body)["a"] == 7


def test_head_has_a_length_and_no_body(server):
    answer, body = ask(server, "HEAD", "/said")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_body_that_is_too_large_is_read_to_its_end_and_answered(server):
    link = http.client.HTTPConnection("127.0.0.1", server.start(), timeout=60)
    pieces = (b"x" * 2**20 for _ in range(BODY_LIMIT // 2**20 + 2))
    assert ask(server, "POST", "/things", pieces, link)[0].status == 413
    assert ask(server, "GET", "/said", None, link)[0].status == 200
    link.close()
    assert server._held == {}


def test_one_agent_does_not_take_the_room_of_the_others(server):
    with server._holding("greedy") as hold:
        assert hold(AGENT_LIMIT)
        assert not hold(1)
        assert ask(server, "POST", "/things", b"{}", agent="greedy")[0].status == 503
        assert ask(server, "POST", "/things", b"{}", agent="modest")[0].status == 201
    assert ask(server, "POST", "/things", b"{}", agent="greedy")[0].status == 201


def test_no_more_is_held_than_there_is_room_for(server):
    server._held["others"] = HELD_LIMIT
    with server._holding("coder") as hold:
        assert not hold(1)


def test_a_document_answers_where_the_gate_names_it(server):
    text = "openapi: 3.1.0\npaths: {/things: {post: {responses: {'202': {}}}}}"
    server.describe("/etc/a b.yaml", read_openapi(parse(text, "x.yaml")))
    assert ask(server, "POST", "/things", b"", outgate_mock_document="/etc/a%20b.yaml")[0].status == 202
    assert ask(server, "POST", "/things", b"{}")[0].status == 201


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9\r\n\r\n", b"GET /\r\n\r\n", b"x" * 300_000, b""])
def test_what_is_no_http_ends_its_connection_and_nothing_else(server, sent):
    with socket.create_connection(("127.0.0.1", server.start()), timeout=30) as link:
        link.sendall(sent)
        link.shutdown(socket.SHUT_WR)
        while link.recv(65536):
            pass
    assert ask(server, "GET", "/said")[0].status == 200


def test_expecting_to_go_on_is_answered(server):
    with socket.create_connection(("127.0.0.1", server.start()), timeout=30) as link:
        head = "".join(f"{name}: {value}\r\n" for name, value in said(host="x", expect="100-continue").items())
        link.sendall(f"POST /size HTTP/1.1\r\n{head}content-length: 3\r\n\r\n".encode())
        assert link.recv(65536).startswith(b"HTTP/1.1 100")
        link.sendall(b"a b")
        assert b"200" in link.recv(65536)


def test_a_defect_ends_the_connection_and_is_told_of(alarms):
    def broken(_):
        raise RuntimeError("a defect")

    server = MockServer(Answers(broken), key=KEY, now=lambda: NOW, alarm=alarms.append)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server, "GET", "/said")
    server.close()
    assert [str(error) for error in alarms] == ["a defect"]


def test_it_ends_with_connections_open_and_its_port_is_free_again():
    server = MockServer(Answers({"shop": BOOK}.get), key=KEY, now=lambda: NOW, alarm=[].append)
    port = server.start()
    link = socket.create_connection(("127.0.0.1", port), timeout=30)
    thread = server._thread
    server.close()
    assert not thread.is_alive()
    assert link.recv(1) == b""
    link.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


async def test_it_does_not_hold_up_the_loop_of_the_gate(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.start())
    head = "".join(f"{name}: {value}\r\n" for name, value in said(host="x").items())
    writer.write(f"GET /said HTTP/1.1\r\n{head}connection: close\r\n\r\n".encode())
    assert b"coder" in await reader.read()
    writer.close()
