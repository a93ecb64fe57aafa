import time

import pytest

from outgate.actions.action import Access, Tier
from outgate.actions.search import near, search
from outgate.stores.catalog_files import load_catalog


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


def names(hits):
    return [one.name for one in hits.operations]


def test_the_best_comes_first(catalog):
    found = names(search("refund", catalog))
    assert found.index("stripe.PostRefunds") < 8
    assert "aws.s3.DeleteBucket" in names(search("delete bucket", catalog))[:8]


def test_words_are_found_however_they_are_written(catalog):
    for text in ("terminate instances", "TerminateInstances", "aws.ec2.TerminateInstances", "instance terminate ec2"):
        assert "aws.ec2.TerminateInstances" in names(search(text, catalog))


def test_every_word_must_be_there(catalog):
    assert search("refund frobnicate", catalog).total == 0


def test_what_is_found_can_be_narrowed(catalog):
    found = search("delete", catalog, services=["stripe"], access=Access.DELETE, tier=Tier.T3, most=1)
    assert len(found.operations) == 1
    assert found.total > 1
    assert {(one.service, one.access, one.tier) for one in found.operations} == {("stripe", Access.DELETE, Tier.T3)}


def test_without_words_all_are_found_once(catalog):
    found = search("", catalog, services=["github"], most=100_000)
    assert len(set(names(found))) == len(found.operations) == found.total > 1000


def test_what_a_request_is_that_no_operation_is_is_not_offered(catalog):
    assert not {"stripe.GET", "stripe.unreadable"} & {*names(search("", catalog, services=["stripe"], most=10_000))}


def test_the_whole_catalog_is_searched_in_little_time(catalog):
    search("warm", catalog)
    began = time.process_time()
    assert search("delete", catalog, tier=Tier.T3).total > 100
    assert time.process_time() - began < 7.5


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("stripe.PostRefund", "stripe.PostRefunds"),
        ("stripe.postrefunds", "stripe.PostRefunds"),
        ("strip.PostRefunds", "stripe.PostRefunds"),
        ("githb", "github"),
        ("nosuch.TerminateInstances", "aws.ec2.TerminateInstances"),
    ],
)
def test_names_near_to_one_that_nobody_has_are_told(catalog, name, meant):
    assert meant in near(name, catalog)


def test_a_word_that_is_misspelt_is_told_too(catalog):
    assert any("efund" in name for name in near("refnd", catalog))
    assert near("qqqqqqqqqqqq", catalog) == ()
