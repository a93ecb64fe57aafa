"""Sockets are found where they are, and the search ends."""

import socket

import pytest

from outgate.fence import sockets
from outgate.fence.sockets import find_sockets

HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"


@pytest.fixture
def bind(tmp_path):
    made = []

    def one(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        made.append(server)
        return path

    yield one
    for server in made:
        server.close()


def line(path):
    return f"0000000000000000: 00000002 00000000 00010000 0001 01 12345 {path}\n"


def test_a_socket_below_a_folder_is_found_and_other_files_are_not(tmp_path, bind):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    deep = bind("a/b/c.sock")
    assert find_sockets([tmp_path], HEAD).paths == {deep}


def test_a_socket_that_the_table_lists_is_found_wherever_it_is(tmp_path, bind):
    path = bind("x y.sock")
    assert find_sockets([], HEAD + line(path)).paths == {path}


def test_what_the_table_lists_and_is_gone_abstract_or_no_socket_is_nothing_to_hide(tmp_path):
    (tmp_path / "file").touch()
    table = HEAD + line(tmp_path / "gone") + line(tmp_path / "file") + line("@abstract") + line("").rstrip() + "\n"
    assert find_sockets([], table).paths == frozenset()


def test_the_search_does_not_follow_links(tmp_path, bind):
    bind("elsewhere/s.sock")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "link").symlink_to(tmp_path / "elsewhere")
    assert find_sockets([tmp_path / "home"], HEAD).paths == frozenset()


def test_the_search_ends_and_says_when_it_did_not_see_everything(tmp_path, bind, monkeypatch):
    for n in range(10):
        (tmp_path / str(n)).mkdir()
    near = bind("near.sock")
    bind("0/far.sock")
    monkeypatch.setattr(sockets, "MOST_ENTRIES", 11)
    found = find_sockets([tmp_path], HEAD)
    assert (found.paths, found.whole) == ({near}, False)


def test_folders_of_packages_are_passed_by(tmp_path, bind):
    bind("node_modules/x/s.sock")
    found = find_sockets([tmp_path], HEAD)
    assert (found.paths, found.whole) == (frozenset(), True)
