from datetime import UTC, datetime, timedelta

import pytest

from outgate.errors import ConfigError, UnavailableError
from outgate.stores import recordings
from outgate.stores.recordings import Recording, RecordingSwitch, answers_in, keep

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.fixture
def switch(tmp_path):
    return RecordingSwitch(tmp_path / "state")


def recording(tmp_path, *services):
    return Recording(services=frozenset(services or {"stripe"}), folder=tmp_path / "out", until=NOW + timedelta(hours=1))


def test_what_is_switched_on_is_on_until_its_time_or_until_it_is_switched_off(switch, tmp_path):
    assert switch.current() is None
    switch.start(recording(tmp_path))
    found = switch.current()
    assert found == recording(tmp_path)
    assert found.covers("stripe", NOW)
    assert not found.covers("github", NOW)
    assert not found.covers("stripe", NOW + timedelta(hours=1))
    assert switch.stop()
    assert switch.current() is None
    assert not switch.stop()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"5", b'{"services": ["a"]}', b'{"services": 5, "folder": "/x", "until": "2026-01-31T08:00:00Z"}'),
        *(b'{"services": ["a"], "folder": "x", "until": "2026-01-31T08:00:00Z"}', b"[" * 60_000),
        b'{"services": ["a"], "folder": "/x", "until": "2026-01-31T08:00:00"}',
    ],
)
def test_a_file_that_can_not_be_relied_on_records_nothing(switch, content):
    switch.path.parent.mkdir(parents=True)
    switch.path.write_bytes(content)
    switch.path.chmod(0o600)
    assert switch.current() is None


def test_nor_does_one_that_others_may_write_or_that_is_a_link(switch, tmp_path):
    switch.start(recording(tmp_path))
    switch.path.chmod(0o666)
    assert switch.current() is None
    switch.path.chmod(0o600)
    real = switch.path.rename(tmp_path / "real.json")
    switch.path.symlink_to(real)
    assert switch.current() is None


def test_recordings_are_for_their_owner_alone(tmp_path):
    path = tmp_path / "out" / "stripe.yaml"
    keep(path, lambda known: f"answers: [{{n: {len(known)}}}]\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    keep(path, lambda known: f"answers: [{{n: {len(known)}}}]\n")
    assert answers_in(path) == [{"n": 1}]
    assert [one.name for one in path.parent.iterdir()] == ["stripe.yaml"]


def test_a_file_of_somebody_elses_is_not_written_over(tmp_path):
    path = tmp_path / "stripe.yaml"
    path.write_text("my: notes\n")
    with pytest.raises(ConfigError, match="is no file of canned answers"):
        keep(path, lambda known: "answers: []")
    assert path.read_text() == "my: notes\n"


def test_a_file_has_a_largest_size(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "LARGEST", 10)
    with pytest.raises(UnavailableError, match="is full"):
        keep(tmp_path / "stripe.yaml", lambda known: "x" * 11)
    assert not (tmp_path / "stripe.yaml").exists()


def test_a_folder_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UnavailableError):
        keep(tmp_path / "out" / "stripe.yaml", lambda known: "answers: []")
