"""outgate.app.reloading: real files; what is read of them is a policy of one line."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from outgate.app.reloading import Reloading
from outgate.errors import ConfigError, Problem, UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Text:
    """What was read: a text; and files that it names, after a colon."""

    text: str
    files: tuple[Path, ...]
    restart: tuple[str, ...] = ()

    @property
    def digests(self):
        return {"policy": self.text}

    def unlike(self, other):
        return () if self.restart == other.restart else ("listen",)


class World:
    def __init__(self, folder):
        self.main, self.other = folder / "main.yaml", folder / "other.yaml"
        self.main.write_text("good 1")
        self.held, self.adopted, self.events, self.alarms, self.counted = None, [], [], [], []
        self.broken = False
        self.reads = 0
        self.reloading = Reloading(
            self.read(), read=self.read, adopt=self.adopt, now=lambda: NOW, notes=self, alarm=self, counts=self
        )

    def read(self):
        self.reads += 1
        text = self.main.read_text()
        if not text.startswith("good"):
            raise ConfigError(
                Problem(source=str(self.main), line=1, message="not good"),
                Problem(source=str(self.main), line=2, message="nor here"),
            )
        files = (self.main,)
        if "other" in text:
            if not self.other.exists():
                raise ConfigError(Problem(source=str(self.other), message="no such file"))
            files = (self.main, self.other)
        return Text(text, files, ("listen",) if "listen" in text else ())

    def adopt(self, what):
        self.adopted.append(what.text)
        return len(self.adopted)

    async def note(self, what, agent, about):
        if self.broken:
            raise UnavailableError("the log is closed")
        self.events.append((what, about))

    def raise_for(self, error, doing):
        self.alarms.append((doing, str(error)))

    def reloaded(self, ok):
        self.counted.append(ok)

    async def settle(self):
        """Look as often as it takes for what is there now to be read."""
        while (found := await self.reloading.look()) is None:
            pass
        return found


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr("outgate.app.reloading._YOUNG", -1.0)
    return World(tmp_path)


async def test_what_did_not_change_is_not_read_again(world):
    assert await world.reloading.look() is None
    assert await world.reloading.look() is None
    assert world.reads == 1
    assert world.reloading.said() is None


async def test_what_changed_and_stays_is_read_whole_and_adopted(world):
    world.main.write_text("good 2")
    assert await world.reloading.look() is None, "it may still be written"
    found = await world.reloading.look()
    assert (found.ok, found.changed, world.adopted, world.counted) == (True, True, ["good 2"], [True])
    assert world.events == [
        (
            "reload",
            {"policy": {"was": "good 1", "is": "good 2"}, "files": [str(world.main)], "gone": 1, "restart": []},
        )
    ]
    assert await world.reloading.look() is None


async def test_what_is_still_being_written_is_waited_for(world):
    for text in ("go", "good 2 an", "good 2 and more"):
        world.main.write_text(text)
        assert await world.reloading.look() is None
    assert (await world.reloading.look()).ok
    assert (world.adopted, world.alarms) == (["good 2 and more"], [])


async def test_what_changes_and_changes_back_is_nothing(world):
    world.main.write_text("good 2")
    await world.reloading.look()
    world.main.write_text("good 1")
    assert await world.reloading.look() is None
    assert await world.reloading.look() is None
    assert world.reads == 1


async def test_an_error_changes_nothing_and_everything_wrong_is_named_everywhere(world, caplog):
    world.main.write_text("bad")
    with caplog.at_level(logging.ERROR, "outgate"):
        found = await world.settle()
    assert not found.ok
    problems = [f"{world.main}:1: not good", f"{world.main}:2: nor here"]
    assert world.reloading.said()["problems"] == problems
    assert [record.getMessage() for record in caplog.records] == [f"not reloaded: {problem}" for problem in problems]
    assert (world.adopted, world.counted) == ([], [False])
    assert world.alarms == [("reloading what people wrote", "\n".join(problems))]
    assert world.events == [("reload-refused", {"files": [str(world.main)], "problems": problems, "all": 2})]


async def test_an_error_is_told_once_and_putting_it_right_reloads(world):
    world.main.write_text("bad")
    await world.settle()
    assert await world.reloading.look() is None
    assert await world.reloading.look() is None
    assert len(world.alarms) == 1
    world.main.write_text("good 3")
    assert (await world.settle()).ok
    assert world.adopted == ["good 3"]


async def test_going_back_to_what_holds_is_a_reload_that_puts_the_alarm_out(world):
    world.main.write_text("bad")
    await world.settle()
    world.main.write_text("good 1")
    assert (await world.settle()).ok
    assert world.counted == [False, True]


async def test_a_file_that_only_the_broken_text_names_is_watched_until_it_is_there(world):
    world.main.write_text("good with other")
    assert not (await world.settle()).ok
    world.other.write_text("x")
    assert (await world.settle()).ok
    assert world.adopted == ["good with other"]


async def test_a_file_that_goes_is_an_error_and_nothing_else(world):
    world.main.unlink()
    found = await world.settle()
    assert not found.ok
    assert "FileNotFoundError" in found.problems[0]
    assert world.adopted == []


async def test_files_that_change_while_they_are_read_are_not_adopted(world):
    read = world.read

    def reading():
        came = read()
        world.main.write_text(f"good and growing {world.reads}")
        return came

    world.reloading._read = reading
    found = await world.reloading.now()
    assert found.problems == ("outgate: the files change while they are read, write them first",)
    assert world.adopted == []


async def test_whoever_tells_it_to_has_it_read_again_whether_or_not_a_file_changed(world):
    found = await world.reloading.now()
    assert (found.ok, found.changed, world.reads) == (True, False, 2)
    assert world.events == [], "nothing is another than it was"


async def test_what_takes_a_restart_is_said_as_such(world):
    world.main.write_text("good, and listen elsewhere")
    found = await world.settle()
    assert found.said()["restart"] == ["listen"]
    assert world.events[0][1]["restart"] == ["listen"]


async def test_what_waits_for_a_restart_is_said_until_it_is_as_it_was_whatever_else_is_read(world):
    world.main.write_text("good, and listen elsewhere")
    await world.settle()
    for text in ("good, and listen elsewhere, 3", "bad"):
        world.main.write_text(text)
        assert (await world.settle()).restart == ("listen",)
    world.main.write_text("good 4")
    assert (await world.settle()).restart == ()


async def test_what_was_written_just_before_the_gate_began_is_read_again(tmp_path):
    world = World(tmp_path)
    assert (await world.settle()).changed is False
    assert await world.reloading.look() is None


async def test_a_log_that_is_closed_holds_up_no_reload(world):
    world.broken = True
    world.main.write_text("good 2")
    assert (await world.settle()).ok
    assert world.adopted == ["good 2"]
    assert world.alarms == [("recording 'reload'", "the log is closed")]


async def test_two_who_ask_at_once_are_served_one_after_the_other(world):
    found = await asyncio.gather(world.reloading.now(), world.reloading.now())
    assert [one.ok for one in found] == [True, True]
    assert world.reads == 3


async def test_the_watch_goes_on_after_a_defect(world):
    failing, looked = [True], asyncio.Event()
    look = world.reloading.look

    async def sometimes():
        if failing.pop():
            failing.append(False)
            raise RuntimeError("a defect")
        failing.append(False)
        looked.set()
        return await look()

    world.reloading.look = sometimes
    watching = asyncio.create_task(world.reloading.watch(every=0.0))
    await looked.wait()
    watching.cancel()
    assert world.alarms == [("watching what people wrote", "a defect")]
