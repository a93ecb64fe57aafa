from outgate.halt import Halt, Halts, Scope
from outgate.intake.agents import Agent

AGENT = Agent(id="mailer", team="growth")


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
