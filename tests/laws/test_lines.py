"""An exception at any line of deciding: nothing is let out that is not on record, and what is on record is accounted for."""

from __future__ import annotations

import asyncio
import linecache
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from laws.test_gate import ALLOW, MOCKS, RULES, World
from policies import CATALOG, written

import outgate
from outgate.gate import Admitted, Refused
from outgate.intake.agents import Agent
from outgate.intake.request import NoBody, RawRequest, Tunnel, WholeBody
from outgate.policy.load import load
from outgate.receipts.verify import LogCheck

if TYPE_CHECKING:
    from types import CodeType

ROOT = Path(outgate.__file__).parent
CORE = {
    "gate.py",
    "judging.py",
    "case.py",
    "admission.py",
    "asking.py",
    "waiting.py",
    "owed.py",
    "actions",
    "answer",
    "approvals",
}
CORE |= {"halt.py", "inspect", "intake", "policy", "digest.py", "receipts/receipt.py"}
"""All that a decision goes through. Where the log writes down is `stores`, and tried in tests/faults."""
TOOL = 4

MORE = """
- {id: by-path, match: {host: '*.crm.test'}, when: 'request.path.startsWith("/forbidden")', effect: block}
- {id: some, match: {access: [read, write]}, effect: allow}
"""
POLICY = load([("lines.yaml", written(RULES.rstrip() + MORE, otherwise=ALLOW, more=MOCKS))], CATALOG)


HANDING_OVER = {
    *("if halt is None:", "return ready", "if admission is not None:", "return admission", "try:"),
    "return admission if isinstance(admission, Told) else self._watched(opening, admission, patience)",
}
"""Lines on which a decision that is whole and on record is only handed on: where even these raise, nothing leaves, and the decision
stays open in the log until the next start closes it as unknown."""


class BoomError(Exception):
    pass


def asked(method: bytes, target: bytes, host: bytes = b"api.crm.test", headers: tuple = ()) -> RawRequest:
    lines = ((b"host", host), *headers)
    tunnel = Tunnel(host=host, port=443, sni=host)
    return RawRequest(method=method, scheme=b"", authority=b"", target=target, version=b"HTTP/1.1", headers=lines, tunnel=tunnel)


REQUESTS = {
    "let out": (asked(b"GET", b"/a?b=%20c"), NoBody()),
    "a body": (
        asked(b"POST", b"/a", headers=((b"content-type", b"application/json"), (b"content-length", b"7"))),
        WholeBody(b'{"a":1}'),
    ),
    "limited": (asked(b"PATCH", b"/a"), NoBody()),
    "blocked": (asked(b"DELETE", b"/a"), NoBody()),
    "sandboxed": (asked(b"GET", b"/a", b"api.payments.test"), NoBody()),
    "unreadable": (asked(b"GET", b"/../a"), NoBody()),
    "nowhere": (asked(b"GET", b"/a", b"169.254.169.254"), NoBody()),
    "odd": (asked(b"GET", b"/%66orbidden;x"), NoBody()),
}


@dataclass
class Lines:
    """Watches the core's lines while `on`; raises at the one that is aimed at, once."""

    aim: tuple[CodeType, int] | None = None
    error: type[BaseException] = BoomError
    seen: dict[tuple[CodeType, int], None] = field(default_factory=dict)
    hit: bool = False

    def __enter__(self) -> Self:
        sys.monitoring.use_tool_id(TOOL, "lines")
        sys.monitoring.register_callback(TOOL, sys.monitoring.events.LINE, self._line)
        sys.monitoring.set_events(TOOL, sys.monitoring.events.LINE)
        sys.monitoring.restart_events()
        return self

    def __exit__(self, *_: object) -> None:
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.free_tool_id(TOOL)

    def _line(self, code: CodeType, line: int) -> object:
        if not _core(code.co_filename):
            return sys.monitoring.DISABLE
        self.seen[code, line] = None
        if (code, line) == self.aim and not self.hit:
            self.hit = True
            raise self.error(f"{code.co_qualname}:{line}")
        return None


_known: dict[str, bool] = {}


def _core(name: str) -> bool:
    if name not in _known:
        path = Path(name)
        parts = path.relative_to(ROOT).parts if path.is_relative_to(ROOT) else ("",)
        _known[name] = parts[0] in CORE or "/".join(parts) in CORE
    return _known[name]


async def decided(world: World, raw: RawRequest, body):
    """What a plane does: open, admit, and conclude what it was handed when it aborts."""
    admission = await world.gate.admit(world.gate.open(raw, Agent(id="law")), body)
    for _ in range(3):
        await asyncio.sleep(0)
    return admission


def tried(what: str, lines: Lines):
    world = World(POLICY, frozenset())
    raw, body = REQUESTS[what]
    with lines:
        try:
            return world, asyncio.run(decided(world, raw, body))
        except (BoomError, MemoryError, RecursionError, asyncio.CancelledError) as error:
            return world, error


def judge(world: World, admission, where: str, *, may_be_open: bool = False) -> None:
    check = LogCheck("memory", world.journal.key.public)
    for line in world.journal.lines:
        check.feed(line)
    report = check.finish()
    assert report.bad is None, where
    match admission:
        case Admitted(stamp=stamp):
            assert report.open == {stamp.seq}, f"{where}: let out, and not on record as that"
        case Refused():
            assert may_be_open or report.open == set(), f"{where}: refused, and something is owed"
        case BaseException():
            assert may_be_open or not report.open, f"{where}: aborted, and on record as let out with nobody to conclude it"


@pytest.mark.parametrize("what", REQUESTS)
def test_an_exception_at_any_line_of_deciding_lets_nothing_out_that_is_not_on_record(what):
    at_every_line(what, BoomError)


@pytest.mark.parametrize("error", [MemoryError, asyncio.CancelledError], ids=lambda error: error.__name__)
def test_so_does_one_that_python_raises_itself(error):
    at_every_line("let out", error)


_done: set[tuple[CodeType, int, type[BaseException]]] = set()


def _is_done(aim: tuple[CodeType, int], error: type[BaseException]) -> bool:
    """What follows from its arguments alone need not be tried with every request; the path of a request is."""
    code, line = aim
    if Path(code.co_filename).parent == ROOT:
        return False
    done = (code, line, error) in _done
    _done.add((code, line, error))
    return done


def at_every_line(what: str, error: type[BaseException]) -> None:
    tried(what, Lines())  # what is looked up once is looked up
    plain = Lines()
    world, admission = tried(what, plain)
    judge(world, admission, "undisturbed")
    assert len(plain.seen) > 100, "nothing was watched"
    for aim in plain.seen:
        code, line = aim
        said = linecache.getline(code.co_filename, line).strip()
        if _is_done(aim, error) or (error is asyncio.CancelledError and "await" not in said):
            continue
        world, admission = tried(what, aimed := Lines(aim=aim, error=error))
        where = f"{error.__name__} at {Path(code.co_filename).relative_to(ROOT)}:{line} {code.co_qualname}"
        assert aimed.hit, f"{where}: not come by again"
        judge(world, admission, where, may_be_open=said in HANDING_OVER)
