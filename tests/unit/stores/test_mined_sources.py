from outgate.stores.mined_sources import mined_of


def test_what_a_service_was_mined_of_has_a_version_and_a_licence():
    (found,) = mined_of("stripe")
    assert (found.package, found.registry, found.licence) == ("stripe", "pypi", "MIT")
    assert found.version
    assert found.operations > 600


def test_one_that_was_not_mined_has_none():
    assert mined_of("git") == ()
