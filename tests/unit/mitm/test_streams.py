"""What passes is counted; what is kept has a bound."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from outgate.intake.agents import Agent
from outgate.mitm.link import Link
from outgate.mitm.streams import Budget, Download, Gathering, Upload


def link() -> Link:
    return Link(door=Agent(id="a"))


@given(st.lists(st.binary(max_size=20)))
def test_an_upload_passes_unchanged_without_empty_chunks_and_is_hashed(pieces):
    upload = Upload()
    passed = [chunk for piece in pieces for chunk in upload(piece)]
    whole = b"".join(pieces)
    assert b"".join(passed) == whole
    assert b"" not in passed
    assert upload.count == len(whole)
    assert upload.digest == (f"sha256:{hashlib.sha256(whole).hexdigest()}" if whole else "")


@given(st.lists(st.binary(max_size=20)))
def test_a_download_passes_unchanged_without_empty_chunks(pieces):
    download = Download()
    passed = [chunk for piece in pieces for chunk in download(piece)]
    assert b"".join(passed) == b"".join(pieces)
    assert b"" not in passed
    assert download.count == sum(map(len, pieces))


def test_what_a_client_that_is_gone_was_charged_is_not_taken_back_twice():
    budget, client = Budget(100), link()
    gathering = Gathering(budget, client, 100)
    gathering.add(b"12345")
    budget.give(client, client.gathered)
    gathering.over()
    assert (budget.left, client.gathered) == (100, 0)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=10), st.integers(0, 200), st.integers(0, 200))
def test_a_body_is_gathered_up_to_its_bound_and_gives_its_budget_back(pieces, limit, left):
    budget, client = Budget(left), link()
    gathering, kept, fits = Gathering(budget, client, limit), b"", True
    for piece in pieces:
        kept += piece
        fits = gathering.add(piece)
        assert fits == (len(kept) <= min(limit, left))
        if not fits:
            break
    assert gathering.content() == kept
    assert budget.left + client.gathered == left
    gathering.over()
    assert (budget.left, client.gathered) == (left, 0)
