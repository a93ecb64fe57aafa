"""Verify a log, line by line, and the logs of several writers against each other. Needs the lines and a public key, no more."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outgate.digest import sha256
from outgate.errors import EvidenceError
from outgate.receipts.chain import FIRST, Receipt, parse, relinked
from outgate.receipts.checkpoint import Checkpoint, check, note_in, origin_of, read
from outgate.receipts.merkle import Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from outgate.keys.ed25519 import VerifyKey

MOST_LINE = 128 * 1024
"""Longer than any line that we write, its line end included: a reader needs to hold no more."""

_HOLE = bytes(16)
"""What a disk that lost power leaves in place of blocks; no flipped bit makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """The first receipt that fails. `follows`: the number of the last one after it, all of which prove nothing now."""

    seq: int
    why: str
    follows: int

    def __str__(self) -> str:
        match self.follows - self.seq:
            case n if n <= 0:
                after = ""
            case 1:
                after = f"; {self.follows} no longer follows"
            case _:
                after = f"; {self.seq + 1} to {self.follows} no longer follow"
        return f"receipt {self.seq}: {self.why}{after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What a later writer saw of a dead one's log."""

    by: str
    writer: str
    size: int
    root: str


@dataclass(slots=True, kw_only=True)
class LogReport:
    """What one log holds, as far as it is signed and good.

    `open` are decisions that let something out and have no outcome in this log. `settled` are outcomes that this log has
    for decisions of dead writers. `uncovered` counts whole receipts after the last signature, `torn` the bytes of a
    half-written one: a writer died there, or is just writing; nothing that they say took effect.
    """

    writer: str
    size: int = 0
    root: str = ""
    decisions: int = 0
    outcomes: int = 0
    stopped: bool = False
    open: set[int] = field(default_factory=set)
    settled: list[tuple[str, int]] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    uncovered: int = 0
    torn: int = 0
    bad: Bad | None = None


class LogCheck:
    """Checks one log as its lines come, oldest first; holds one group of them.

    1. Every line is a receipt in canonical form, or a checkpoint.
    2. `writer` is the log's; `seq` is one more than the one before; the first is 0.
    3. `prev` is the digest of the line before, exactly as stored.
    4. Receipts end in a checkpoint that the key signed, over this log's name, its length so far and the root of its tree.
    5. Every outcome is of a decision that let something out and has none yet.

    Without `each_signature`, of the signatures only the last is checked, which is over every receipt: three times faster,
    and as strong, but for the earlier signatures themselves and for naming where a log that another key wrote begins.
    """

    def __init__(self, writer: str, key: VerifyKey, *, each_signature: bool = True) -> None:
        self.report = LogReport(writer=writer)
        self._key = key
        self._each_signature = each_signature
        self._last_note = ""
        self._tree = Tree()
        self._prev = FIRST
        self._group: list[bytes] = []
        self._rest = b""
        self._passed = 0

    def feed(self, line: bytes) -> None:
        """Take the next line, with its line end; the last may lack it, if a writer died in it."""
        if self.report.bad is not None:
            self._passed += note_in(line.rstrip(b"\n")) is None
        elif self._rest:
            self._fail(self._position, "before it stands something that no writer leaves", 0)
        elif not line.endswith(b"\n"):
            self._rest = line
        elif (note := note_in(line[:-1])) is None:
            self._group.append(line[:-1])
        elif any(_HOLE in receipt for receipt in self._group):
            self._rest = line
        else:
            self._close_group(note)

    def finish(self) -> LogReport:
        """Look at what no signature covers, and give the report."""
        report = self.report
        if report.bad is None and self._last_note and not self._each_signature:
            self._check_last()
        if report.bad is None and (self._group or self._rest):
            self._judge_tail()
        if report.bad is not None:
            report.bad = Bad(seq=report.bad.seq, why=report.bad.why, follows=report.bad.follows + self._passed)
        report.size, report.root = self._tree.size, self._tree.root().hex()
        return report

    @property
    def _position(self) -> int:
        return self._tree.size + len(self._group)

    def _fail(self, seq: int, why: str, after: int) -> None:
        """`after`: how many receipts were already read beyond the bad one."""
        self.report.bad = Bad(seq=seq, why=why, follows=seq + after)

    def _close_group(self, note: str) -> None:
        lines, first = self._group, self._tree.size
        try:
            receipts = self._linked(lines)
            tree = self._covered(lines, note)
            for receipt in receipts:
                _account(self.report, receipt)
        except _BadAtError as error:
            self._fail(error.seq, error.why, max(0, first + len(lines) - 1 - error.seq))
            return
        self._tree, self._prev, self._group, self._last_note = tree, sha256(lines[-1]), [], note

    def _check_last(self) -> None:
        try:
            check(self._last_note, self._key)
        except EvidenceError as error:
            self._fail(self._tree.size - 1, str(error), 0)

    def _linked(self, lines: Sequence[bytes]) -> list[Receipt]:
        """Steps 1 to 3."""
        receipts: list[Receipt] = []
        prev = self._prev
        for seq, line in enumerate(lines, self._tree.size):
            receipt = _receipt(line, seq, self.report.writer)
            if receipt.prev != prev:
                raise self._broken_link(receipts, receipt, lines)
            receipts.append(receipt)
            prev = sha256(line)
        return receipts

    def _broken_link(self, before: Sequence[Receipt], receipt: Receipt, lines: Sequence[bytes]) -> _BadAtError:
        """Say which of two receipts was changed, the one before or this one, where they don't fit together."""
        if not before:
            return _BadAtError(receipt.seq, "it does not follow the one before, which is as it was signed")
        mended = relinked(receipt, prev=sha256(before[-1].line))
        after = lines[len(before) + 1 :]
        if after and _prev_of(after[0]) == sha256(mended):
            return _BadAtError(receipt.seq, _NOT_SIGNED)
        return _BadAtError(before[-1].seq, _NOT_SIGNED)

    def _covered(self, lines: Sequence[bytes], note: str) -> Tree:
        """Step 4."""
        last = self._tree.size + len(lines) - 1
        tree = self._tree.copy()
        for line in lines:
            tree.add(line)
        try:
            checkpoint = check(note, self._key) if self._each_signature else read(note)
        except EvidenceError as error:
            raise _BadAtError(max(0, last), str(error)) from error
        origin = origin_of(self._key, self.report.writer)
        if not lines:
            raise _BadAtError(max(0, last), "a checkpoint that covers nothing new stands after it")
        if checkpoint.origin != origin:
            raise _BadAtError(last, f"its signature is that of another log, {checkpoint.origin}")
        if checkpoint != Checkpoint(origin=origin, size=tree.size, root=tree.root()):
            raise _BadAtError(last, _unsigned(checkpoint, tree, len(lines)))
        return tree

    def _judge_tail(self) -> None:
        """A writer that died leaves the beginning of a group. Anything else after the last signature was put there."""
        holes = [index for index, line in enumerate(self._group) if _HOLE in line]
        whole = self._group[: holes[0]] if holes else self._group
        rest = b"\n".join([*self._group[len(whole) :], self._rest])
        try:
            self._linked(whole)
        except _BadAtError as error:
            self._fail(error.seq, error.why, self._position - 1 - error.seq)
            return
        if not holes and _says_more(self._rest):
            self._fail(max(0, self._position - 1), "something that no writer leaves stands after it", 0)
            return
        self.report.uncovered, self.report.torn = len(whole), len(rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Several writers' logs, checked and compared. `open` and `unknown` are `writer-seq`."""

    logs: tuple[LogReport, ...]
    problems: tuple[str, ...]
    open: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing was changed, taken out, cut or replaced, as far as the logs can show it."""
        return not self.problems


def compare(logs: Iterable[LogReport], running: Collection[str]) -> Verdict:
    """Check logs against each other. `running`: the writers whose lock is held.

    1. Each log is good by itself.
    2. A log that a later writer closed is there, and ends where that writer saw it end.
    3. An outcome for another writer's decision is of one that let something out and has none.
    4. What is left has no outcome: still open if its writer runs, else unknown.
    """
    by_writer = {log.writer: log for log in logs}
    several = len(by_writer) > 1
    problems = [f"log {log.writer}: {log.bad}" if several else str(log.bad) for log in by_writer.values() if log.bad]
    closings = [closing for log in by_writer.values() for closing in log.closings]
    elsewhere = {closing.writer: said for closing in closings if (said := _ends_elsewhere(closing, by_writer))}
    problems += elsewhere.values()
    settled = {place: log.writer for log in by_writer.values() for place in log.settled}
    at_their_end = {writer: log for writer, log in by_writer.items() if writer not in elsewhere}
    problems += [said for place, by in settled.items() if (said := _settles_nothing(by, place, at_their_end))]
    whole = [log for log in by_writer.values() if log.bad is None]
    left = [(log.writer, seq) for log in whole for seq in sorted(log.open) if (log.writer, seq) not in settled]
    return Verdict(
        logs=tuple(by_writer.values()),
        problems=tuple(problems),
        open=tuple(f"{w}-{seq}" for w, seq in left if w in running),
        unknown=tuple(f"{w}-{seq}" for w, seq in left if w not in running),
    )


_NOT_SIGNED = "signature does not match its content"


class _BadAtError(Exception):
    def __init__(self, seq: int, why: str) -> None:
        super().__init__(why)
        self.seq = seq
        self.why = why


def _receipt(line: bytes, seq: int, writer: str) -> Receipt:
    try:
        receipt = parse(line)
    except EvidenceError as error:
        raise _BadAtError(seq, str(error)) from error
    if receipt.seq != seq:
        raise _BadAtError(seq, f"in its place stands one that calls itself {receipt.seq}")
    if receipt.writer != writer:
        raise _BadAtError(seq, f"it is of another writer, {receipt.writer}")
    return receipt


def _prev_of(line: bytes) -> str:
    try:
        return parse(line).prev
    except EvidenceError:
        return ""


def _unsigned(checkpoint: Checkpoint, tree: Tree, group: int) -> str:
    if checkpoint.size != tree.size:
        return f"the signature after it covers {checkpoint.size} receipts, {tree.size} are there"
    if group == 1:
        return _NOT_SIGNED
    shares = f"{tree.size - group} to {tree.size - 2}" if group > 2 else str(tree.size - 2)
    return f"{_NOT_SIGNED} (that covers {shares} too)"


def _says_more(rest: bytes) -> bool:
    """Whether an unfinished line holds more than the beginning of one: a whole object, and something after it."""
    text = rest.decode(errors="replace")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return bool(text) and not text.startswith("{")
    return end < len(text)


def _account(report: LogReport, receipt: Receipt) -> None:
    """Step 5."""
    fields = receipt.fields
    report.stopped = receipt.type == "stop"
    match fields:
        case {"type": "decision", "answer": str(answer)}:
            report.decisions += 1
            if answer == "allow" or "mock" in fields:
                report.open.add(receipt.seq)
        case {"type": "outcome", "of": {"writer": str(writer), "seq": int(seq)}, "result": str(result)}:
            report.outcomes += 1
            _settle(report, receipt, (writer, seq), result)
        case {"type": "log-closed", "about": {"writer": str(writer), "size": int(size), "root": str(root)}}:
            report.closings.append(Closing(by=f"{report.writer}-{receipt.seq}", writer=writer, size=size, root=root))
        case {"type": "decision" | "outcome" | "log-closed"}:
            raise _BadAtError(receipt.seq, f"not a receipt: what makes it a {receipt.type} is missing")
        case _:
            pass  # an event: it says what it says


def _settle(report: LogReport, receipt: Receipt, place: tuple[str, int], result: str) -> None:
    writer, seq = place
    if writer != report.writer:
        if result != "unknown":
            raise _BadAtError(receipt.seq, f"it says what became of {writer}-{seq}, which it can't know")
        report.settled.append(place)
    elif seq in report.open:
        report.open.remove(seq)
    else:
        raise _BadAtError(receipt.seq, f"an outcome of {seq}, which let nothing out or has its outcome already")


def _ends_elsewhere(closing: Closing, logs: Mapping[str, LogReport]) -> str:
    log = logs.get(closing.writer)
    if log is None:
        return f"log {closing.writer} is missing: {closing.by} saw {closing.size} receipts in it"
    if log.bad is None and (log.size, log.root) != (closing.size, closing.root):
        return f"log {closing.writer} was cut or replaced: it has {log.size} receipts, {closing.by} saw {closing.size}"
    return ""


def _settles_nothing(by: str, place: tuple[str, int], logs: Mapping[str, LogReport]) -> str:
    writer, seq = place
    log = logs.get(writer)
    if log is None or log.bad is not None or seq in log.open:
        return ""
    return f"log {by}: an outcome of {writer}-{seq}, which let nothing out or has its outcome already"
