import errno
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from outgate.disk import Disk, try_lock
from outgate.errors import ConfigError, UnavailableError
from outgate.halt import MOST_BYTES, Halt, Halts, Scope, read, written
from outgate.intake.agents import Agent
from outgate.stores import switch as switches
from outgate.stores.switch import FILE, LOCK, SwitchFile

AGENT = Agent(id="mailer", team="growth")
MAILER = Halt(scope=Scope.AGENT, name="mailer", why="strange mails", by="alice", at=datetime(2026, 1, 31, 8, tzinfo=UTC))
GROWTH = Halt(scope=Scope.TEAM, name="growth")


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def file(state):
    state.mkdir()
    return state / FILE


def put(file, halts, mode=0o600):
    file.write_bytes(written(Halts(halts)))
    file.chmod(mode)


def test_without_a_file_nothing_is_halted(state):
    switch = SwitchFile.open(state)
    assert switch.halted(AGENT, {"stripe"}) is None
    assert switch.problem == ""


def test_a_switch_that_was_never_read_halts_everything(state):
    assert SwitchFile(state).halted(AGENT) is not None


def test_what_is_halted_is_known_to_who_opens_it_later(state):
    turned = SwitchFile.open(state).halt(MAILER)
    assert turned.changed
    assert SwitchFile.open(state).halted(AGENT) == MAILER


def test_the_file_is_the_owners_alone_and_in_canonical_form(state):
    SwitchFile.open(state).halt(MAILER)
    assert stat.S_IMODE((state / FILE).stat().st_mode) == 0o600
    assert (state / FILE).read_bytes() == written(Halts((MAILER,)))
    assert sorted(path.name for path in state.iterdir()) == [FILE, LOCK]


def test_who_watches_is_told_what_was_halted_and_what_was_resumed(state):
    gate, people = SwitchFile.open(state), SwitchFile.open(state)
    people.halt(MAILER)
    assert gate.halted(AGENT) is None
    assert gate.refresh() == ((MAILER,), ())
    assert gate.halted(AGENT) == MAILER
    people.halt(GROWTH)
    people.resume(Scope.AGENT, "mailer")
    assert gate.refresh() == ((GROWTH,), (MAILER,))
    assert gate.refresh() == ((), ())
    assert gate.halted(AGENT) == GROWTH


def test_a_change_within_one_tick_of_the_clock_and_of_the_same_size_is_seen(file):
    put(file, (GROWTH,))
    switch, look = SwitchFile.open(file.parent), file.stat()
    put(file, (Halt(scope=Scope.TEAM, name="grozth"),))
    os.utime(file, ns=(look.st_atime_ns, look.st_mtime_ns))
    assert switch.refresh() == ((Halt(scope=Scope.TEAM, name="grozth"),), (GROWTH,))


def test_halting_and_resuming_twice_changes_nothing(state):
    switch = SwitchFile.open(state)
    assert switch.halt(MAILER).changed
    again = switch.halt(Halt(scope=Scope.AGENT, name="mailer", why="other"))
    assert (again.changed, again.halts) == (False, Halts((MAILER,)))
    assert switch.resume(Scope.AGENT, "mailer").changed
    assert not switch.resume(Scope.AGENT, "mailer").changed
    assert SwitchFile.open(state).halts == Halts()


def test_resuming_all_leaves_what_is_halted_by_name(state):
    switch = SwitchFile.open(state)
    switch.halt(MAILER)
    switch.halt(Halt(scope=Scope.ALL))
    assert switch.resume(Scope.ALL).halts == Halts((MAILER,))


def test_many_who_throw_it_at_once_lose_nothing(state):
    halts = [Halt(scope=Scope.AGENT, name=f"agent-{n}") for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda halt: SwitchFile.open(state).halt(halt), halts))
    assert {halt.name for halt in SwitchFile.open(state).halts.halts} == {halt.name for halt in halts}


# what can't be relied on


def spoil_text(file):
    file.write_text('{"halts": [{"sco')


def spoil_mode(file):
    file.chmod(0o666)


def spoil_link(file):
    file.rename(file.with_name("elsewhere.json"))
    file.symlink_to("elsewhere.json")


def spoil_pipe(file):
    file.unlink()
    os.mkfifo(file, 0o600)


def spoil_folder(file):
    file.unlink()
    file.mkdir()


def spoil_size(file):
    file.write_bytes(b" " * (MOST_BYTES + 1))


def spoil_version(file):
    file.write_text('{"halts": [], "v": 2}')


SPOILT = [
    (spoil_text, "not JSON"),
    (spoil_mode, "others may write it, mode 666"),
    (spoil_link, "it is a link"),
    (spoil_pipe, "no plain file"),
    (spoil_folder, "Is a directory"),
    (spoil_size, "larger than"),
    (spoil_version, "not of the form"),
]


@pytest.mark.parametrize(("spoil", "said"), SPOILT)
def test_a_file_that_can_not_be_relied_on_at_the_start_halts_everything_and_says_what_to_do(file, spoil, said):
    put(file, ())
    spoil(file)
    switch = SwitchFile.open(file.parent)
    assert switch.halted(Agent(id="anybody")).scope is Scope.ALL
    assert said in switch.problem
    assert "everything is halted: put it right, or begin anew with `outgate resume --all`" in switch.problem


@pytest.mark.parametrize(("spoil", "said"), [*SPOILT, (os.unlink, "it is gone")])
def test_a_file_that_is_spoilt_later_leaves_what_was_known(file, spoil, said):
    put(file, (MAILER,))
    switch = SwitchFile.open(file.parent)
    spoil(file)
    assert switch.refresh() == ((), ())
    assert switch.halted(AGENT) == MAILER
    assert switch.halted(Agent(id="other")) is None
    assert said in switch.problem
    assert "what was halted stays halted" in switch.problem


def test_what_was_put_right_is_read_again(file):
    put(file, (MAILER,))
    switch = SwitchFile.open(file.parent)
    spoil_mode(file)
    switch.refresh()
    file.chmod(0o600)
    assert switch.refresh() == ((), ())
    assert switch.problem == ""


def test_a_file_of_nothing_may_go(file):
    put(file, ())
    switch = SwitchFile.open(file.parent)
    file.unlink()
    switch.refresh()
    assert switch.problem == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_not_believed(file):
    put(file, ())
    os.chown(file, 12345, 12345)
    switch = SwitchFile.open(file.parent)
    assert "belongs to somebody else, user 12345" in switch.problem
    assert switch.halted(AGENT) is not None


@pytest.mark.parametrize(("spoil", "_said"), SPOILT)
def test_halting_one_where_nobody_knows_what_was_halted_halts_everything_and_keeps_the_old_file(file, spoil, _said):
    put(file, (GROWTH,))
    spoil(file)
    turned = SwitchFile.open(file.parent).halt(MAILER)
    assert [str(halt) for halt in turned.halts.halts] == ["all", "agent mailer"]
    assert turned.aside is not None
    assert os.path.lexists(turned.aside)
    assert read(file.read_bytes()) == turned.halts
    assert SwitchFile.open(file.parent).problem == ""


def test_less_than_everything_is_not_resumed_where_nobody_knows_what_is_halted(file):
    file.write_text("?")
    with pytest.raises(ConfigError, match="outgate resume --all"):
        SwitchFile.open(file.parent).resume(Scope.AGENT, "mailer")
    assert file.read_text() == "?"


def test_everything_can_be_resumed_where_nobody_knows_what_is_halted(file):
    file.write_text("?")
    turned = SwitchFile.open(file.parent).resume(Scope.ALL)
    assert turned.halts == Halts()
    assert turned.aside.read_text() == "?"
    assert SwitchFile.open(file.parent).halted(AGENT) is None


def test_a_gate_whose_file_is_gone_believes_one_who_resumes(file):
    put(file, (MAILER,))
    gate = SwitchFile.open(file.parent)
    file.unlink()
    gate.refresh()
    assert not SwitchFile.open(file.parent).resume(Scope.AGENT, "mailer").changed
    assert gate.refresh() == ((), (MAILER,))
    assert gate.problem == ""


# what can't be written


class Failing(Disk):
    def __init__(self, at):
        self.at = at

    def _fail(self, at):
        if at == self.at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create(self, path):
        self._fail("create")
        return super().create(path)

    def write(self, fd, data):
        self._fail("write")
        return super().write(fd, data[: max(1, len(data) // 2)])

    def sync(self, fd):
        self._fail("sync")
        super().sync(fd)

    def sync_folder(self, path):
        self._fail("sync_folder")
        super().sync_folder(path)


@pytest.mark.parametrize("at", ["create", "write", "sync"])
def test_a_disk_that_fails_unsaved_leaves_what_was_there_whole_and_no_draft(file, at):
    put(file, (GROWTH,))
    switch = SwitchFile(file.parent, disk=Failing(at))
    with pytest.raises(UnavailableError, match=r"can't be written \(No space left on device\).*ending the gate's process"):
        switch.halt(MAILER)
    assert SwitchFile.open(file.parent).halts == Halts((GROWTH,))
    assert sorted(path.name for path in file.parent.iterdir()) == [FILE, LOCK]


def test_a_disk_that_fails_saved_is_told_as_well(file):
    put(file, (GROWTH,))
    with pytest.raises(UnavailableError, match="says whether it holds"):
        SwitchFile(file.parent, disk=Failing("sync_folder")).halt(MAILER)
    assert SwitchFile.open(file.parent).halts == Halts((GROWTH, MAILER))


def test_a_disk_that_writes_a_little_at_a_time_writes_all(state):
    SwitchFile(state, disk=Failing("")).halt(MAILER)
    assert SwitchFile.open(state).halts == Halts((MAILER,))


def test_one_who_holds_the_switch_and_does_not_end_is_named_by_the_lock(file, monkeypatch):
    monkeypatch.setattr(switches, "PATIENCE", 0.0)
    held = try_lock(file.with_name(LOCK), create=True)
    with pytest.raises(UnavailableError, match=LOCK):
        SwitchFile.open(file.parent).halt(MAILER)
    os.close(held)
    assert SwitchFile.open(file.parent).halt(MAILER).changed


def test_one_who_waits_for_another_goes_on_when_that_one_is_done(file):
    held = try_lock(file.with_name(LOCK), create=True)
    waiting = threading.Thread(target=lambda: SwitchFile.open(file.parent).halt(MAILER))
    waiting.start()
    os.close(held)
    waiting.join()
    assert SwitchFile.open(file.parent).halts == Halts((MAILER,))


def test_a_full_switch_says_what_to_do(file):
    put(file, tuple(Halt(scope=Scope.AGENT, name=f"a{n}", why="x" * 1000) for n in range(975)))
    with pytest.raises(UnavailableError, match="halt all or a team"):
        SwitchFile.open(file.parent).halt(Halt(scope=Scope.AGENT, name="one-more", why="x" * 60_000))
    assert SwitchFile.open(file.parent).problem == ""


def test_a_state_folder_that_can_not_be_made_is_one_sentence(tmp_path):
    (tmp_path / "state").write_text("")
    with pytest.raises(UnavailableError, match="can't be written"):
        SwitchFile.open(tmp_path / "state").halt(MAILER)
