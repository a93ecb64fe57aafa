import pytest

from outgate.errors import ConfigError
from outgate.stores import described_files, mock_files
from outgate.stores.described_files import read_document
from outgate.stores.mock_files import own_mock_files, shipped_mock_file
from outgate.stores.texts import LARGEST

TEXT = "outgate: mocks/v1alpha\nservice: {}\nanswers: [{{on: GET /x}}]\n"


def test_what_is_shipped_comes_first_and_the_operators_own_after_it(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text(TEXT.format("stripe"))
    sources = [document.source for document in mock_files.mock_files(own)["stripe"]]
    assert [source.rpartition("/")[2] for source in sources] == ["stripe.yaml", "mine.yaml"]


def test_a_folder_is_all_of_its_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(TEXT.format(name))
    assert sorted(own_mock_files(tmp_path)) == ["a", "b"]


def test_a_shipped_file_is_found_by_its_service():
    assert shipped_mock_file("stripe").value["service"] == "stripe"
    assert shipped_mock_file("nobody") is None
    assert shipped_mock_file("../services/stripe") is None


def test_every_file_that_can_not_be_read_is_told_of(tmp_path):
    (tmp_path / "a.yaml").write_text("{")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as error:
        own_mock_files(tmp_path, tmp_path / "none.yaml")
    assert len(error.value.problems) == 3


def test_json_is_read_by_its_name(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": 1e3}')
    assert read_document(path).value == {"a": 1000.0}
    path.write_text('{"a": 1, "a": 2}')
    with pytest.raises(ConfigError, match=r"x\.json:1:10: 'a' is here twice"):
        read_document(path)


def test_a_file_has_a_largest_size_and_json_a_larger_one(tmp_path, monkeypatch):
    large = '"' + "x" * LARGEST + '"'
    (tmp_path / "x.yaml").write_text(large)
    with pytest.raises(ConfigError, match=f"larger than {LARGEST} bytes, split it, or write it as JSON"):
        read_document(tmp_path / "x.yaml")
    (tmp_path / "x.json").write_text(large)
    assert len(read_document(tmp_path / "x.json").value) == LARGEST
    monkeypatch.setattr(described_files, "LARGEST_JSON", 10)
    with pytest.raises(ConfigError, match=r"larger than 10 bytes, split it$"):
        read_document(tmp_path / "x.json")
