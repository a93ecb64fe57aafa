import asyncio
import contextlib
import socket
import stat
from pathlib import Path

import pytest

from outgate.errors import ConfigError, UnavailableError
from outgate.telemetry.exposition import Endpoint, exposed, place_of
from outgate.telemetry.metrics import Metrics


@pytest.fixture
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "new" / "m.sock"


def ready():
    return True


async def asked(path, head=b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(head)
    answer = await reader.read()
    writer.close()
    return answer


def get(target):
    return f"GET {target} HTTP/1.1\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/run/outgate.sock", Path("/run/outgate.sock")),
        ("127.0.0.1:9464", Endpoint(host="127.0.0.1", port=9464)),
        (":9464", Endpoint(host="127.0.0.1", port=9464)),
        ("[::1]:9464", Endpoint(host="::1", port=9464)),
        ("localhost:9464", Endpoint(host="localhost", port=9464)),
    ],
)
def test_a_place_is_a_path_or_an_address(text, place):
    assert place_of(text) == place


@pytest.mark.parametrize("text", ["", "9464", "localhost", "127.0.0.1:0", "127.0.0.1:99999", "*:9464"])
def test_what_is_no_place_is_refused_with_a_sentence(text):
    with pytest.raises(ConfigError, match="is no place for metrics"):
        place_of(text)


async def test_metrics_are_served_on_a_socket_that_only_its_owner_opens(path):
    metrics = Metrics()
    metrics.alarmed("x")
    async with exposed(path, metrics, ready) as addresses:
        assert addresses == []
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        answer = await asked(path)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain; version=0.0.4" in answer
    assert b'outgate_alarms_total{doing="x"} 1.0' in answer


async def test_the_socket_is_gone_when_the_gate_is(path):
    async with exposed(path, Metrics(), ready):
        pass
    assert not path.exists()


@pytest.mark.parametrize(
    ("target", "is_ready", "status"),
    [
        ("/healthz", False, b"200 OK"),
        ("/readyz", True, b"200 OK"),
        ("/readyz", False, b"503 Service Unavailable"),
        ("/metrics?x=y", True, b"200 OK"),
        ("/", True, b"404 Not Found"),
        ("/metrics/..", True, b"404 Not Found"),
    ],
)
async def test_health_and_readiness_are_told_apart(path, target, is_ready, status):
    async with exposed(path, Metrics(), lambda: is_ready):
        answer = await asked(path, get(target))
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")


@pytest.mark.parametrize(
    "head", [b"POST /metrics HTTP/1.1\r\n\r\n", b"GET /metrics\r\n\r\n", b"\r\n\r\n", b"GET  /metrics HTTP/1.1\r\n\r\n"]
)
async def test_other_requests_are_not_allowed(path, head):
    async with exposed(path, Metrics(), ready):
        answer = await asked(path, head)
    assert answer.startswith(b"HTTP/1.1 405 ")


async def test_a_head_without_end_gets_nothing_and_hurts_nobody(path):
    async with exposed(path, Metrics(), ready):
        with contextlib.suppress(ConnectionError):
            assert await asked(path, b"GET /" + b"x" * 20_000) == b""
        assert (await asked(path)).startswith(b"HTTP/1.1 200 ")


async def test_metrics_are_served_on_a_port_where_asked():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with exposed(Endpoint(host="127.0.0.1", port=port), Metrics(), ready) as addresses:
        assert addresses == [("127.0.0.1", port)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/metrics"))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_a_port_in_use_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = Endpoint(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(
            UnavailableError, match=r"can't serve metrics on 127\.0\.0\.1:\d+: the port is in use, choose another"
        ):
            async with exposed(place, Metrics(), ready):
                pass


async def test_a_name_that_is_not_here_is_one_sentence():
    with pytest.raises(UnavailableError, match=r"can't serve metrics on 192\.0\.2\.1:9464: "):
        async with exposed(Endpoint(host="192.0.2.1", port=9464), Metrics(), ready):
            pass


async def test_a_socket_in_use_is_one_sentence_and_goes_on_serving(path):
    async with exposed(path, Metrics(), ready):
        with pytest.raises(UnavailableError, match="it is in use, choose another"):
            async with exposed(path, Metrics(), ready):
                pass
        assert (await asked(path)).startswith(b"HTTP/1.1 200 ")


async def test_a_socket_that_a_dead_process_left_is_taken_over(path):
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with exposed(path, Metrics(), ready):
        assert (await asked(path)).startswith(b"HTTP/1.1 200 ")


async def test_something_else_of_that_name_is_left_alone(path):
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(UnavailableError, match="something else of that name"):
        async with exposed(path, Metrics(), ready):
            pass
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["x" * 120, "file/m.sock"])
async def test_a_path_that_can_not_be_a_socket_is_one_sentence(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match=r"can't serve metrics on "):
        async with exposed(tmp_path / name, Metrics(), ready):
            pass
