"""Labels become the distances that the kernel jumps by."""

import struct

import pytest

from outgate.fence.bpf import EQUAL, RETURN, Line, assemble


def test_a_label_is_the_number_of_lines_between():
    made = assemble(Line(EQUAL, 1, yes="end"), Line(EQUAL, 2, no="end"), Line(RETURN, 5), "end", Line(RETURN, 6))
    assert [struct.unpack_from("=HBBI", made, at) for at in range(0, len(made), 8)] == [
        (EQUAL, 2, 0, 1),
        (EQUAL, 0, 1, 2),
        (RETURN, 0, 0, 5),
        (RETURN, 0, 0, 6),
    ]


def test_a_jump_to_nowhere_is_an_error():
    with pytest.raises(KeyError):
        assemble(Line(EQUAL, 1, yes="nowhere"))


def test_a_jump_back_is_an_error():
    with pytest.raises(struct.error):
        assemble("before", Line(EQUAL, 1), Line(EQUAL, 1, yes="before"))
