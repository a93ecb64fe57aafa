"""outgate.stores.texts"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from outgate.errors import ConfigError
from outgate.stores.texts import LARGEST, text_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_with_its_line_ends_made_plain(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes("é: 1\r\nb: 2\rc: 3\n".encode())
    assert text_of(tmp_path / "f") == "é: 1\nb: 2\nc: 3\n"


def test_no_file_is_an_error_unless_it_is_said_what_that_means(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: can't be read: No such file or directory"):
        text_of(tmp_path / "nothing.yaml")
    assert text_of(tmp_path / "nothing.yaml", absent="") == ""


def test_what_is_there_and_can_not_be_read_is_never_taken_for_absent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="can't be read"):
            text_of(path, absent="")


def test_what_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not text: this file is UTF-8"):
        text_of(tmp_path / "f")


def test_a_file_of_the_bound_is_read_and_of_one_byte_more_is_not(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x" * LARGEST)
    assert len(text_of(tmp_path / "f")) == LARGEST
    (tmp_path / "f").write_text("x" * LARGEST + "y")
    with pytest.raises(ConfigError, match=f"larger than {LARGEST} bytes, split it"):
        text_of(tmp_path / "f")


def test_a_file_that_is_too_large_is_told_so_where_the_bound_cuts_a_letter(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("ééé")
    with pytest.raises(ConfigError, match="larger than 2 bytes, write less"):
        text_of(tmp_path / "f", most=2, remedy="write less")
