import io
import sys
from pathlib import Path

import pytest

from outgate.errors import ConfigError
from outgate.stores import described_files
from outgate.stores.described_files import read_described, read_document, read_service_file


@pytest.fixture
def given(monkeypatch):
    """What stands on the standard input."""

    def put(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


def test_a_document_is_read_from_a_file_or_from_the_standard_input(tmp_path, given):
    (tmp_path / "a.yaml").write_text("a: 1")
    assert read_described(tmp_path / "a.yaml").value == {"a": 1}
    given(b'{"a": 2}')
    assert read_described(Path("-")).value == {"a": 2}


def test_the_standard_input_has_a_largest_size_and_is_text(given, monkeypatch):
    given(b"\xff")
    with pytest.raises(ConfigError, match="not text"):
        read_described(Path("-"))
    monkeypatch.setattr(described_files, "LARGEST_JSON", 3)
    given(b"abcd")
    with pytest.raises(ConfigError, match="larger than 3 bytes"):
        read_described(Path("-"))


def test_json_is_known_by_its_name_and_problems_have_their_line(tmp_path):
    (tmp_path / "a.json").write_text('\n"a" 1')
    with pytest.raises(ConfigError, match=r"a\.json:2:5: not JSON: extra data"):
        read_document(tmp_path / "a.json")


def test_a_service_file_is_yaml(tmp_path):
    (tmp_path / "a.yaml").write_text("service: NO")
    assert read_service_file(tmp_path / "a.yaml").value == {"service": "NO"}
