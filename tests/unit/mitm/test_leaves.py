"""A leaf is for exactly one name, and verifies for clients that are strict."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from outgate.ca.authority import make_authority
from outgate.mitm import leaves
from outgate.mitm.leaves import Leaves, leaf_name

AUTHORITY = make_authority(datetime.now(UTC))
FOREVER = AUTHORITY.certificate


def names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


@pytest.mark.parametrize("name", ["api.test", "a" * 63 + "." + "b" * 63 + ".test", "my_bucket.test"])
def test_a_leaf_names_one_host(name):
    assert names(Leaves(AUTHORITY).get(name)) == [x509.DNSName(name)]


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_a_leaf_of_an_address_names_the_address(address):
    assert names(Leaves(AUTHORITY).get(address)) == [x509.IPAddress(ipaddress.ip_address(address))]


def test_a_leaf_verifies_by_rfc_5280():
    leaf = Leaves(AUTHORITY).get("api.test")
    verifier = PolicyBuilder().store(Store([AUTHORITY.certificate])).build_server_verifier(x509.DNSName("api.test"))
    assert verifier.verify(leaf, []) == [leaf, AUTHORITY.certificate]


def test_the_authoritys_key_is_in_no_leaf():
    made = Leaves(AUTHORITY)
    assert made.get("api.test").public_key() == made.key.public_key() != AUTHORITY.key.public_key()


def test_a_leaf_is_made_once_and_again_when_it_grows_old(monkeypatch):
    made = Leaves(AUTHORITY)
    first = made.get("api.test")
    assert made.get("api.test") is first
    monkeypatch.setattr(leaves, "_LIFE", timedelta(days=80))  # half of it is more than what that one has left
    assert made.get("api.test") is not first
    assert len(made._minted) == 1


def test_the_least_recently_asked_for_goes_first():
    made = Leaves(AUTHORITY, cap=2)
    for name in ("a.test", "b.test", "a.test", "c.test"):
        made.get(name)
    assert list(made._minted) == ["a.test", "c.test"]


@pytest.mark.parametrize(
    ("sni", "host", "name"),
    [
        ("API.test.", "other.test", "api.test"),
        (None, "api.test", "api.test"),
        ("*.test", "api.test", "api.test"),
        ("a b", "api.test", "api.test"),
        ("x" * 300, "api.test", "api.test"),
        ("", "[2001:db8::1]", "2001:db8::1"),
        ("192.0.2.1", "api.test", "192.0.2.1"),
        (None, "%%%", None),
    ],
)
def test_the_name_is_the_clients_if_it_is_one_else_the_tunnels(sni, host, name):
    assert leaf_name(sni, host) == name


def test_ten_thousand_names_keep_no_more_leaves_than_the_cap_and_those_in_use_stay(monkeypatch):
    minted = []
    monkeypatch.setattr(Leaves, "_mint", lambda _self, name, _now: minted.append(name) or FOREVER)
    made = Leaves(AUTHORITY, cap=50)
    for number in range(10_000):
        made.get(f"{number}.test")
        made.get("used.test")
    assert len(made._minted) == 50
    assert minted.count("used.test") == 1
