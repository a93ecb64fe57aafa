import socket
from ipaddress import ip_address, ip_network

import pytest

from outgate.intake.destinations import Destination, Destinations, Direct, Fixed, Network, Via, behind
from outgate.net.lookup import Lookup
from outgate.net.resolver import SystemResolver
from outgate.policy.decision import Reason
from outgate.ports import NoWay, Pin

PUBLIC, OTHER, V6 = "93.184.216.34", "93.184.216.35", "2606:2800:220:1::1"
OFFICE = Network(name="office", blocks=(ip_network("10.0.0.0/8"),))
PROXY = Via(host="proxy.test", port=3128, credentials="me:canary")


class World:
    """Names as a nameserver would answer them, and a count of the questions."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked = []
        self.now = 0.0

    def ask(self, name):
        self.asked.append(name)
        if name not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return tuple(map(ip_address, self.names[name].split()))

    def resolver(self, *destinations, own=(), fenced=True, served=False, networks=(OFFICE,)):
        table = Destinations(by_pattern={d.pattern: d for d in destinations}, networks=networks)
        return SystemResolver(
            destinations=table,
            lookup=Lookup(monotonic=lambda: self.now, ask=self.ask),
            own=own,
            fenced=fenced,
            served=served,
            monotonic=lambda: self.now,
        )


def said(pattern, **keys):
    return Destination(pattern=pattern, **keys)


async def test_a_public_name_is_pinned_to_its_address():
    way = await World(api_test=PUBLIC).resolver().pin("api.test", 443)
    assert way == Pin(name="api.test", port=443, address=PUBLIC, address_port=443)


async def test_an_address_is_never_looked_up():
    world = World()
    assert (await world.resolver().pin(PUBLIC, 443)).address == PUBLIC
    assert (await world.resolver().pin(V6, 443)).address == V6
    assert world.asked == []


async def test_a_name_without_address_is_a_failure_upstream():
    way = await World().resolver().pin("none.test", 443)
    assert (type(way), way.reason, way.tell, way.always) == (NoWay, Reason.UPSTREAM, "The name none.test has no address.", True)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "::ffff:169.254.169.254"),
        *("0.0.0.0", "::", "224.0.0.1", "ff02::1", "64:ff9b::a9fe:a9fe"),
    ],
)
@pytest.mark.parametrize("fenced", [True, False])
async def test_what_nobody_is_sent_to_is_refused_in_observe_mode_too(address, fenced):
    for host in (address, "rebind.test"):
        way = await World(rebind_test=address).resolver(fenced=fenced).pin(host, 80)
        assert (way.reason, way.always, way.pin) == (Reason.DESTINATION, True, None)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
async def test_behind_the_fence_the_hosts_loopback_is_not_a_way_out(address):
    for host in (address, "rebind.test"):
        way = await World(rebind_test=address).resolver().pin(host, 5432)
        assert (way.reason, way.always, "--direct" in way.tell) == (Reason.DESTINATION, True, True)


async def test_without_a_fence_loopback_is_reached():
    assert (await World().resolver(fenced=False).pin("127.0.0.1", 5432)).address == "127.0.0.1"


async def test_the_hosts_own_other_addresses_are_as_good_as_loopback():
    resolver = World(api_test=PUBLIC).resolver()
    resolver._machine._asked = lambda question, address: True
    assert (await resolver.pin("api.test", 443)).always


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.1.1", "100.64.0.1", "169.254.7.7", "fd00::1", "198.18.0.1", "203.0.113.1"]
)
async def test_what_is_not_public_is_refused_and_says_where_it_would_have_gone(address):
    for host in (address, "inner.test"):
        way = await World(inner_test=address).resolver(networks=()).pin(host, 443)
        assert (way.reason, way.always, way.pin.address) == (Reason.DESTINATION, False, address)


async def test_a_literal_in_a_named_network_is_allowed():
    assert (await World().resolver().pin("10.1.2.3", 443)).address == "10.1.2.3"


async def test_a_name_may_lead_into_the_network_that_it_is_given():
    resolver = World(git_corp_test="10.1.2.3").resolver(said("*.corp.test", network=OFFICE))
    assert (await resolver.pin("git.corp.test", 443)).address == "10.1.2.3"


async def test_no_other_name_may_lead_there():
    way = await World(evil_test="10.1.2.3").resolver(said("*.corp.test", network=OFFICE)).pin("evil.test", 443)
    assert isinstance(way, NoWay)


async def test_a_named_network_opens_no_other_network():
    way = await World(git_corp_test="192.168.1.1").resolver(said("*.corp.test", network=OFFICE)).pin("git.corp.test", 443)
    assert isinstance(way, NoWay)


@pytest.mark.parametrize(("second", "always"), [("169.254.169.254", True), ("127.0.0.1", True), ("10.1.2.3", False)])
async def test_one_address_that_is_barred_bars_the_name(second, always):
    for addresses in (f"{PUBLIC} {second}", f"{second} {PUBLIC}"):
        way = await World(mixed_test=addresses).resolver(networks=()).pin("mixed.test", 443)
        assert (type(way), way.always) == (NoWay, always)


async def test_the_strictest_of_several_bars():
    way = await World(mixed_test="10.1.2.3 169.254.169.254").resolver(networks=()).pin("mixed.test", 443)
    assert way.always


OWN = {("127.0.0.1", 9000)}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::ffff:127.0.0.1", "::", "self.test"])
@pytest.mark.parametrize("fenced", [True, False])
async def test_the_gate_itself_is_never_a_destination(host, fenced):
    way = await World(self_test="127.0.0.1").resolver(own=OWN, fenced=fenced).pin(host, 9000)
    assert (way.always, way.tell) == (True, "This address is the egress gate itself.")


async def test_not_even_the_operator_sends_requests_to_the_gate_itself():
    for own in (OWN, {("0.0.0.0", 9000)}):
        resolver = World().resolver(said("api.test", route=Fixed(address=ip_address("127.0.0.1"), port=9000)), own=own)
        assert (await resolver.pin("api.test", 443)).tell == "This address is the egress gate itself."


async def test_listeners_that_open_later_are_guarded_too():
    own = set()
    resolver = World().resolver(own=own, fenced=False)
    assert isinstance(await resolver.pin("127.0.0.1", 9000), Pin)
    own.add(("127.0.0.1", 9000))
    assert isinstance(await resolver.pin("127.0.0.1", 9000), NoWay)


async def test_the_operators_word_for_an_address_holds():
    world = World()
    way = await world.resolver(said("api.test", route=Fixed(address=ip_address("127.0.0.1"), port=9443))).pin("api.test", 443)
    assert way == Pin(name="api.test", port=443, address="127.0.0.1", address_port=9443)
    assert world.asked == []


async def test_the_operators_word_does_not_open_metadata():
    way = await World().resolver(said("api.test", route=Fixed(address=ip_address("169.254.169.254")))).pin("api.test", 80)
    assert way.always


async def test_a_proxy_is_pinned_and_the_name_is_left_to_it():
    world = World(proxy_test="10.9.9.9")
    way = await world.resolver(said("*", route=PROXY)).pin("api.test", 443)
    assert way == Pin(name="api.test", port=443, address="10.9.9.9", address_port=3128, via="http://proxy.test:3128")
    assert world.asked == ["proxy.test"]
    assert "canary" not in repr(way)


async def test_a_proxy_on_this_machine_may_be_used():
    local = Via(host="127.0.0.1", port=3128)
    assert (await World().resolver(said("*", route=local)).pin("api.test", 443)).address == "127.0.0.1"


async def test_the_gate_is_not_its_own_proxy():
    local = Via(host="127.0.0.1", port=9000)
    assert (await World().resolver(said("*", route=local), own=OWN).pin("api.test", 443)).always


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "0.0.0.0", "127.0.0.1", "::1"])
async def test_a_proxy_is_not_a_way_to_what_is_barred(host):
    assert (await World(proxy_test=PUBLIC).resolver(said("*", route=PROXY)).pin(host, 80)).always


async def test_private_addresses_and_loopback_never_take_the_proxy():
    resolver = World(proxy_test=PUBLIC, localhost="127.0.0.1").resolver(said("*", route=PROXY), fenced=False)
    assert [(await resolver.pin(host, 80)).via for host in ("10.1.2.3", "127.0.0.1", "localhost")] == [None] * 3


async def test_a_name_that_is_said_to_be_direct_takes_no_proxy():
    resolver = World(api_test=PUBLIC).resolver(said("*", route=PROXY), said("api.test", route=Direct()))
    assert (await resolver.pin("api.test", 443)).via is None


async def test_a_proxy_that_has_no_address_is_a_failure_upstream_and_never_gone_around():
    way = await World(api_test=PUBLIC).resolver(said("*", route=PROXY)).pin("api.test", 443)
    assert way.reason is Reason.UPSTREAM


async def test_an_inherited_proxy_works_with_the_resolver():
    world = World(proxy_test=PUBLIC, git_corp_test="10.1.2.3")
    table = behind(PROXY, ["corp.test"], Destinations(by_pattern={"*.corp.test": said("*.corp.test", network=OFFICE)}))
    resolver = world.resolver(*table.by_pattern.values())
    assert [(await resolver.pin(host, 443)).address for host in ("api.test", "git.corp.test")] == [PUBLIC, "10.1.2.3"]


async def test_of_several_addresses_the_same_is_taken_again():
    resolver = World(api_test=f"{PUBLIC} {OTHER}").resolver()
    assert {(await resolver.pin("api.test", 443)).address for _ in range(5)} == {PUBLIC}


async def test_an_address_where_nothing_answered_gives_way_to_another_for_a_while():
    world = World(api_test=f"{PUBLIC} {OTHER}")
    resolver = world.resolver()
    resolver.failed(await resolver.pin("api.test", 443))
    assert (await resolver.pin("api.test", 443)).address == OTHER
    world.now = 31.0
    assert (await resolver.pin("api.test", 443)).address == PUBLIC


async def test_the_only_address_is_tried_again_after_it_failed():
    resolver = World(api_test=PUBLIC).resolver()
    resolver.failed(await resolver.pin("api.test", 443))
    assert (await resolver.pin("api.test", 443)).address == PUBLIC


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "here.test"])
async def test_who_asks_from_elsewhere_reaches_nothing_of_the_gates_machine(host):
    world = World(localhost="127.0.0.1 ::1", here_test="127.0.0.1")
    way = await world.resolver(fenced=False, served=True).pin(host, 8080)
    assert isinstance(way, NoWay)
    assert (way.reason, way.always, way.pin) == (Reason.DESTINATION, True, None)
    assert "'address' under 'destinations'" in way.why


async def test_what_the_operator_names_of_the_gates_machine_is_reached():
    named = said("here.test", route=Fixed(address=ip_address("127.0.0.1"), port=8080))
    way = await World().resolver(named, fenced=False, served=True).pin("here.test", 80)
    assert (way.address, way.address_port) == ("127.0.0.1", 8080)


async def test_who_asks_from_this_machine_reaches_its_loopback():
    assert isinstance(await World().resolver(fenced=False).pin("127.0.0.1", 8080), Pin)


async def test_another_table_holds_from_the_next_look_up_on():
    resolver = World(api_test=PUBLIC).resolver()
    assert (await resolver.pin("api.test", 443)).address == PUBLIC
    moved = said("api.test", route=Fixed(address=ip_address(OTHER)))
    resolver.adopt(Destinations(by_pattern={"api.test": moved}, networks=()))
    assert (await resolver.pin("api.test", 443)).address == OTHER
