"""outgate.intake.listening"""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from outgate.intake.listening import Listener, Secured, listener_of, peers_of, proxy_url


@pytest.mark.parametrize(
    ("text", "host", "port", "near"),
    [
        ("127.0.0.1:3128", "127.0.0.1", 3128, True),
        ("localhost:0", "127.0.0.1", 0, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("[::1]:65535", "::1", 65535, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::]:80", "::", 80, False),
        ("192.0.2.7:80", "192.0.2.7", 80, False),
    ],
)
def test_an_address_and_a_port_are_where_agents_come_in(text, host, port, near):
    listener = listener_of(text)
    assert (listener.host, listener.port, listener.agent, listener.is_near) == (host, port, "", near)
    assert str(listener) == text.replace("localhost", "127.0.0.1")


@pytest.mark.parametrize(
    "text",
    [
        *("", "3128", ":3128", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536", "127.1:80", "::1:80", "[::1]"),
        *(
            "[::1]80",
            "proxy.example:80",
            "127.0.0.1:80 ",
            "127.0.0.1:\u0663",
            "[127.0.0.1%lo]:80",
            "0x7f.0.0.1:80",
            "999.0.0.1:1",
        ),
    ],
)
def test_what_is_not_both_says_what_to_write(text):
    with pytest.raises(ValueError, match=r"like 127\.0\.0\.1:3128"):
        listener_of(text)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "transparent"])
def test_what_is_spoken_there_stands_before_the_address(scheme):
    listener = listener_of(f"{scheme}://[::1]:1080", "mailer")
    assert listener == Listener(host="::1", port=1080, agent="mailer", scheme=scheme)
    assert listener_of(str(listener), "mailer") == listener
    assert listener.place == "[::1]:1080"


@pytest.mark.parametrize("text", ["socks4://127.0.0.1:1", "socks5h://127.0.0.1:1", "ftp://127.0.0.1:1"])
def test_what_nobody_speaks_there_says_what_there_is(text):
    with pytest.raises(ValueError, match="socks5://"):
        listener_of(text)


def test_a_listener_may_be_one_agents_own():
    assert listener_of("127.0.0.1:1", "mailer") == Listener(port=1, agent="mailer")


def test_a_listener_on_all_addresses_is_reached_by_its_machines_name():
    assert listener_of("0.0.0.0:3128").reached("gate") == listener_of("[::]:3128").reached("gate") == "gate:3128"
    assert listener_of("[::1]:3128").reached("gate") == "[::1]:3128"


@pytest.mark.parametrize(("name", "shown"), [("gate.example", "gate.example"), ("::1", "[::1]")])
def test_one_that_speaks_tls_is_reached_by_a_name_that_it_vouches_for(name, shown):
    listener = Listener(host="0.0.0.0", port=1, scheme="https", secured=Secured(names=(name, "10.0.0.1")))
    assert listener.reached("here") == f"https://{shown}:1"


@pytest.mark.parametrize(
    ("reached", "url"),
    [
        ("h:1", "http://n:t@h:1"),
        ("https://h:1", "https://n:t@h:1"),
        ("socks5://h:1", "socks5h://n:t@h:1"),
        ("[::1]:1", "http://n:t@[::1]:1"),
    ],
)
def test_what_agents_are_pointed_at_says_how_to_speak(reached, url):
    assert proxy_url(reached, "n:t") == url
    assert proxy_url(reached) == url.replace("n:t@", "")


def test_where_one_agent_comes_in_or_nobody_is_asked_there_is_nothing_to_show():
    taking = [
        listener_of(text).takes_credentials for text in ("127.0.0.1:1", "socks5://127.0.0.1:1", "transparent://127.0.0.1:1")
    ]
    assert taking == [True, True, False]
    assert not listener_of("127.0.0.1:1", "mailer").takes_credentials


def test_peers_are_an_address_or_a_block():
    assert peers_of("10.0.0.7") == ip_network("10.0.0.7/32")
    assert peers_of("fd00::/8") == ip_network("fd00::/8")


@pytest.mark.parametrize("text", ["10.0.0.7/24", "example.com", "", "10.0.0.0/33"])
def test_what_is_no_block_says_what_to_write(text):
    with pytest.raises(ValueError, match=r"like 10\.0\.0\.7"):
        peers_of(text)
