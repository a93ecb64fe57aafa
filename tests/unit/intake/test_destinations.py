from ipaddress import ip_address, ip_network

import pytest

from outgate.intake.destinations import (
    ANY,
    Destination,
    Destinations,
    Direct,
    Fixed,
    Network,
    Via,
    behind,
    block_of,
    fixed_of,
    pattern_of,
    via_of,
)

HERE = Fixed(address=ip_address("127.0.0.1"))
PROXY = Via(host="proxy.acme.example", port=3128)
OFFICE = Network(name="office", blocks=(ip_network("10.0.0.0/8"), ip_network("fd00:12::/32")))


def table(**said):
    named = {pattern.replace("ANY", ANY).replace("BELOW_", "*.").replace("_", "."): keys for pattern, keys in said.items()}
    return Destinations(by_pattern={pattern: Destination(pattern=pattern, **keys) for pattern, keys in named.items()})


def test_a_host_of_which_nothing_is_said_has_nothing():
    assert Destinations().of("api.test") == Destination(pattern="api.test")


@pytest.mark.parametrize("host", ["evil.test", "xapi.test", "api.test.evil.test", "test"])
def test_a_pattern_ends_at_a_label_boundary(host):
    assert table(api_test={"route": HERE}, BELOW_api_test={"route": HERE}).of(host).route is None


def test_a_pattern_of_names_below_does_not_hold_for_the_name_itself():
    below = table(BELOW_api_test={"route": HERE})
    assert [below.of(host).route for host in ("api.test", "a.api.test", "b.a.api.test")] == [None, HERE, HERE]


def test_the_most_exact_pattern_that_has_a_key_says_it():
    said = table(
        ANY={"route": PROXY, "ca": "any.pem"},
        BELOW_acme_test={"network": OFFICE, "ca": "acme.pem"},
        git_acme_test={"client_cert": "git.pem", "route": Direct()},
    ).of("git.acme.test")
    assert (said.route, said.ca, said.client_cert, said.network) == (Direct(), "acme.pem", "git.pem", OFFICE)


def test_labels_of_an_ipv6_address_are_no_labels():
    assert table(BELOW_1={"route": HERE}).of("2001:db8::1.1").route is None


def test_a_named_network_is_found_by_address():
    assert [Destinations(networks=(OFFICE,)).named(ip_address(a)) for a in ("10.1.2.3", "fd00:12::1", "11.0.0.1")] == [
        OFFICE,
        OFFICE,
        None,
    ]


def test_only_a_host_behind_the_proxy_has_its_credentials():
    proxy = Via(host="proxy.test", port=3128, credentials="me:secret")
    ways = table(ANY={"route": proxy}, api_test={"route": Direct()})
    assert [ways.credentials(host) for host in ("x.test", "api.test")] == ["me:secret", ""]


@pytest.mark.parametrize(
    ("written", "pattern"),
    [("*", "*"), ("API.Test.", "api.test"), ("*.API.test", "*.api.test"), ("::1", "::1"), ("10.1.2.3", "10.1.2.3")],
)
def test_patterns_have_one_spelling(written, pattern):
    assert pattern_of(written) == pattern


@pytest.mark.parametrize("written", ["", "*.", "**", "a.*", "*.10.1.2.3", "api.test:443", "http://api.test", "127.1", "ä.test"])
def test_what_is_no_pattern_is_refused(written):
    with pytest.raises(ValueError, match=r"^The |^An? "):
        pattern_of(written)


@pytest.mark.parametrize(
    ("written", "address", "port"),
    [("127.0.0.1", "127.0.0.1", None), ("127.0.0.1:9443", "127.0.0.1", 9443), ("::1", "::1", None), ("[::1]:80", "::1", 80)],
)
def test_a_fixed_address_may_have_a_port(written, address, port):
    assert fixed_of(written) == Fixed(address=ip_address(address), port=port)


@pytest.mark.parametrize("written", ["localhost", "localhost:80", "127.1:80", "127.0.0.1:0", "127.0.0.1:99999", "[::1", ""])
def test_a_fixed_address_is_an_address(written):
    with pytest.raises(ValueError, match=r"\.$"):
        fixed_of(written)


@pytest.mark.parametrize(
    ("written", "via", "credentials"),
    [
        ("http://proxy.test:3128", "http://proxy.test:3128", ""),
        ("proxy.test:3128/", "http://proxy.test:3128", ""),
        ("https://proxy.test", "https://proxy.test:443", ""),
        ("HTTP://[::1]:8080", "http://[::1]:8080", ""),
        ("http://me:p%40ss@proxy.test", "http://proxy.test:80", "me:p@ss"),
    ],
)
def test_a_proxy_is_read_as_clients_read_it(written, via, credentials):
    assert (str(via_of(written)), via_of(written).credentials) == (via, credentials)


def test_a_proxys_password_is_in_none_of_its_texts():
    via = via_of("http://me:canary@proxy.test:3128")
    assert "canary" not in f"{via} {via!r}"


@pytest.mark.parametrize("written", ["socks5://proxy.test:1080", "http://", "http://proxy.test/path", "http://proxy.test:0", ""])
def test_a_proxy_that_can_not_be_used_is_refused(written):
    with pytest.raises(ValueError, match=r"\.$"):
        via_of(written)


@pytest.mark.parametrize("written", ["10.0.0.0/8", "100.64.0.0/10", "fd00::/8", "192.168.7.9", "169.254.0.0/16"])
def test_private_blocks_can_be_opened(written):
    assert block_of(written) == ip_network(written)


@pytest.mark.parametrize(
    "written", ["127.0.0.0/8", "0.0.0.0/0", "224.0.0.0/4", "169.254.169.254", "::/0", "10.0.0.1/8", "office"]
)
def test_blocks_that_nobody_may_open_are_refused(written):
    with pytest.raises(ValueError, match=r"\.$"):
        block_of(written)


def test_everything_without_a_way_of_its_own_takes_the_inherited_proxy():
    ways = behind(PROXY, ["acme.test", ".corp.test", "10.1.2.3", "localhost:8080"], table(api_test={"route": HERE}))
    hosts = ("api.test", "x.test", "acme.test", "a.acme.test", "corp.test", "a.corp.test", "10.1.2.3", "localhost")
    assert [ways.of(host).route for host in hosts] == [HERE, PROXY, *[Direct()] * 6]


def test_what_the_table_says_of_a_bypassed_host_stays():
    ways = behind(PROXY, ["acme.test"], table(acme_test={"ca": "acme.pem"}))
    assert (ways.of("acme.test").route, ways.of("acme.test").ca) == (Direct(), "acme.pem")


def test_a_table_that_speaks_of_every_host_wins_over_the_environment():
    own = table(ANY={"route": Direct()})
    assert behind(PROXY, [], own) == own


def test_a_bypass_of_everything_leaves_the_proxy_out():
    assert behind(PROXY, ["*"], Destinations()).of("api.test").route == Direct()


def test_odd_bypass_entries_say_nothing():
    assert behind(PROXY, ["10.0.0.0/8", "a b", "", "192.168.*"], Destinations()).of("api.test").route == PROXY


def test_how_much_passes_unread_is_said_by_the_most_exact_pattern_that_says_so():
    said = {
        "*.pinned.test": Destination(pattern="*.pinned.test", opaque=True),
        "a.pinned.test": Destination(pattern="a.pinned.test", opaque=True, max_bytes=100),
        "b.pinned.test": Destination(pattern="b.pinned.test", opaque=False),
    }
    found = Destinations(by_pattern=said)
    hosts = ("x.pinned.test", "a.pinned.test", "b.pinned.test", "pinned.test")
    assert [found.unread(host) for host in hosts] == [1 << 30, 100, None, None]
