"""outgate.disk"""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from outgate.disk import Disk, make_folder, make_whole, read_private, replace_whole, try_lock, write_whole
from outgate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_new_file_is_for_its_owner_alone_and_only_grows(tmp_path: Path) -> None:
    disk = Disk()
    fd = disk.create(tmp_path / "f")
    write_whole(disk, fd, b"one")
    os.lseek(fd, 0, os.SEEK_SET)
    write_whole(disk, fd, b"two")
    disk.sync(fd)
    os.close(fd)
    assert (tmp_path / "f").read_bytes() == b"onetwo"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


def test_a_file_is_never_reused_and_no_link_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            Disk().create(tmp_path / name)


def test_folders_are_made_with_what_is_missing_above(tmp_path: Path) -> None:
    make_folder(Disk(), tmp_path / "a" / "b" / "c")
    make_folder(Disk(), tmp_path / "a" / "b" / "c")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_lock_is_one_holders_until_it_is_let_go(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "lock", create=True)
    assert first is not None
    assert try_lock(tmp_path / "lock") is None
    assert try_lock(tmp_path / "lock", shared=True) is None
    os.close(first)
    asked = [try_lock(tmp_path / "lock", shared=True) for _ in range(2)]
    assert None not in asked
    for fd in asked:
        assert fd is not None
        os.close(fd)


def test_a_lock_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        try_lock(tmp_path / "lock")


def test_a_file_is_gone_on_with_and_a_link_is_not_followed(tmp_path: Path) -> None:
    disk = Disk()
    os.close(disk.create(tmp_path / "f"))
    for piece in (b"a", b"b"):
        fd = disk.reopen(tmp_path / "f")
        disk.write(fd, piece)
        os.close(fd)
    assert (tmp_path / "f").read_bytes() == b"ab"
    (tmp_path / "link").symlink_to(tmp_path / "f")
    for missing in ("link", "nothing"):
        with pytest.raises(OSError, match=r"symbolic|No such file"):
            disk.reopen(tmp_path / missing)


def test_an_open_file_has_its_name_until_it_is_moved_removed_or_replaced(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "f"
    fd = disk.create(path)
    assert disk.has_name(fd, path)
    path.rename(tmp_path / "g")
    assert not disk.has_name(fd, path)
    assert disk.has_name(fd, tmp_path / "g")
    path.symlink_to(tmp_path / "g")
    assert not disk.has_name(fd, path)
    (tmp_path / "g").unlink()
    assert not disk.has_name(fd, tmp_path / "g")
    os.close(fd)


class Failing(Disk):
    """Fails at one step, of the folder's also after it was done; writes a little at a time."""

    def __init__(self, at: str) -> None:
        self.at = at

    def _fail(self, at: str) -> None:
        if at == self.at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create(self, path: Path) -> int:
        self._fail("create")
        return super().create(path)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self._fail("write")
        return super().write(fd, data[: max(1, len(data) // 2)])

    def sync(self, fd: int) -> None:
        self._fail("sync")
        super().sync(fd)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self._fail("sync_folder")


def test_a_file_is_replaced_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("before, and longer")
    path.chmod(0o644)
    replace_whole(path, b"after", disk=Failing(""))
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_who_had_the_file_open_goes_on_reading_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("before")
    with path.open() as reader:
        replace_whole(path, b"after")
        assert reader.read() == "before"


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "f").symlink_to(tmp_path / "elsewhere")
    replace_whole(tmp_path / "f", b"ours")
    assert (tmp_path / "elsewhere").read_text() == "theirs"
    assert not (tmp_path / "f").is_symlink()


def test_whom_a_file_is_for_is_settled_before_anything_is_in_it(tmp_path: Path) -> None:
    sizes = []

    def begin(fd: int) -> None:
        sizes.append(os.fstat(fd).st_size)
        os.fchmod(fd, 0o640)

    replace_whole(tmp_path / "f", b"x", begin=begin)
    assert sizes == [0]
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


@pytest.mark.parametrize("at", ["create", "write", "sync"])
def test_what_fails_before_it_has_its_name_leaves_what_was_there_and_no_draft(tmp_path: Path, at: str) -> None:
    path = tmp_path / "f"
    path.write_text("before")
    with pytest.raises(OSError, match="No space"):
        replace_whole(path, b"after", disk=Failing(at))
    with pytest.raises(OSError, match="No space"):
        make_whole(tmp_path / "new", b"after", disk=Failing(at))
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_later_is_told_too_and_is_whole(tmp_path: Path) -> None:
    for put in (replace_whole, make_whole):
        path = tmp_path / put.__name__
        with pytest.raises(OSError, match="No space"):
            put(path, b"after", disk=Failing("sync_folder"))
        assert path.read_bytes() == b"after"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("put", [replace_whole, make_whole])
def test_a_name_is_not_durable_before_its_content_is(tmp_path: Path, put: Callable[..., object]) -> None:
    seen: list[tuple[str, bool]] = []

    class Watched(Disk):
        def sync(self, fd: int) -> None:
            seen.append((f"content of {os.fstat(fd).st_size}", (tmp_path / "f").exists()))
            super().sync(fd)

        def sync_folder(self, path: Path) -> None:
            seen.append((path.name, (tmp_path / "f").exists()))
            super().sync_folder(path)

    put(tmp_path / "f", b"after", disk=Watched())
    assert seen == [("content of 5", False), (tmp_path.name, True)]


def test_of_several_who_make_a_file_one_wins_and_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    each = [bytes([number]) * 10_000 for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda data: make_whole(path, data), each))
    assert won.count(True) == 1
    assert path.read_bytes() == each[won.index(True)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert list(tmp_path.iterdir()) == [path]


def test_what_stands_where_a_file_is_to_be_made_stays_even_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").symlink_to(tmp_path / "nothing")
    assert not make_whole(tmp_path / "f", b"x")
    assert not (tmp_path / "nothing").exists()


def test_a_key_is_read_if_it_is_its_owners_alone(tmp_path: Path) -> None:
    make_whole(tmp_path / "key", b"secret")
    assert read_private(tmp_path / "key", "make another") == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601])
def test_a_key_that_is_others_too_is_not_read_and_both_remedies_are_said(tmp_path: Path, mode: int) -> None:
    make_whole(tmp_path / "key", b"secret")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(ConfigError, match=rf"key: .*\(mode {mode:o}\), run chmod 600 .*, else make another"):
        read_private(tmp_path / "key", "make another")


def test_a_link_to_a_key_is_not_followed(tmp_path: Path) -> None:
    make_whole(tmp_path / "key", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(OSError, match="symbolic"):
        read_private(tmp_path / "link", "make another")


def test_where_a_file_stands_no_folder_is_made(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(NotADirectoryError):
        make_folder(Disk(), tmp_path / "f")
