import os

import pytest

from outgate.app.looking import SETTLED, Looking, changed, young


@pytest.fixture
def looking():
    return Looking()


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "policy.yaml"
    made.write_text("one")
    return made


def test_what_says_the_same_is_the_same_whoever_touched_it(looking, file):
    before = looking.look([file])
    os.utime(file)
    assert changed(before, looking.look([file])) == ()


def test_another_text_is_another_even_with_the_size_and_the_times_of_the_first(looking, file):
    before, at = looking.look([file]), file.stat()
    file.write_text("two")
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert changed(before, looking.look([file])) == (file,)


def test_a_file_that_an_editor_replaces_is_seen(looking, file):
    before = looking.look([file])
    new = file.with_name("new")
    new.write_text("two")
    new.rename(file)
    assert changed(before, looking.look([file])) == (file,)


def test_a_file_that_goes_and_one_that_comes_are_seen(looking, file):
    other = file.with_name("other.yaml")
    before = looking.look([file, other])
    assert before[other] == "No such file or directory"
    file.unlink()
    other.write_text("x")
    assert changed(before, looking.look([file, other])) == (other, file)


def test_in_a_folder_its_yaml_files_are_looked_at(looking, file):
    (file.parent / "notes.txt").write_text("x")
    before = looking.look([file.parent])
    assert list(before) == [file]
    (file.parent / "more.yml").write_text("x")
    assert changed(before, looking.look([file.parent])) == (file.parent / "more.yml",)


def test_a_pipe_of_that_name_holds_nobody_up(looking, file):
    file.unlink()
    os.mkfifo(file)
    assert looking.look([file]) == {file: "no file"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_no_longer_be_read_is_another(looking, file):
    before = looking.look([file])
    file.chmod(0)
    assert changed(before, looking.look([file])) == (file,)


def test_a_file_that_settled_is_not_read_again(looking, file, monkeypatch):
    monkeypatch.setattr("outgate.app.looking.SETTLED", -1.0)
    looking.look([file])
    monkeypatch.setattr("outgate.app.looking._digest", lambda _path: pytest.fail("read again"))
    looking.look([file])


def test_a_file_that_has_just_been_written_is_read_again(looking, file, monkeypatch):
    assert SETTLED > 1
    looking.look([file])
    monkeypatch.setattr("outgate.app.looking._digest", lambda _path: "read again")
    assert looking.look([file]) == {file: "read again"}


def test_what_was_written_lately_is_young(file):
    written = file.stat().st_ctime
    assert young([file.parent], written + 1, 10)
    assert not young([file.parent], written + 11, 10)
    assert not young([file.parent / "none"], written, 10)
