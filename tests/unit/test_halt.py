from datetime import UTC, datetime, timedelta, timezone

import pytest

from outgate.errors import EvidenceError
from outgate.halt import MOST_BYTES, Halt, Halts, Scope, read, written
from outgate.intake.agents import Agent

AGENT = Agent(id="mailer", team="growth")
MAILER = Halt(scope=Scope.AGENT, name="mailer", why="strange mails", by="alice", at=datetime(2026, 1, 31, 8, tzinfo=UTC))
GROWTH = Halt(scope=Scope.TEAM, name="growth")
EVERYTHING = Halt(scope=Scope.ALL)


def test_a_halt_covers_its_agent_its_team_its_service_or_all():
    assert Halt(scope=Scope.AGENT, name="mailer").covers(AGENT, ())
    assert not Halt(scope=Scope.AGENT, name="mailer2").covers(AGENT, ())
    assert Halt(scope=Scope.TEAM, name="growth").covers(AGENT, ())
    assert not Halt(scope=Scope.TEAM, name="").covers(Agent(id="x", team="growth"), ())
    assert Halt(scope=Scope.SERVICE, name="stripe").covers(AGENT, {"stripe", "http"})
    assert not Halt(scope=Scope.SERVICE, name="stripe").covers(AGENT, {"http"})
    assert Halt(scope=Scope.ALL).covers(AGENT, ())


def test_the_first_halt_that_covers_is_given():
    one, other = Halt(scope=Scope.TEAM, name="growth"), Halt(scope=Scope.ALL)
    assert Halts((one, other)).covering(AGENT) is one
    assert Halts((one,)).covering(Agent(id="x")) is None
    assert [str(one), str(other)] == ["team growth", "all"]


def test_what_is_halted_twice_is_halted_once_and_stays_as_it_was():
    halts = Halts((MAILER,)).adding(Halt(scope=Scope.AGENT, name="mailer", why="another reason"))
    assert halts == Halts((MAILER,))


def test_resuming_one_leaves_the_others():
    halts = Halts((MAILER, GROWTH, EVERYTHING))
    assert halts.without(Scope.AGENT, "mailer") == Halts((GROWTH, EVERYTHING))
    assert halts.without(Scope.AGENT, "growth") == halts
    assert halts.without(Scope.ALL, "") == Halts((MAILER, GROWTH))


def test_what_one_has_beyond_another_is_told_by_what_is_halted():
    assert Halts((MAILER, GROWTH)).beyond(Halts((Halt(scope=Scope.AGENT, name="mailer"),))) == Halts((GROWTH,))


def test_the_form_that_is_kept_is_canonical():
    assert written(Halts((MAILER, EVERYTHING))) == (
        b'{"halts":[{"at":"2026-01-31T08:00:00Z","by":"alice","name":"mailer","scope":"agent","why":"strange mails"},'
        b'{"at":null,"by":"","name":"","scope":"all","why":""}],"v":1}\n'
    )


def test_what_was_written_is_read_again():
    halts = Halts((MAILER, GROWTH, EVERYTHING, Halt(scope=Scope.SERVICE, name="dropbox é")))
    assert read(written(halts)) == halts


def test_people_may_write_it_as_they_like():
    said = b'{ "v": 1,\n "halts": [ {"scope": "team", "name": "growth", "at": "2026-01-31T09:00:00+01:00"} ] }'
    assert read(said) == Halts((Halt(scope=Scope.TEAM, name="growth", at=datetime(2026, 1, 31, 8, tzinfo=UTC)),))


def test_a_time_is_kept_in_utc():
    there = MAILER.at.astimezone(timezone(timedelta(hours=2)))
    assert read(written(Halts((Halt(scope=Scope.ALL, at=there),)))).halts[0].at == MAILER.at


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not of the form"),
        (b'{"v": 2, "halts": []}', "not of the form"),
        (b'{"v": true, "halts": []}', "not of the form"),
        (b'{"v": 1.0, "halts": []}', "not of the form"),
        (b'{"v": 1}', "not of the form"),
        (b'{"v": 1, "halts": {}}', "not of the form"),
        (b'{"v": 1, "halts": [], "more": 1}', "not of the form"),
        (b'{"v": 1, "halts": [], "halts": []}', "twice"),
        (b'{"v": 1, "halts": ["all"]}', "halt 1 has other keys"),
        (b'{"v": 1, "halts": [{}]}', "halt 1 has other keys"),
        (b'{"v": 1, "halts": [{"scope": "all", "until": "x"}]}', "halt 1 has other keys"),
        (b'{"v": 1, "halts": [{"scope": "agent", "name": 7}]}', "no text"),
        (b'{"v": 1, "halts": [{"scope": ["agent"], "name": "x"}]}', "no text"),
        (b'{"v": 1, "halts": [{"scope": "everybody"}]}', "none of agent, team, service, all"),
        (b'{"v": 1, "halts": [{"scope": "agent"}]}', "needs a name"),
        (b'{"v": 1, "halts": [{"scope": "all", "name": "x"}]}', "needs a name"),
        (b'{"v": 1, "halts": [{"scope": "all"}, {"scope": "all", "at": "yesterday"}]}', "halt 2 has no time"),
        (b'{"v": 1, "halts": [{"scope": "all", "at": "2026-01-31T08:00:00"}]}', "no time"),
        (b'{"v": 1, "halts": [{"scope": "all", "at": 5}]}', "no time"),
        (b'{"v": 1, "halts": [{"scope": "all"}, {"scope": "all", "why": "x"}]}', "halted twice"),
        (b" " * MOST_BYTES + b'{"v": 1, "halts": []}', "larger than"),
    ],
)
def test_what_can_not_be_told_apart_is_refused_whole(said, wrong):
    with pytest.raises(EvidenceError, match=wrong):
        read(said)
