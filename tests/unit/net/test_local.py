import errno
import socket
from ipaddress import ip_address

import pytest

from outgate.net import local
from outgate.net.local import Machine, is_local, is_routable


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1"])
def test_loopback_is_local(address):
    assert is_local(ip_address(address))


@pytest.mark.parametrize("address", ["192.0.2.1", "203.0.113.9", "2001:db8::7", "fe80::1"])
def test_addresses_of_nobody_are_not_local(address):
    assert not is_local(ip_address(address))


def test_loopback_is_routable():
    assert is_routable(ip_address("127.0.0.1"))


def test_not_knowing_is_an_error_and_no_answer(monkeypatch):
    def full(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", full)
    with pytest.raises(OSError, match="Too many"):
        is_local(ip_address("192.0.2.1"))
    with pytest.raises(OSError, match="Too many"):
        is_routable(ip_address("192.0.2.1"))


def test_the_kernel_is_asked_once_in_a_while(monkeypatch):
    asked, now = [], [0.0]
    monkeypatch.setattr(local, "is_local", lambda address: asked.append(address) or True)
    machine = Machine(monotonic=lambda: now[0])
    for now[0] in (0.0, 9.0, 11.0):
        assert machine.has(ip_address("192.0.2.1"))
    assert len(asked) == 2


def test_the_two_questions_have_their_own_answers():
    machine = Machine(monotonic=lambda: 0.0)
    loopback = ip_address("127.0.0.1")
    assert (machine.has(loopback), machine.reaches(loopback), machine.has(ip_address("192.0.2.1"))) == (True, True, False)
