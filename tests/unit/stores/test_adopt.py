"""outgate.stores.adopt"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from receipts_made import KEY, NOW, decision, open_journal, outcome

from outgate.disk import try_lock
from outgate.errors import UnavailableError
from outgate.policy.effect import Effect
from outgate.receipts.receipt import Result
from outgate.stores.adopt import TELLING, adopt
from outgate.stores.files import FileJournal
from outgate.stores.logs import check_log, check_logs, log_folder, receipts_of, writers

if TYPE_CHECKING:
    from pathlib import Path

    from outgate.digest import Json
    from outgate.keys.ed25519 import VerifyKey
    from outgate.ports import Stamp
    from outgate.receipts.verify import LogReport, Verdict


async def died(state: Path, writer: str, *, open_decisions: int = 1) -> FileJournal:
    """A writer whose process ended with decisions open."""
    journal = open_journal(state, writer)
    await journal.append(outcome(await journal.append(decision())))
    await journal.append(decision(Effect.BLOCK))
    for _ in range(open_decisions):
        await journal.append(decision())
    await journal.close()
    return journal


async def adopted(state: Path, writer: str) -> int:
    journal = open_journal(state, writer)
    try:
        return await adopt(journal, log_folder(state), own=writer, key=KEY.public, now=NOW)
    finally:
        await journal.close()


def verdict(state: Path) -> Verdict:
    return check_logs(writers(log_folder(state)), KEY.public)


async def test_the_next_writer_says_what_nobody_knows_the_outcome_of(tmp_path: Path) -> None:
    await died(tmp_path, "w1", open_decisions=2)
    assert verdict(tmp_path).unknown == ("w1-3", "w1-4")
    assert await adopted(tmp_path, "w2") == 2
    said = list(receipts_of(log_folder(tmp_path) / "w2"))
    assert [receipt.type for receipt in said] == ["log-closed", "outcome", "outcome"]
    assert said[1].fields["of"] == {"writer": "w1", "seq": 3}
    assert said[1].fields["result"] == Result.UNKNOWN
    assert verdict(tmp_path).good
    assert verdict(tmp_path).unknown == ()


async def test_the_dead_log_itself_is_left_as_it_is(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    before = (journal.folder / "000000000000.jsonl").read_bytes()
    torn = before + b'{"at":"2026'
    (journal.folder / "000000000000.jsonl").write_bytes(torn)
    await adopted(tmp_path, "w2")
    assert (journal.folder / "000000000000.jsonl").read_bytes() == torn
    assert verdict(tmp_path).good


async def test_it_is_said_once(tmp_path: Path) -> None:
    await died(tmp_path, "w1")
    assert await adopted(tmp_path, "w2") == 1
    assert await adopted(tmp_path, "w3") == 0
    assert [receipt.fields["about"]["writer"] for receipt in receipts_of(log_folder(tmp_path) / "w3")] == ["w2"]  # type: ignore[index,call-overload]


async def test_a_writer_that_died_while_telling_repeats_nothing(tmp_path: Path) -> None:
    await died(tmp_path, "w1", open_decisions=3)
    await adopted(tmp_path, "w2")
    (log_folder(tmp_path) / "w1" / "closed").unlink()
    assert await adopted(tmp_path, "w3") == 0
    assert verdict(tmp_path).good


async def test_a_running_writers_log_is_not_touched(tmp_path: Path) -> None:
    running = open_journal(tmp_path, "w1")
    await running.append(decision())
    assert await adopted(tmp_path, "w2") == 0
    assert verdict(tmp_path).open == ("w1-0",)
    await running.close()


async def test_a_log_cut_after_it_was_closed_is_found(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    await adopted(tmp_path, "w2")
    path = journal.folder / "000000000000.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in path.read_bytes().split(b"\n")[:4]))
    assert check_log(journal.folder, KEY.public).bad is None
    assert verdict(tmp_path).problems == ("log w1 was cut or replaced: it has 2 receipts, w2-0 saw 4",)


async def test_a_log_removed_after_it_was_closed_is_found(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    await adopted(tmp_path, "w2")
    for path in journal.folder.iterdir():
        path.unlink()
    journal.folder.rmdir()
    assert verdict(tmp_path).problems == ("log w1 is missing: w2-0 saw 4 receipts in it",)


async def test_a_log_that_was_changed_is_said_to_be_bad(tmp_path: Path) -> None:
    journal = await died(tmp_path, "w1")
    path = journal.folder / "000000000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b"block", b"allow", 1))
    await adopted(tmp_path, "w2")
    about = next(iter(receipts_of(log_folder(tmp_path) / "w2"))).fields["about"]
    assert "receipt 2" in about["bad"]  # type: ignore[index,operator,call-overload]


async def test_where_the_telling_fails_nothing_is_marked(tmp_path: Path) -> None:
    await died(tmp_path, "w1")
    journal = open_journal(tmp_path, "w2")
    await journal.close()
    with pytest.raises(UnavailableError):
        await adopt(journal, log_folder(tmp_path), own="w2", key=KEY.public, now=NOW + timedelta(days=1))
    assert not (log_folder(tmp_path) / "w1" / "closed").exists()
    assert await adopted(tmp_path, "w3") == 1


class Dying:
    """A journal whose process ends when all that it was given is durable, before anything else is done."""

    def __init__(self, journal: FileJournal, many: int) -> None:
        self.journal, self.many = journal, many

    async def append(self, body: dict[str, Json]) -> Stamp:
        stamp = await self.journal.append(body)
        self.many -= 1
        if not self.many:
            raise InterruptedError
        await asyncio.Event().wait()
        return stamp


async def died_while_telling(state: Path, writer: str, many: int) -> None:
    """A writer that told everything of the dead ones, and then died itself."""
    journal = open_journal(state, writer)
    with pytest.raises(InterruptedError):
        await adopt(Dying(journal, many), log_folder(state), own=writer, key=KEY.public, now=NOW)  # type: ignore[arg-type]
    await journal.close()


async def test_nobody_goes_on_with_a_log_whose_end_somebody_told_and_then_died(tmp_path: Path) -> None:
    folder = (await died(tmp_path, "w1", open_decisions=0)).folder
    await died_while_telling(tmp_path, "w2", 1)
    assert FileJournal.resume(folder, key=KEY) is None
    await adopted(tmp_path, "w3")
    assert verdict(tmp_path).problems == ()


async def test_one_that_begins_while_another_tells_of_the_dead_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await died(tmp_path, "w1", open_decisions=2)
    await died_while_telling(tmp_path, "w2", 3)
    meanwhile = [partial(asyncio.run, adopted(tmp_path, "w4"))]

    def reads(folder: Path, key: VerifyKey, *, each_signature: bool) -> LogReport:
        while meanwhile:
            meanwhile.pop()()
        return check_log(folder, key, each_signature=each_signature)

    monkeypatch.setattr("outgate.stores.adopt.check_log", reads)
    monkeypatch.setattr("outgate.stores.adopt.PATIENCE", 0.0)
    await adopted(tmp_path, "w3")
    told = [one for folder in writers(log_folder(tmp_path)) for one in receipts_of(folder) if one.type == "outcome"]
    places = [(one.fields["of"]["writer"], one.fields["of"]["seq"]) for one in told]  # type: ignore[index,call-overload]
    assert len(places) == len(set(places)) == 3
    assert verdict(tmp_path).problems == ()


async def test_whom_another_one_tells_of_for_long_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await died(tmp_path, "w1")
    monkeypatch.setattr("outgate.stores.adopt.PATIENCE", 0.0)
    held = try_lock(log_folder(tmp_path) / TELLING, create=True)
    assert held is not None
    assert await adopted(tmp_path, "w2") == 0
    os.close(held)
    assert await adopted(tmp_path, "w3") == 1
