"""outgate.stores.keyfile"""

from __future__ import annotations

import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from outgate.errors import ConfigError, UnavailableError
from outgate.stores.keyfile import public_key, receipts_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_made_once(tmp_path: Path) -> None:
    first = receipts_key(tmp_path)
    assert receipts_key(tmp_path).public == first.public == public_key(tmp_path)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    receipts_key(tmp_path / "state")
    for path in [tmp_path / "state", *(tmp_path / "state").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_all_that_begin_at_once_get_the_same_and_leave_nothing_else(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: receipts_key(tmp_path), range(16)))
    assert len({key.public for key in keys}) == 1
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["receipts.key", "receipts.pub.pem", "receipts.vkey"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    receipts_key(tmp_path)
    (tmp_path / "keys/receipts.key").chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        receipts_key(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_and_left(tmp_path: Path, content: bytes) -> None:
    receipts_key(tmp_path)
    (tmp_path / "keys/receipts.key").write_bytes(content)
    with pytest.raises(ConfigError, match="move it away"):
        receipts_key(tmp_path)
    assert (tmp_path / "keys/receipts.key").read_bytes() == content


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    receipts_key(tmp_path / "other")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/receipts.key").symlink_to(tmp_path / "other/keys/receipts.key")
    with pytest.raises(UnavailableError):
        receipts_key(tmp_path)


def test_a_folder_that_can_not_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(UnavailableError, match="no key can be kept in"):
        receipts_key(tmp_path)


def test_without_a_public_key_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give the key with --key"):
        public_key(tmp_path)


def test_a_changed_public_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys/receipts.vkey"
    receipts_key(tmp_path)
    text = path.read_text()
    path.write_text(text[:20] + ("A" if text[20] != "A" else "B") + text[21:])
    with pytest.raises(ConfigError):
        public_key(tmp_path)


def test_the_public_key_is_one_that_openssl_reads(tmp_path: Path) -> None:
    receipts_key(tmp_path)
    command = ["openssl", "pkey", "-pubin", "-in", "receipts.pub.pem", "-noout", "-text"]
    done = subprocess.run(command, cwd=tmp_path / "keys", capture_output=True, check=True, env=os.environ)
    assert b"ED25519" in done.stdout
