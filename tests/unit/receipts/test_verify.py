"""outgate.receipts.verify"""

from __future__ import annotations

import json

import pytest
from receipts_made import KEY, NOW, checked, decision, outcome, some_log, split

from outgate.digest import canonical_ascii_keys, sha256
from outgate.keys.ed25519 import SigningKey
from outgate.policy.effect import Effect
from outgate.ports import Stamp
from outgate.receipts.chain import Chain, parse
from outgate.receipts.checkpoint import Checkpoint, line_of, note_in, origin_of, read, sign
from outgate.receipts.merkle import Tree
from outgate.receipts.receipt import Result, event_body
from outgate.receipts.verify import compare
from outgate.stores.memory import MemoryJournal


def in_groups(bodies: list[dict[str, object]], sizes: list[int], *, writer: str = "memory", key: SigningKey = KEY) -> list[bytes]:
    """A log whose checkpoints stand after `sizes[0]`, `sizes[1]`, … receipts."""
    chain, tree, lines = Chain(writer), Tree(), []
    for size in sizes:
        for body in bodies[tree.size : tree.size + size]:
            line = chain.seal(body)[1]  # type: ignore[arg-type]
            tree.add(line)
            lines.append(line + b"\n")
        lines.append(
            line_of(sign(Checkpoint(origin=origin_of(key.public, writer), size=tree.size, root=tree.root()), key)) + b"\n"
        )
    return lines


def refused(n: int) -> list[dict[str, object]]:
    return [decision(Effect.BLOCK) for _ in range(n)]


def changed(line: bytes) -> bytes:
    assert b"block" in line
    return line.replace(b"block", b"allow", 1)


def bad(lines: list[bytes], **given: object) -> str:
    return str(checked(lines, **given).bad)  # type: ignore[arg-type]


async def test_a_good_log_is_good() -> None:
    report = checked(await some_log(3))
    assert report.bad is None
    assert (report.size, report.decisions, report.outcomes) == (6, 3, 3)
    assert (report.open, report.uncovered, report.torn) == (set(), 0, 0)


def test_an_empty_log_is_good() -> None:
    assert checked([]).bad is None


def test_a_changed_receipt_is_named_and_how_many_follow() -> None:
    lines = in_groups(refused(62), [1] * 62)
    lines[24] = changed(lines[24])
    assert bad(lines) == "receipt 12: signature does not match its content; 13 to 61 no longer follow"


@pytest.mark.parametrize("which", range(5))
def test_within_a_group_the_changed_receipt_is_named_too(which: int) -> None:
    lines = in_groups(refused(8), [2, 5, 1])
    lines[3 + which] = changed(lines[3 + which])
    assert checked(lines).bad.seq == 2 + which  # type: ignore[union-attr]


def test_where_one_signature_covers_several_that_is_said() -> None:
    lines = in_groups(refused(3), [3])
    lines[2] = changed(lines[2])
    assert bad(lines) == "receipt 2: signature does not match its content (that covers 0 to 1 too)"


def test_a_changed_prev_is_blamed_on_the_one_that_holds_it() -> None:
    lines = in_groups(refused(5), [5])
    fields = json.loads(lines[2])
    lines[2] = canonical_ascii_keys({**fields, "prev": "sha256:" + "0" * 64}) + b"\n"
    assert checked(lines).bad.seq == 2  # type: ignore[union-attr]


def test_a_missing_receipt_is_named() -> None:
    lines = in_groups(refused(5), [1] * 5)
    assert bad(lines[:4] + lines[6:]) == "receipt 2: in its place stands one that calls itself 3; 3 no longer follows"


def test_a_missing_receipt_within_a_group_is_named() -> None:
    lines = in_groups(refused(5), [5])
    del lines[2]
    assert checked(lines).bad.seq == 2  # type: ignore[union-attr]


def test_two_receipts_that_changed_places_are_found() -> None:
    lines = in_groups(refused(5), [5])
    lines[1], lines[2] = lines[2], lines[1]
    assert checked(lines).bad.seq == 1  # type: ignore[union-attr]


def test_a_whole_rewritten_end_is_found() -> None:
    lines = in_groups(refused(6), [3, 3])
    forged = in_groups([*refused(3), *([decision()] * 3)], [3, 3], key=SigningKey.from_seed(b"f" * 32))
    assert "receipt 5" in bad(lines[:4] + forged[4:7] + lines[7:])
    assert "signed by" in bad(lines[:4] + forged[4:])


def test_a_receipt_between_groups_is_found() -> None:
    lines = in_groups(refused(4), [1] * 4)
    assert "receipt 1" in bad([*lines[:2], lines[0], *lines[2:]])


def test_a_checkpoint_of_an_earlier_size_does_not_stand_in() -> None:
    lines = in_groups(refused(4), [2, 2])
    lines[5] = lines[2]
    assert bad(lines) == "receipt 3: the signature after it covers 2 receipts, 4 are there"


def test_a_missing_checkpoint_makes_a_group_of_two_which_is_no_harm() -> None:
    lines = in_groups(refused(4), [2, 2])
    del lines[2]
    assert checked(lines).bad is None


def test_a_repeated_checkpoint_is_found() -> None:
    lines = in_groups(refused(2), [2])
    assert "covers nothing new" in bad([*lines, lines[-1]])


async def test_another_writers_log_does_not_stand_in() -> None:
    lines = await some_log(2, writer="other")
    assert bad(lines).startswith("receipt 0: it is of another writer, other")


async def test_another_logs_checkpoint_does_not_stand_in() -> None:
    mine, other = in_groups(refused(1), [1]), Checkpoint(origin=origin_of(KEY.public, "other"), size=1, root=bytes(32))
    mine[1] = line_of(sign(other, KEY)) + b"\n"
    assert "another log" in bad(mine)


def test_a_foreign_key_is_found() -> None:
    foreign = SigningKey.from_seed(b"f" * 32)
    lines = in_groups(refused(2), [2], key=foreign)
    assert f"signed by {foreign.public.name}, not by {KEY.public.name}" in bad(lines)


async def test_a_writer_that_died_leaves_an_uncovered_end_which_is_no_harm() -> None:
    whole = b"".join(in_groups(refused(6), [3, 3]))
    lines = split(whole)
    covered = sum(len(line) for line in lines[:4])
    for size in range(covered, len(whole)):
        report = checked(split(whole[:size]))
        assert report.bad is None, size
        assert report.size == 3
        assert (report.uncovered, report.torn) != (0, 0) or size == covered


async def test_a_hole_that_a_lost_power_supply_left_is_an_uncovered_end() -> None:
    whole = b"".join(in_groups(refused(6), [3, 3]))
    lines = split(whole)
    start = sum(len(line) for line in lines[:4])
    for hole in range(start, len(whole) - 600, 300):
        report = checked(split(whole[:hole] + bytes(512) + whole[hole + 512 :]))
        assert report.bad is None, hole
        assert report.size == 3


async def test_a_hole_with_a_signed_group_after_it_was_made() -> None:
    lines = in_groups(refused(6), [2, 2, 2])
    lines[3] = bytes(len(lines[3]) - 1) + b"\n"
    assert "receipt 4" in bad(lines)


async def test_something_after_the_end_is_found() -> None:
    lines = await some_log(1)
    for more in (b"{}\n", b"\n", b"x", lines[0], b"{}x", lines[-1][:-1] + b"\x0b"):
        assert checked([*lines, more]).bad is not None, more


async def test_a_decision_without_an_outcome_is_open() -> None:
    journal = MemoryJournal(key=KEY)
    await journal.append(decision(Effect.BLOCK))
    await journal.append(decision())
    assert checked(journal.lines).open == {1}


@pytest.mark.parametrize("about", [0, 1, 2, 9])
async def test_an_outcome_of_nothing_is_found(about: int) -> None:
    journal = MemoryJournal(key=KEY)
    await journal.append(decision(Effect.BLOCK))
    await journal.append(outcome(await journal.append(decision())))
    await journal.append(outcome(Stamp(writer="memory", seq=about)))
    assert "has its outcome already" in bad(journal.lines)


async def test_a_writer_can_not_know_what_became_of_anothers_request() -> None:
    journal = MemoryJournal(key=KEY)
    await journal.append(outcome(Stamp(writer="other", seq=1)))
    assert "can't know" in bad(journal.lines)


async def test_a_stopped_log_says_so() -> None:
    journal = MemoryJournal(key=KEY)
    await journal.append(event_body("stop", NOW, None, {}))
    assert checked(journal.lines).stopped


async def two_logs(result: Result = Result.UNKNOWN, *, about: int = 0, size: int = 1) -> tuple[list[bytes], list[bytes]]:
    first, second = MemoryJournal(writer="w1", key=KEY), MemoryJournal(writer="w2", key=KEY)
    await first.append(decision())
    root = checked(first.lines, writer="w1").root
    await second.append(event_body("log-closed", NOW, None, {"writer": "w1", "size": size, "root": root}))
    await second.append(outcome(Stamp(writer="w1", seq=about), result))
    return first.lines, second.lines


async def test_an_unknown_outcome_in_a_later_log_settles_a_dead_ones_decision() -> None:
    first, second = await two_logs()
    verdict = compare([checked(first, writer="w1"), checked(second, writer="w2")], running=set())
    assert verdict.good
    assert (verdict.open, verdict.unknown) == ((), ())


async def test_without_it_the_decision_is_open_while_its_writer_runs_and_unknown_after() -> None:
    first, _ = await two_logs()
    assert compare([checked(first, writer="w1")], running={"w1"}).open == ("w1-0",)
    assert compare([checked(first, writer="w1")], running=set()).unknown == ("w1-0",)


async def test_a_log_that_a_later_one_saw_must_be_there() -> None:
    _, second = await two_logs()
    verdict = compare([checked(second, writer="w2")], running=set())
    assert verdict.problems == ("log w1 is missing: w2-0 saw 1 receipts in it",)


async def test_a_log_that_was_cut_below_what_a_later_one_saw_is_found() -> None:
    first, second = await two_logs()
    verdict = compare([checked(first[:0], writer="w1"), checked(second, writer="w2")], running=set())
    assert verdict.problems[0] == "log w1 was cut or replaced: it has 0 receipts, w2-0 saw 1"


async def test_an_outcome_of_another_logs_refusal_is_found() -> None:
    first, second = await two_logs(about=7)
    verdict = compare([checked(first, writer="w1"), checked(second, writer="w2")], running=set())
    assert verdict.problems == ("log w2: an outcome of w1-7, which let nothing out or has its outcome already",)


async def test_of_several_logs_the_bad_one_is_named() -> None:
    first, second = await two_logs()
    first[0] = first[0].replace(b"allow", b"block", 1)
    verdict = compare([checked(first, writer="w1"), checked(second, writer="w2")], running=set())
    assert verdict.problems == ("log w1: receipt 0: signature does not match its content",)


async def test_a_lines_digest_is_what_the_next_one_holds() -> None:
    lines = await some_log(1)
    assert parse(lines[2][:-1]).prev == sha256(lines[0][:-1])
    note = note_in(lines[3][:-1])
    assert note is not None
    assert read(note).size == 2


def test_with_the_last_signature_alone_a_foreign_key_is_found() -> None:
    foreign = SigningKey.from_seed(b"f" * 32)
    lines = in_groups(refused(3), [1, 2], key=foreign)
    assert "another log" in bad(lines, each_signature=False)
    disguised = [line.replace(foreign.public.name.encode(), KEY.public.name.encode()) for line in lines]
    assert "another key that calls itself so" in bad(disguised, each_signature=False)
