"""What comes to be where it would run later is moved away, and nothing is lost."""

from outgate.fence.startup import mark, sweep


def test_what_was_there_and_what_still_is_not_are_left_alone(tmp_path):
    there = tmp_path / ".bashrc"
    there.write_text("mine")
    marks = mark([there, tmp_path / ".zshrc"])
    there.write_text("edited by its owner meanwhile")
    assert sweep(marks) == ()
    assert there.read_text() == "edited by its owner meanwhile"


def test_a_new_file_is_moved_away(tmp_path):
    path = tmp_path / ".zshenv"
    marks = mark([path])
    path.write_text("evil")
    (planted,) = sweep(marks)
    assert (planted.path, planted.aside.read_text()) == (path, "evil")
    assert not path.exists()


def test_a_new_folder_and_a_new_link_to_nowhere_are_moved_away(tmp_path):
    folder, link = tmp_path / "autostart", tmp_path / ".profile"
    marks = mark([folder, link])
    folder.mkdir()
    link.symlink_to("/nowhere")
    assert {p.path for p in sweep(marks)} == {folder, link}
    assert not link.is_symlink()


def test_what_was_moved_away_before_is_not_overwritten(tmp_path):
    path = tmp_path / ".zshenv"
    for text in ("first", "second", "third"):
        marks = mark([path])
        path.write_text(text)
        sweep(marks)
    assert sorted(p.read_text() for p in tmp_path.iterdir()) == ["first", "second", "third"]


def test_a_link_that_was_replaced_leads_where_it_did(tmp_path):
    (tmp_path / "real").write_text("mine")
    link = tmp_path / ".zshrc"
    link.symlink_to(tmp_path / "real")
    marks = mark([link])
    link.unlink()
    link.write_text("evil")
    (planted,) = sweep(marks)
    assert (link.read_text(), planted.aside.read_text()) == ("mine", "evil")


def test_a_link_that_was_taken_away_is_put_back(tmp_path):
    link = tmp_path / ".zshrc"
    link.symlink_to("dotfiles/zshrc")
    marks = mark([link])
    link.unlink()
    assert sweep(marks) == ()
    assert str(link.readlink()) == "dotfiles/zshrc"


def test_a_link_that_leads_elsewhere_now_is_put_back(tmp_path):
    link = tmp_path / ".zshrc"
    link.symlink_to("dotfiles/zshrc")
    marks = mark([link])
    link.unlink()
    link.symlink_to("/tmp/evil")
    assert len(sweep(marks)) == 1
    assert str(link.readlink()) == "dotfiles/zshrc"
