"""outgate.stores.disk"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from outgate.stores.disk import Disk, make_folder, try_lock, write_whole

if TYPE_CHECKING:
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
