import asyncio
import socket
import threading
from datetime import timedelta
from ipaddress import ip_address

import pytest

from outgate.errors import UnavailableError
from outgate.net.lookup import Lookup, system_addresses

ONE, TWO = ip_address("192.0.2.1"), ip_address("192.0.2.2")


class Names:
    """A hosts table that counts questions, and a clock that stands until it is moved."""

    def __init__(self, **table):
        self.table = {name.replace("_", "."): answer for name, answer in table.items()}
        self.asked = []
        self.now = 0.0

    def ask(self, name):
        self.asked.append(name)
        answer = self.table.get(name, socket.gaierror(socket.EAI_NONAME, "unknown"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def lookup(names, **more):
    return Lookup(monotonic=lambda: names.now, ask=names.ask, **more)


async def test_all_addresses_are_given():
    assert await lookup(Names(api_test=(ONE, TWO))).addresses("api.test") == (ONE, TWO)


async def test_a_name_is_asked_for_once_in_a_while():
    names = Names(api_test=(ONE,))
    look = lookup(names)
    for names.now in (0.0, 29.0, 31.0):
        await look.addresses("api.test")
    assert names.asked == ["api.test"] * 2


async def test_a_forgotten_name_is_asked_for_again():
    names = Names(api_test=(ONE,))
    look = lookup(names)
    await look.addresses("api.test")
    look.forget("api.test")
    await look.addresses("api.test")
    assert len(names.asked) == 2


async def test_a_name_without_address_is_unavailable_and_remembered_briefly():
    names = Names()
    look = lookup(names)
    for names.now in (0.0, 1.0, 3.0):
        with pytest.raises(UnavailableError, match=r"the name none\.test has no address"):
            await look.addresses("none.test")
    assert len(names.asked) == 2


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_AGAIN, "again"), OSError("no files left"), UnicodeError("label")])
async def test_a_look_up_that_fails_is_unavailable_and_tried_again(error):
    names = Names(api_test=error)
    look = lookup(names)
    for _ in range(2):
        with pytest.raises(UnavailableError, match=r"the name api\.test could not be looked up"):
            await look.addresses("api.test")
    assert len(names.asked) == 2


async def test_many_who_ask_at_once_ask_once():
    names, go = Names(api_test=(ONE,)), threading.Event()
    look = Lookup(monotonic=lambda: 0.0, ask=lambda name: go.wait(30) and names.ask(name))
    asking = [asyncio.create_task(look.addresses("api.test")) for _ in range(20)]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*asking) == [(ONE,)] * 20
    assert len(names.asked) == 1


async def test_one_who_leaves_does_not_spoil_it_for_the_others():
    go = threading.Event()
    look = Lookup(monotonic=lambda: 0.0, ask=lambda name: go.wait(30) and (ONE,))
    leaving, staying = asyncio.create_task(look.addresses("api.test")), asyncio.create_task(look.addresses("api.test"))
    await asyncio.sleep(0)
    leaving.cancel()
    go.set()
    assert await staying == (ONE,)


async def test_a_nameserver_that_never_answers_is_not_waited_for():
    never = threading.Event()
    look = Lookup(monotonic=lambda: 0.0, ask=lambda name: never.wait() and (), patience=timedelta(milliseconds=1))
    with pytest.raises(UnavailableError, match="could not be looked up in time"):
        await look.addresses("slow.test")
    never.set()


async def test_more_names_at_once_than_anyone_honest_asks_are_refused():
    never = threading.Event()
    look = Lookup(monotonic=lambda: 0.0, ask=lambda name: never.wait() and ())
    asking = [asyncio.create_task(look.addresses(f"n{n}.test")) for n in range(256)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="too many names"):
        await look.addresses("one-more.test")
    never.set()
    for done in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(done, UnavailableError)


async def test_what_is_remembered_is_bounded():
    names = Names()
    names.ask = lambda name: (ONE,)
    look = lookup(names)
    for n in range(5000):
        look._keep(f"n{n}.test", (ONE,))
    assert len(look._kept) == 4096


async def test_a_name_with_a_thousand_addresses_is_cut():
    many = tuple(ip_address(n) for n in range(1, 1000))
    assert len(await lookup(Names(api_test=many)).addresses("api.test")) == 32


async def test_a_closed_look_up_leaves_no_idle_thread():
    look = lookup(Names(api_test=(ONE,)))
    await look.addresses("api.test")
    threads = list(look._threads)
    look.close()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_the_system_knows_itself():
    assert all(address.is_loopback for address in system_addresses("localhost"))
