from ipaddress import IPv4Address, IPv6Address

import pytest

from outgate.fence.crossing import OWN6, RESOLVER
from outgate.intake.destination import AddressClass, address_class
from outgate.net.names import BLOCK4, BLOCK6, FIRST, Names


def test_a_name_has_one_address_of_each_kind_and_an_address_one_name():
    names = Names()
    four, six = names.address4("api.test"), names.address6("api.test")
    assert (four, six) == (IPv4Address("198.18.1.0"), IPv6Address("fd6f:7574:6761:7466::100"))
    assert names.address4("other.test") == IPv4Address("198.18.1.1")
    assert names.address4("api.test") == four
    assert names.called(str(four)) == names.called(str(six)) == "api.test"


@pytest.mark.parametrize("address", ["192.0.2.1", "198.18.0.1", "198.18.9.9", "2001:db8::1", "no address", ""])
def test_what_no_name_was_given_is_called_by_itself(address):
    assert Names().called(address) == address


def test_the_name_that_was_asked_for_longest_ago_makes_room():
    names = Names(2)
    one, two = names.address4("one.test"), names.address4("two.test")
    names.address4("one.test")
    assert names.address4("three.test") == two
    assert (names.called(str(one)), names.called(str(two))) == ("one.test", "three.test")


def test_the_last_of_all_names_still_has_an_address_in_the_block():
    names = Names(BLOCK4.num_addresses - FIRST)
    names._numbers.update((str(n), n) for n in range(BLOCK4.num_addresses - FIRST - 1))
    assert names.address4("last.test") == BLOCK4[-1]


@pytest.mark.parametrize("most", [0, BLOCK4.num_addresses])
def test_there_are_no_more_names_than_addresses(most):
    with pytest.raises(ValueError, match="addresses"):
        Names(most)


def test_made_up_addresses_lead_nowhere_outside_and_are_not_those_that_the_fence_uses_itself():
    assert {address_class(BLOCK4[0]), address_class(BLOCK4[-1])} == {AddressClass.RESERVED}
    assert {address_class(BLOCK6[0]), address_class(BLOCK6[-1])} == {AddressClass.PRIVATE}
    assert RESOLVER in BLOCK4
    assert int(RESOLVER) - int(BLOCK4[0]) < FIRST
    assert OWN6 not in BLOCK6
