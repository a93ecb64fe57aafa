"""outgate.app.record"""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from outgate.app.record import operator, record
from outgate.errors import EvidenceError, UnavailableError
from outgate.stores.keyfile import receipts_key
from outgate.stores.logs import all_receipts, check_logs, log_folder, writers

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
