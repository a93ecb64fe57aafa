"""What can't be read is an action that nothing allows by itself."""

from outgate.actions.action import Access, Tier
from outgate.actions.unreadable import unreadable


def test_it_is_no_read_and_mapped_by_nothing():
    one = unreadable("aws", "x", "two things say what it is")
    assert (one.name, one.access, one.tier, one.mapped) == ("aws.unreadable", Access.UNKNOWN, Tier.T2, False)
