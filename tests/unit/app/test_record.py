"""outgate.app.record"""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from outgate.app.record import operator, record
from outgate.errors import EvidenceError, UnavailableError
from outgate.stores.adopt import adopt
from outgate.stores.files import FileJournal
from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import all_receipts, check_logs, log_folder, new_writer, segment_name, writers

if TYPE_CHECKING:
    from pathlib import Path


def good(state: Path) -> bool:
    return check_logs(writers(log_folder(state)), receipts_key(state).public).good


def test_what_was_done_is_in_the_record_and_verifies(tmp_path: Path) -> None:
    record(tmp_path, "people-changed", {"name": "alice", "by": "ops"})
    (receipt,) = all_receipts(log_folder(tmp_path))
    assert (receipt.type, receipt.fields["about"]) == ("people-changed", {"name": "alice", "by": "ops"})
    assert receipt.fields["agent"] is None
    assert good(tmp_path)


def test_commands_write_one_log_one_after_the_other(tmp_path: Path) -> None:
    for n in range(5):
        record(tmp_path, "halt", {"n": n})
    assert len(writers(log_folder(tmp_path))) == 1
    assert [receipt.fields["about"] for receipt in all_receipts(log_folder(tmp_path))] == [{"n": n} for n in range(5)]
    assert good(tmp_path)


def test_once_a_gate_has_told_its_end_they_begin_another(tmp_path: Path) -> None:
    record(tmp_path, "halt", {})
    asyncio.run(gate_starts(tmp_path))
    for _ in range(2):
        record(tmp_path, "resume", {})
    assert len(writers(log_folder(tmp_path))) == 3
    assert good(tmp_path)
    (told,) = [one.fields["about"] for one in all_receipts(log_folder(tmp_path)) if one.type == "log-closed"]
    assert told["size"] == 1


async def gate_starts(state: Path) -> None:
    key, now = receipts_key(state), datetime.now(UTC)
    journal = FileJournal.open(state, writer=new_writer(now, os.urandom(4)), key=key)
    await adopt(journal, log_folder(state), own=journal.writer, key=key.public, now=now)
    await journal.close()


def test_a_log_that_is_not_whole_is_left_and_another_begun(tmp_path: Path) -> None:
    record(tmp_path, "halt", {})
    (folder,) = writers(log_folder(tmp_path))
    with (folder / segment_name(0)).open("ab") as file:
        file.write(b'{"torn')
    record(tmp_path, "resume", {})
    assert len(writers(log_folder(tmp_path))) == 2
    assert good(tmp_path)


def test_commands_at_the_same_time_all_leave_their_receipt(tmp_path: Path) -> None:
    record(tmp_path, "halt", {"n": 0})
    program = "import sys; from pathlib import Path; from outgate.app.record import record; record(Path(sys.argv[1]), 'halt', {'n': int(sys.argv[2])})"
    started = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)]) for n in range(1, 5)]
    assert [one.wait(60) for one in started] == [0] * 4
    assert sorted(receipt.fields["about"]["n"] for receipt in all_receipts(log_folder(tmp_path))) == [0, 1, 2, 3, 4]
    assert good(tmp_path)


def test_what_decides_can_not_be_recorded_so(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="not an event"):
        record(tmp_path, "decision", {})
    assert list(all_receipts(log_folder(tmp_path))) == []


def test_where_nothing_can_be_kept_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the logs should be")
    with pytest.raises(UnavailableError, match="no log can be kept"):
        record(tmp_path, "halt", {})


def test_who_runs_it_is_who_the_kernel_says_whatever_the_environment_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    assert operator() == pwd.getpwuid(os.getuid()).pw_name


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999)
    assert operator() == "uid 3999999"
