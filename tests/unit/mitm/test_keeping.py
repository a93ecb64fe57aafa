"""What is kept has a bound: in memory while it is small, then in a file that nobody else can open."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgate.errors import UnavailableError
from outgate.intake.agents import Agent
from outgate.intake.request import BODY_HEAD, NoBody, SpooledBody, UnreadBody, WholeBody
from outgate.mitm import keeping
from outgate.mitm.keeping import IN_MEMORY, PIECE, Budget, Gathering, Shelf, spool_folder
from outgate.mitm.link import Link

MUCH = 1 << 40


def link(agent: str = "a") -> Link:
    return Link(door=Agent(id=agent), known=Agent(id=agent))


def shelf(folder: Path | None = None, memory: int = MUCH, disk: int = MUCH, of_one: int = MUCH) -> Shelf:
    return Shelf(memory=Budget(memory, of_one), disk=Budget(disk, of_one), folder=folder)


def given_back(gathering: Gathering) -> bytes:
    pieces = []
    while piece := gathering.next():
        pieces.append(piece)
    return b"".join(pieces)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=10), st.integers(0, 200), st.integers(0, 200))
def test_a_body_is_gathered_up_to_its_bound_and_gives_its_budget_back(pieces, limit, left):
    kept_on, client = shelf(memory=left), link()
    gathering, kept, fits = Gathering(kept_on, client, limit), b"", True
    for piece in pieces:
        kept += piece
        fits = gathering.add(piece)
        assert fits == (len(kept) <= min(limit, left))
        if not fits:
            break
    assert kept_on.memory.left + client.gathered == left
    assert gathering.whole() == (WholeBody(kept) if kept else NoBody())
    assert gathering.cut(7) == UnreadBody(length=7, too_large=True)
    assert given_back(gathering) == kept
    gathering.over()
    gathering.over()
    assert (kept_on.memory.left, client.gathered, client.kept) == (left, 0, set())


def test_a_large_one_is_in_a_file_without_a_name_for_us_alone(tmp_path):
    before = descriptors()
    kept_on, client = shelf(tmp_path), link()
    gathering, content = Gathering(kept_on, client, MUCH), os.urandom(IN_MEMORY + 3 * PIECE + 1)
    for at in range(0, len(content), 65536):
        assert gathering.add(content[at : at + 65536])
    body = gathering.whole()
    assert isinstance(body, SpooledBody)
    assert (body.size, body.digest) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert list(tmp_path.iterdir()) == []
    assert stat.S_IMODE(Path(body.path).stat().st_mode) == 0o600
    assert Path(body.path).read_bytes() == content
    assert (kept_on.memory.left, kept_on.disk.left, client.gathered) == (MUCH, MUCH - len(content), len(content))
    assert gathering.cut(None).head == content[:BODY_HEAD]
    assert given_back(gathering) == content
    gathering.over()
    assert (kept_on.disk.left, client.gathered, descriptors()) == (MUCH, 0, before)


def test_one_that_is_as_large_as_memory_allows_stays_there(tmp_path):
    gathering = Gathering(shelf(tmp_path), link(), MUCH)
    assert gathering.add(bytes(IN_MEMORY))
    assert not gathering.in_file
    assert gathering.add(b"x")
    assert gathering.in_file
    gathering.over()


@pytest.mark.parametrize("room", [{"disk": IN_MEMORY}, {"of_one": IN_MEMORY + 10}])
def test_what_the_disk_has_no_room_for_is_one_too_many_and_is_not_lost(tmp_path, room):
    kept_on = shelf(tmp_path, **room)
    gathering = Gathering(kept_on, link(), MUCH)
    assert gathering.add(bytes(IN_MEMORY))
    assert not gathering.add(b"x" * 20)
    assert gathering.cut(None) == UnreadBody(too_large=True)
    assert given_back(gathering) == bytes(IN_MEMORY) + b"x" * 20
    gathering.over()
    assert kept_on.memory.left == MUCH


def test_no_agent_takes_what_others_need(tmp_path):
    kept_on = shelf(tmp_path, memory=300, of_one=100)
    greedy, modest = Gathering(kept_on, link("greedy"), MUCH), Gathering(kept_on, link("modest"), MUCH)
    assert greedy.add(bytes(100))
    assert not Gathering(kept_on, link("greedy"), MUCH).add(b"x")
    assert modest.add(bytes(100))
    greedy.over()
    assert Gathering(kept_on, link("greedy"), MUCH).add(bytes(100))


@pytest.mark.parametrize("at", [0, 1, 2, 5])
def test_on_a_full_disk_it_is_lost_but_nothing_of_it_is(tmp_path, monkeypatch, at):
    """What was let out without being read goes on whole, also then."""
    write, calls = os.pwrite, []

    def full(file, data, where):
        calls.append(len(data))
        if len(calls) > at:
            raise OSError(errno.ENOSPC, "no room")
        return write(file, data[: max(1, len(data) // 2)], where)

    monkeypatch.setattr(keeping.os, "pwrite", full)
    kept_on, content = shelf(tmp_path), os.urandom(IN_MEMORY + 5 * 65536)
    gathering, sent = Gathering(kept_on, link(), MUCH), 0
    while gathering.add(content[sent : sent + 65536]):
        sent += 65536
    sent += 65536
    assert gathering.lost
    assert gathering.cut(None) == UnreadBody(lost=True)
    assert gathering.cut(None).head == content[:BODY_HEAD]
    assert given_back(gathering) == content[:sent]
    gathering.over()
    assert (kept_on.memory.left, kept_on.disk.left) == (MUCH, MUCH)


def test_where_no_file_can_be_made_it_is_lost(tmp_path):
    before = descriptors()
    gathering = Gathering(shelf(tmp_path / "gone"), link(), MUCH)
    assert gathering.add(bytes(IN_MEMORY))
    assert not gathering.add(b"x")
    assert gathering.lost
    assert len(given_back(gathering)) == IN_MEMORY + 1
    gathering.over()
    assert descriptors() == before


def test_the_folder_is_its_owners_and_what_was_left_there_is_removed(tmp_path):
    folder = spool_folder(tmp_path / "state" / "spool")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "left").touch()
    folder.chmod(0o755)
    assert list(spool_folder(folder).iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_where_it_can_not_be_made_the_gate_does_not_start(tmp_path):
    (tmp_path / "spool").touch()
    with pytest.raises(UnavailableError, match="can't be kept in"):
        spool_folder(tmp_path / "spool")
