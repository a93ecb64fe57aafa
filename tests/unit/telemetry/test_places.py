import os
import socket
import stat
from pathlib import Path

import pytest

from outgate.errors import ConfigError, UnavailableError
from outgate.telemetry.places import Endpoint, bound, connected, is_served, place_of, unix_socket


@pytest.fixture
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "new" / "m.sock"


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


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("gate.test", False),
    ],
)
def test_what_only_this_machine_reaches_is_near(host, near):
    assert Endpoint(host=host, port=9464).is_near is near


def test_a_socket_is_its_owners_alone_from_the_first_moment_on(path):
    with unix_socket(path, "x"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_who_is_there_can_be_asked(path):
    with unix_socket(path, "x"):
        assert is_served(path)
    assert not is_served(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        is_served(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="goes through /proc")
def test_a_long_path_is_no_hindrance(tmp_path):
    path = tmp_path / ("a" * 120) / "m.sock"
    with unix_socket(path, "x"):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert is_served(path)
        connected(path).close()


async def test_a_port_in_use_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = Endpoint(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(
            UnavailableError, match=r"can't serve metrics on 127\.0\.0\.1:\d+: the port is in use, choose another"
        ):
            await bound(place, "metrics")


async def test_an_address_that_is_not_here_is_one_sentence():
    with pytest.raises(UnavailableError, match=r"can't serve metrics on 192\.0\.2\.1:9464: "):
        await bound(Endpoint(host="192.0.2.1", port=9464), "metrics")


def test_a_socket_in_use_is_one_sentence_and_goes_on_being_served(path):
    with unix_socket(path, "metrics"):
        with pytest.raises(UnavailableError, match="it is in use, choose another"):
            unix_socket(path, "metrics")
        assert is_served(path)


def test_a_socket_that_a_dead_process_left_is_taken_over(path):
    unix_socket(path, "x").close()
    with unix_socket(path, "x"):
        assert is_served(path)


def test_something_else_of_that_name_is_left_alone(path):
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(UnavailableError, match="something else of that name"):
        unix_socket(path, "metrics")
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["x" * 300, "file/m.sock"])
def test_a_path_that_can_not_be_a_socket_is_one_sentence(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match=r"can't serve metrics on "):
        unix_socket(tmp_path / name, "metrics")


def test_nobody_else_gets_a_wider_mask_from_it(path):
    before = os.umask(0o022)
    try:
        unix_socket(path, "x").close()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
