"""Bytes that are nearly requests, thrown at a whole gate: what gets out is what was decided on, whoever reads it."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from fuzz.mutation import inputs
from fuzz.rig import FRAMING, Thrower, judge, report, throwers

HERE = Path(__file__).parent
WAYS = ("clear", "inside", "inside", "tls")
SHORT, LONG = 120, 3_000
"""Inputs for each way, of a normal run and of each of the long ones."""

METHODS = {"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "M-SEARCH", "PATCH"}


async def _throw_all(thrower: Thrower, seed: int, count: int, thrown: Counter[str]) -> None:
    for data in inputs(seed, count):
        try:
            await thrower.throw(data)
        except BaseException:
            print(f"the input, for tests/fuzz/seeds.yaml: {data!r}")
            raise
        thrown[thrower.way] += 1
        if thrower.gateway.alarm.told:
            pytest.fail(f"an exception in the gate, after {data!r}\n{thrower.gateway.alarm}")


async def _fuzz(make, count: int, seed: int, *, reads: bool) -> list[Thrower]:
    gateway = await make(reads_bodies=reads)
    all_of = await throwers(gateway, WAYS)
    thrown: Counter[str] = Counter()
    async with asyncio.TaskGroup() as group:
        for number, thrower in enumerate(all_of):
            group.create_task(_throw_all(thrower, seed * 100 + number, count, thrown))
    await gateway.stop()
    receipts = {receipt["seq"]: receipt for receipt in gateway.decisions()}
    outcomes = {outcome["of"]["seq"]: outcome for outcome in gateway.outcomes()}
    for thrower in all_of:
        judge(thrower, receipts, outcomes)
    print(f"thrown {dict(thrown)}, forwarded {dict(report(all_of))}, refused {len(receipts) - len(outcomes)}")
    assert all(one.recorder.requests for one in all_of), "nothing got through: nothing was tried"
    return all_of


@pytest.mark.parametrize("reads", [False, True], ids=["bodies pass", "bodies are read"])
async def test_what_leaves_is_what_was_decided(make, tmp_path, reads):
    _others_agree(await _fuzz(make, SHORT, 1, reads=reads), "Node", _node(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 6))
async def test_what_leaves_is_what_was_decided_for_long(make, tmp_path, seed):
    all_of = await _fuzz(make, LONG, seed, reads=seed % 2 == 0)
    _others_agree(all_of, "Node", _node(tmp_path))
    _others_agree(all_of, "Go", _go(tmp_path))


def _others_agree(all_of: list[Thrower], name: str, command: list[object] | None) -> None:
    """A parser that many servers have reads of every stream what ours read. Without it, the others have to do."""
    if command is None:
        print(f"no {name} here")
        return
    streams = [stream for one in all_of for stream in one.recorder.streams if stream.strict.requests and stream.strict.between]
    streams = list({stream.data: stream for stream in streams}.values())
    lines = "".join(base64.b64encode(stream.data).decode() + "\n" for stream in streams)
    said = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=600, check=True).stdout.split("\n")[:-1]
    for stream, line in zip(streams, said, strict=True):
        got, wanted = [_read(one) for one in json.loads(line)], [_shown(one) for one in stream.strict.requests]
        if "HPE_INVALID_METHOD" in got and any(one.method not in METHODS for one in stream.strict.requests):
            continue  # Node knows these few words and no others
        if (last := _upgrade(stream.strict.requests)) is not None:
            got, wanted = got[: last + 1], wanted[: last + 1]  # Node reads on only where it answered with a switch
        if got != wanted:
            pytest.fail(f"{name} reads {line[:2000]}\nof {stream.data[:2000]!r}")


def _upgrade(requests) -> int | None:
    return next((number for number, one in enumerate(requests) if one.all("upgrade")), None)


def _node(_: Path):
    return [node, HERE / "reference.mjs"] if (node := shutil.which("node")) else None


def _go(folder: Path):
    """Go's standard library alone."""
    if (go := shutil.which("go")) is None:
        return None
    subprocess.run([go, "build", "-o", folder / "reference", HERE / "reference.go"], check=True, timeout=900, cwd=folder)
    return [folder / "reference"]


def _shown(one):
    return one.method, one.target, sorted(line for line in one.headers if line[0] not in FRAMING), one.body


def _read(said):
    if "error" in said:
        return said["error"]
    headers = sorted(tuple(line) for line in said["headers"] if line[0] not in FRAMING)
    return said["method"], said["target"], headers, base64.b64decode(said["body"])
