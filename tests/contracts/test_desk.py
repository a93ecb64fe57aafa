"""ports.Desk, on every store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import NOW, approval, vote

from outgate.approvals.approval import Panel
from outgate.errors import UnavailableError
from outgate.stores.desk_sqlite import SqliteDesk
from outgate.stores.memory import MemoryDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LONG = 60.0
"""Seconds that nothing here waits for: what is waited for comes, or the suite's own patience ends."""


@pytest.fixture(params=["memory", "sqlite"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemoryDesk | SqliteDesk]:
    if request.param == "memory":
        yield MemoryDesk()
        return
    made = SqliteDesk.open(tmp_path / "desk.sqlite")
    yield made
    await made.close()


type Desk = MemoryDesk | SqliteDesk


async def test_what_was_asked_comes_back_whole(desk: Desk) -> None:
    asked = approval(
        owner="ann",
        panels=(
            Panel(name="finance", need=2, of=("alice", "group:ops", "*"), within=timedelta(microseconds=1), owner=True),
            Panel(name="naïve \u202e", need=1, of=(), within=timedelta(days=400), rules=("a", "b")),
        ),
        statement=bytes(range(256)),
        expires=NOW + timedelta(microseconds=1),
    )
    assert await desk.ask(asked) == asked
    assert await desk.get(asked.id) == asked
    assert await desk.find(asked.request, NOW) == asked


async def test_what_was_never_asked_is_not_there(desk: Desk) -> None:
    assert await desk.get("aaaa-bbbb-cccc") is None
    assert await desk.find("sha256:00", NOW) is None
    assert not await desk.use("aaaa-bbbb-cccc", NOW)
    await desk.restore("aaaa-bbbb-cccc")
    with pytest.raises(UnavailableError, match="there is no approval aaaa-bbbb-cccc"):
        await desk.vote("aaaa-bbbb-cccc", vote())


async def test_the_same_request_is_asked_once_while_it_is_open(desk: Desk) -> None:
    first = await desk.ask(approval())
    again = approval("dddd-eeee-ffff", statement=b"another", asked=NOW + MINUTE)
    assert await desk.ask(again) == first
    assert await desk.get(again.id) is None


async def test_of_many_that_ask_at_once_all_get_the_same(desk: Desk) -> None:
    found = await asyncio.gather(*[desk.ask(approval(f"aaaa-bbbb-cc{n}")) for n in range(20)])
    assert len({one.id for one in found}) == 1
    assert len(await desk.recent(100)) == 1


async def test_another_request_is_another_approval(desk: Desk) -> None:
    await desk.ask(approval())
    other = await desk.ask(approval("dddd-eeee-ffff", request="sha256:01"))
    assert await desk.find("sha256:01", NOW) == other
    assert await desk.find("sha256:00", NOW) == approval()


async def test_what_has_expired_is_asked_anew(desk: Desk) -> None:
    first = await desk.ask(approval())
    assert await desk.find(first.request, first.expires - timedelta(microseconds=1)) == first
    assert await desk.find(first.request, first.expires) is None
    second = approval("dddd-eeee-ffff", asked=first.expires, expires=first.expires + DAY)
    assert await desk.ask(second) == second
    assert await desk.find(first.request, first.expires) == second


async def test_what_was_used_is_asked_anew(desk: Desk) -> None:
    first = await desk.ask(approval())
    await desk.use(first.id, NOW)
    assert await desk.find(first.request, NOW) is None
    second = approval("dddd-eeee-ffff", asked=NOW + MINUTE)
    assert await desk.ask(second) == second


async def test_what_was_denied_stands_until_it_expires(desk: Desk) -> None:
    first = await desk.ask(approval())
    await desk.vote(first.id, vote(deny=True, why="no"))
    assert (await desk.ask(approval("dddd-eeee-ffff"))).id == first.id
    found = await desk.find(first.request, NOW)
    assert found is not None
    assert found.votes == (vote(deny=True, why="no"),)


async def test_a_name_is_never_given_twice(desk: Desk) -> None:
    await desk.ask(approval())
    with pytest.raises(UnavailableError, match="aaaa-bbbb-cccc was asked before"):
        await desk.ask(approval(request="sha256:01"))
    assert await desk.find("sha256:01", NOW) is None


async def test_votes_are_kept_in_the_order_in_which_they_came(desk: Desk) -> None:
    await desk.ask(approval())
    votes = tuple(vote(person, why=f"by {person}", deny=person == "ben", at=NOW) for person in ("bob", "alice", "ben"))
    for one in votes:
        await desk.vote("aaaa-bbbb-cccc", one)
    found = await desk.get("aaaa-bbbb-cccc")
    assert found == replace(approval(), votes=votes)
    assert await desk.find("sha256:00", NOW) == found


async def test_a_person_has_one_vote_and_the_first_stays(desk: Desk) -> None:
    await desk.ask(approval())
    first = vote(why="yes")
    await desk.vote("aaaa-bbbb-cccc", first)
    await desk.vote("aaaa-bbbb-cccc", vote(why="yes again", at=NOW + MINUTE))
    found = await desk.get("aaaa-bbbb-cccc")
    assert found is not None
    assert found.votes == (first,)


async def test_who_approved_may_still_deny_and_not_the_other_way_round(desk: Desk) -> None:
    await desk.ask(approval())
    await desk.vote("aaaa-bbbb-cccc", vote(why="yes"))
    no = vote(deny=True, why="no", at=NOW + MINUTE)
    await desk.vote("aaaa-bbbb-cccc", no)
    await desk.vote("aaaa-bbbb-cccc", vote(why="yes after all", at=NOW + MINUTE))
    found = await desk.get("aaaa-bbbb-cccc")
    assert found is not None
    assert found.votes == (no,)


async def test_a_grant_is_used_once(desk: Desk) -> None:
    await desk.ask(approval())
    assert await desk.use("aaaa-bbbb-cccc", NOW + MINUTE)
    assert not await desk.use("aaaa-bbbb-cccc", NOW + MINUTE)
    found = await desk.get("aaaa-bbbb-cccc")
    assert found is not None
    assert found.used == NOW + MINUTE


async def test_of_fifty_that_race_to_use_it_one_does(desk: Desk) -> None:
    await desk.ask(approval())
    used = await asyncio.gather(*[desk.use("aaaa-bbbb-cccc", NOW) for _ in range(50)])
    assert used.count(True) == 1


async def test_what_has_expired_is_never_used(desk: Desk) -> None:
    asked = await desk.ask(approval())
    assert not await desk.use(asked.id, asked.expires)
    assert await desk.use(asked.id, asked.expires - timedelta(microseconds=1))


async def test_what_never_left_gives_its_grant_back_once(desk: Desk) -> None:
    asked = await desk.ask(approval())
    await desk.use(asked.id, NOW)
    await desk.restore(asked.id)
    assert await desk.find(asked.request, NOW) == asked
    assert await desk.use(asked.id, NOW)
    assert not await desk.use(asked.id, NOW)


async def test_what_is_open_is_listed_newest_first(desk: Desk) -> None:
    for n, expires in enumerate((DAY, MINUTE, DAY, DAY)):
        await desk.ask(approval(f"aaaa-bbbb-ccc{n}", request=f"sha256:0{n}", expires=NOW + expires))
    await desk.use("aaaa-bbbb-ccc2", NOW)
    open_now = await desk.still_open(NOW + MINUTE)
    assert [one.id[-1] for one in open_now] == ["3", "0"]
    assert [one.id[-1] for one in await desk.recent(3)] == ["3", "2", "1"]


# waiting for a change


async def woken(desk: Desk, by, votes: int = 0) -> None:
    """Wait, let `by` happen meanwhile, and be woken."""
    waiting = asyncio.create_task(desk.changed("aaaa-bbbb-cccc", votes, LONG))
    await asyncio.sleep(0)
    await by
    await waiting


async def test_who_waits_is_woken_by_a_vote(desk: Desk) -> None:
    await desk.ask(approval())
    await woken(desk, desk.vote("aaaa-bbbb-cccc", vote()))
    await woken(desk, desk.vote("aaaa-bbbb-cccc", vote("bob")), votes=1)


async def test_who_waits_is_woken_by_a_denial_in_the_place_of_an_approval(desk: Desk) -> None:
    await desk.ask(approval())
    await desk.vote("aaaa-bbbb-cccc", vote())
    waiting = asyncio.create_task(desk.changed("aaaa-bbbb-cccc", 1, LONG))
    await desk.changed("aaaa-bbbb-cccc", 1, 0.05)
    await desk.vote("aaaa-bbbb-cccc", vote(deny=True))
    await waiting


async def test_who_waits_is_woken_by_a_use(desk: Desk) -> None:
    await desk.ask(approval())
    await woken(desk, desk.use("aaaa-bbbb-cccc", NOW))


async def test_what_has_changed_before_is_not_waited_for(desk: Desk) -> None:
    await desk.ask(approval())
    await desk.vote("aaaa-bbbb-cccc", vote())
    await desk.changed("aaaa-bbbb-cccc", 0, LONG)


async def test_many_who_wait_are_all_woken(desk: Desk) -> None:
    await desk.ask(approval())
    waiting = [asyncio.create_task(desk.changed("aaaa-bbbb-cccc", 0, LONG)) for _ in range(50)]
    await asyncio.sleep(0)
    await desk.vote("aaaa-bbbb-cccc", vote())
    await asyncio.gather(*waiting)


async def test_who_waits_for_another_is_not_woken(desk: Desk) -> None:
    await desk.ask(approval())
    await desk.ask(approval("dddd-eeee-ffff", request="sha256:01"))
    other = asyncio.create_task(desk.changed("dddd-eeee-ffff", 0, LONG))
    await woken(desk, desk.vote("aaaa-bbbb-cccc", vote()))
    assert not other.done()
    other.cancel()
    await asyncio.wait({other})


async def test_the_time_over_ends_the_wait(desk: Desk) -> None:
    await desk.ask(approval())
    await desk.changed("aaaa-bbbb-cccc", 0, 0.001)
    await desk.changed("aaaa-bbbb-cccc", 0, 0)
    await desk.changed("never-asked-here", 0, 0.001)


async def test_who_stops_waiting_disturbs_nobody(desk: Desk) -> None:
    await desk.ask(approval())
    waiting = [asyncio.create_task(desk.changed("aaaa-bbbb-cccc", 0, LONG)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await desk.vote("aaaa-bbbb-cccc", vote())
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in found] == [asyncio.CancelledError, type(None), type(None)]


# against a model

PEOPLE = ("alice", "bob")
acts = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 1)),
        st.tuples(st.just("vote"), st.sampled_from(PEOPLE)),
        st.tuples(st.sampled_from(["use", "restore", "wait"]), st.none()),
    ),
    max_size=15,
)


@given(acts)
@settings(max_examples=25, deadline=None)
def test_both_stores_say_the_same_whatever_happens(tmp_path_factory: pytest.TempPathFactory, plan: list) -> None:
    asyncio.run(same(tmp_path_factory.mktemp("desk"), plan))


async def same(folder: Path, plan: list) -> None:
    memory, sqlite = MemoryDesk(), SqliteDesk.open(folder / "desk.sqlite")
    now, last = NOW, ""
    for n, (what, who) in enumerate(plan):
        name = f"aaaa-bbbb-{n:04}"
        asked = approval(name, request=f"sha256:{who}", asked=now, expires=now + MINUTE)
        said = vote(str(who), at=now)
        now += timedelta(seconds=45) if what == "wait" else timedelta(0)
        answers = []
        for desk in (memory, sqlite):
            match what:
                case "ask":
                    answers.append(await desk.ask(asked))
                case "vote" if last:
                    answers.append(await desk.vote(last, said))
                case "use":
                    answers.append(await desk.use(last, now))
                case "restore":
                    answers.append(await desk.restore(last))
                case _:
                    answers.append(None)
            answers += [await desk.find(f"sha256:{n}", now) for n in range(2)]
            answers += [await desk.recent(99), await desk.still_open(now)]
        assert answers[: len(answers) // 2] == answers[len(answers) // 2 :]
        last = answers[0].id if what == "ask" else last
    await sqlite.close()
